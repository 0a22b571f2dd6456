"""The MRP: its values come with the migrations and by two persons, and programs can count in it."""

from datetime import UTC, date, datetime

import pytest

from shared.approvals import Approvals, Proposal
from shared.database import new_id
from shared.edge import Edge
from shared.errors import ConflictError
from shared.events.wallet import FundsDeclined, FundsHeld
from shared.testing import Database, Databases, published, set_clock
from shared.testing_http import ServedApi, signed_in
from wallet.repository.mrp import insert_value
from wallet.testing import PRICE, Deliver, World, asked
from wallet.usecases.mrp import MRP, NewMrp, propose_mrp
from wallet.usecases.plans import RulesPlan
from wallet.usecases.rules import NewRules


async def proposed(world: World, valid_from: str, amount_tiyn: int = 460_000) -> Proposal:
    plan = NewMrp.model_validate({"valid_from": valid_from, "amount_tiyn": amount_tiyn})
    async with world.edge.transaction() as tx:
        return await propose_mrp(tx, world.people[0], plan)


async def approve(world: World, proposal: Proposal) -> None:
    async with world.edge.transaction() as tx:
        await Approvals([MRP]).approve(tx, world.people[1], proposal.id)


async def test_the_values_of_2025_and_2026_are_there_from_the_beginning(databases: Databases) -> None:
    database = await databases.create("wallet")
    try:
        async with database.edge("wallet") as edge, edge.transaction() as tx:
            rows = await (await tx.driver()).fetch("SELECT * FROM mrp ORDER BY valid_from")
    finally:
        await databases.drop(database)
    assert [tuple(row) for row in rows] == [(date(2025, 1, 1), 393_200), (date(2026, 1, 1), 432_500)]


async def test_a_value_is_entered_by_two_persons_before_its_day_and_once(
    world: World, database: Database
) -> None:
    first, second = await proposed(world, "2027-01-01"), await proposed(world, "2027-01-01")
    with pytest.raises(ConflictError, match="second_person_required"):
        async with world.edge.transaction() as tx:
            await Approvals([MRP]).approve(tx, world.people[0], first.id)
    await approve(world, first)
    with pytest.raises(ConflictError, match="valid_from_taken"):
        await approve(world, second)
    with pytest.raises(ConflictError, match="valid_from_passed"):
        await proposed(world, "2026-09-01")
    await set_clock(database, datetime(2026, 9, 30, 18, 59, tzinfo=UTC))
    late = await proposed(world, "2026-10-01")
    await set_clock(database, datetime(2026, 9, 30, 19, tzinfo=UTC))
    with pytest.raises(ConflictError, match="valid_from_passed"):
        await approve(world, late)


def test_a_rate_is_an_amount_or_counted_in_mrp() -> None:
    for rate in ({}, {"monthly_rate_tiyn": 1, "monthly_rate_mrp_thousandths": 1}):
        with pytest.raises(ValueError, match="either an amount or counted in MRP"):
            RulesPlan.model_validate(rate)


async def test_a_program_pays_by_the_mrp_of_the_month_of_the_lessons(
    *, world: World, edge: Edge, deliver: Deliver
) -> None:
    async with edge.transaction() as tx:
        await insert_value(tx, date(2026, 1, 1), 432_500)
        await insert_value(tx, date(2027, 1, 1), 432_499)
    rules = {"monthly_rate_mrp_thousandths": 4_336}  # 18,753.2 tenge in 2026
    await world.change_rules(NewRules.model_validate({"valid_from": "2026-10-01", "rules": rules}))
    await world.pay_in(world.on_hold, 10 * PRICE)
    children = [new_id() for _ in range(3)]
    await deliver(
        *(world.entitled(child_id) for child_id in children),
        asked(children[0], new_id(), price=1_875_320),
        asked(children[1], new_id(), price=1_875_321),
        asked(children[2], new_id(), price=1_875_320, month="2027-01"),
    )
    answers = [event for event in await published(edge) if isinstance(event, FundsHeld | FundsDeclined)]
    assert isinstance(answers[0], FundsHeld)
    assert [(one.code, one.missing_tiyn) for one in answers[1:] if isinstance(one, FundsDeclined)] == [
        ("price_above_rate", 1),
        ("price_above_rate", 5),
    ]


async def test_any_two_administrators_enter_the_mrp_and_everybody_reads_it(
    api: ServedApi, world: World
) -> None:
    for place, person in enumerate(world.people):
        region_id = (world.region_id, new_id())[place]
        await api.grant(person.person_id, "administrator", "region", region_id)
    body = {"valid_from": "2027-01-01", "amount_tiyn": 460_000}
    one, other = (person.person_id for person in world.people)
    async with signed_in(api.url, api.issuer, one) as client:
        proposal = (await client.post("/v1/mrp", json=body)).json()
    async with signed_in(api.url, api.issuer, other) as client:
        waiting = (await client.get("/v1/approvals")).json()["items"]
        assert proposal["id"] in {one["id"] for one in waiting}
        assert (await client.post(f"/v1/approvals/{proposal['id']}/approve")).status_code == 200
    async with signed_in(api.url, api.issuer, new_id()) as client:
        assert (await client.post("/v1/mrp", json=body)).status_code == 403
        assert (await client.get("/v1/mrp")).json()["items"] == [body]
