"""Money that goes back: unused or too late by the worker; to the budget, repaid, put right by two persons."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from rig.office import CHARGED, Office
from shared.approvals import Approvals, Proposal
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.errors import ConflictError
from shared.events.enrollment import Canceled
from shared.testing import Database, set_clock
from wallet.domain.operations import Identity, PayOut, Settle
from wallet.testing import PRICE, Check, Deliver, World, asked, waits_for_a_lock
from wallet.usecases import expiring
from wallet.usecases.approved import (
    CORRECTION,
    REPAYMENT,
    RETURN,
    NewCorrection,
    NewRepayment,
    NewReturn,
    propose_correction,
    propose_repayment,
    propose_return,
)
from wallet.usecases.expiring import sweep_page
from wallet.usecases.post import post

KINDS = Approvals([RETURN, REPAYMENT, CORRECTION])
Propose = Callable[[Transaction], Awaitable[Proposal]]
_SETTLED = "UPDATE payouts SET state = 'settled', content = '', final_at = now()"
"""What the order is once its money arrived: `usecases/answers.py` writes it, when the bank speaks."""


async def sweep(edge: Edge) -> int:
    """As the worker does it, until all is looked through; in how many pages."""
    pages = 0
    while True:
        async with edge.transaction() as tx:
            if not await sweep_page(tx):
                return pages
        pages += 1


async def on(database: Database, year: int, month: int, day: int) -> None:
    await set_clock(database, datetime(year, month, day, 9, tzinfo=UTC))


async def free(edge: Edge, fund_id: UUID) -> dict[int, int]:
    """Of the fund's own accounts and of its allotments together, by kind."""
    async with edge.transaction() as tx:
        rows = await (await tx.driver()).fetch(
            "SELECT kind, sum(CASE kind WHEN 1 THEN debited - credited ELSE credited - debited - held END)"
            " FROM accounts a JOIN funds f ON f.number = a.id >> 40 WHERE f.id = $1 GROUP BY kind",
            fund_id,
        )
    return {kind: int(amount) for kind, amount in rows if amount}


async def operations(edge: Edge, kind: str) -> list[asyncpg.Record]:
    async with edge.transaction() as tx:
        query = "SELECT id, child_id, amount_tiyn, code FROM operations WHERE kind = $1 ORDER BY id"
        return list(await (await tx.driver()).fetch(query, kind))


async def agree(edge: Edge, world: World, propose: Propose) -> UUID:
    """One proposes, the other approves; the operation."""
    async with edge.transaction() as tx:
        proposal = await propose(tx)
    return await approve(edge, world, proposal)


async def approve(edge: Edge, world: World, proposal: Proposal) -> UUID:
    async with edge.transaction() as tx:
        executed = await KINDS.approve(tx, world.people[1], proposal.id)
    assert executed.made_id
    return executed.made_id


def returning(
    world: World, fund_id: UUID, amount: int, reference: str = "PP-1", source: str = "returned"
) -> Propose:
    wanted = NewReturn.model_validate({"source": source, "amount_tiyn": amount, "bank_reference": reference})
    return lambda tx: propose_return(tx, world.people[0], fund_id, wanted)


def correcting(world: World, fund_id: UUID, **wanted: Any) -> Propose:  # noqa: ANN401 - a body
    body = NewCorrection.model_validate({"reason": "Қате енгізілген", **wanted})
    return lambda tx: propose_correction(tx, world.people[0], fund_id, body)


async def refused(edge: Edge, propose: Propose) -> tuple[str, object]:
    with pytest.raises(ConflictError) as error:
        async with edge.transaction() as tx:
            await propose(tx)
    return error.value.stable_code, error.value.values["missing_tiyn"]


@pytest.fixture
async def office(edge: Edge, database: Database, world: World, deliver: Deliver) -> Office:
    await world.pay_in(world.on_hold, 1_000_000_000)
    return Office(edge, database, world, deliver)


@pytest.fixture
async def children(world: World, deliver: Deliver) -> list[UUID]:
    """Three, with two months' money each until the end of October."""
    ids = sorted(new_id() for _ in range(3))
    await deliver(*(world.entitled(child_id) for child_id in ids))
    await world.pay_in(world.ahead, 10_000_000)
    assert (await world.run_funding(date(2026, 10, 31))).funded == 3
    return ids


async def test_what_is_free_after_the_last_day_is_returned_once_and_what_is_held_follows_when_released(
    *,
    world: World,
    edge: Edge,
    database: Database,
    deliver: Deliver,
    assert_clean: Check,
    children: list[UUID],
) -> None:
    request = asked(children[0], new_id())
    await deliver(request)
    await on(database, 2026, 11, 1)
    await sweep(edge)
    await sweep(edge)
    assert [(one["child_id"], one["amount_tiyn"]) for one in await operations(edge, "expire")] == [
        (children[0], 2_000_000 - PRICE),
        (children[1], 2_000_000),
        (children[2], 2_000_000),
    ]
    await deliver(
        Canceled(child_id=children[0], enrollment_id=request.enrollment_id, group_id=request.group_id)
    )
    assert await free(edge, world.ahead) == {1: 10_000_000, 2: 4_000_000, 3: 6_000_000}
    await assert_clean()


async def test_before_the_night_is_over_nothing_is_returned(
    world: World, edge: Edge, database: Database, children: list[UUID]
) -> None:
    await on(database, 2026, 10, 10)
    await sweep(edge)
    await world.run_funding(date(2026, 10, 31))
    await set_clock(database, datetime(2026, 10, 31, 19, 59, tzinfo=UTC))  # 00:59 in Almaty
    await sweep(edge)
    assert 3 not in await free(edge, world.ahead)
    await set_clock(database, datetime(2026, 10, 31, 20, 1, tzinfo=UTC))
    await sweep(edge)
    assert await free(edge, world.ahead) == {1: 10_000_000, 2: 7_000_000, 3: len(children) * 1_000_000}


async def test_a_sweep_goes_page_by_page_and_on_where_it_died(
    *,
    edge: Edge,
    database: Database,
    assert_clean: Check,
    children: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiring, "ALLOTMENTS_AT_ONCE", 1)
    await on(database, 2026, 11, 1)

    async def die() -> None:
        async with edge.transaction() as tx:
            assert await sweep_page(tx)
            raise ConnectionError

    async with edge.transaction() as tx:
        assert await sweep_page(tx)
    with pytest.raises(ConnectionError):
        await die()
    assert len(await operations(edge, "expire")) == 1
    assert await sweep(edge) == len(children)  # two more, and one to see that there are no more
    assert len(await operations(edge, "expire")) == len(children)
    await assert_clean()


async def test_two_workers_never_sweep_one_fund_at_once(
    edge: Edge, database: Database, children: list[UUID]
) -> None:
    await sweep(edge)
    await on(database, 2026, 11, 1)
    async with edge.transaction() as tx:
        assert await sweep_page(tx)
        async with edge.transaction() as other:
            assert not await sweep_page(other)
    await sweep(edge)
    assert len(await operations(edge, "expire")) == len(children)


async def test_what_a_child_does_not_use_goes_to_the_next_one_after_the_restore_window(
    *,
    world: World,
    edge: Edge,
    database: Database,
    deliver: Deliver,
    assert_clean: Check,
    children: list[UUID],
) -> None:
    used, left, _ = children
    await on(database, 2026, 9, 10)
    held, canceled = asked(used, new_id()), asked(left, new_id())
    await deliver(held, canceled)
    await on(database, 2026, 9, 20)
    await deliver(Canceled(child_id=left, enrollment_id=canceled.enrollment_id, group_id=canceled.group_id))
    await on(database, 2026, 9, 28)
    await sweep(edge)
    assert not await operations(edge, "expire")  # the 28th day since the allotment is tomorrow
    await on(database, 2026, 9, 29)
    await sweep(edge)
    assert [one["child_id"] for one in await operations(edge, "expire")] == [children[2]]
    await on(database, 2026, 10, 18)
    await sweep(edge)
    assert [one["child_id"] for one in await operations(edge, "expire")] == [children[2], left]
    assert await free(edge, world.ahead) == {1: 10_000_000, 2: 8_000_000, 16: 2_000_000 - PRICE}
    await assert_clean()


async def test_a_child_that_comes_back_is_allotted_again_once(
    *, world: World, edge: Edge, database: Database, assert_clean: Check, children: list[UUID]
) -> None:
    await on(database, 2026, 10, 5)
    await sweep(edge)
    assert await free(edge, world.ahead) == {1: 10_000_000, 2: 10_000_000}
    assert (await world.run_funding(date(2026, 10, 31))).funded == len(children)
    again = await world.run_funding(date(2026, 10, 31))
    assert (again.funded, again.reached) == (0, len(children))
    assert await free(edge, world.ahead) == {1: 10_000_000, 2: 7_000_000, 16: 3_000_000}  # October alone
    await assert_clean()


async def test_a_hold_that_comes_while_its_allotment_is_swept_finds_nothing_left(
    *,
    edge: Edge,
    database: Database,
    deliver: Deliver,
    assert_clean: Check,
    children: list[UUID],
) -> None:
    await on(database, 2026, 10, 5)

    async def hold() -> None:
        await deliver(asked(children[0], new_id()))

    async with edge.transaction() as tx:
        assert await sweep_page(tx)
        rival = asyncio.create_task(hold())
        await waits_for_a_lock(edge, rival)
    await rival
    assert [one["code"] for one in await operations(edge, "hold")] == ["no_money"]
    await assert_clean()


@pytest.mark.usefixtures("children")
async def test_money_goes_back_to_the_budget_by_two_persons_once_and_never_more_than_is_there(
    *, world: World, edge: Edge, database: Database, assert_clean: Check
) -> None:
    await on(database, 2026, 11, 1)
    await sweep(edge)
    assert await refused(edge, returning(world, world.ahead, 6_000_001)) == ("not_enough_there", 1)
    assert await refused(edge, returning(world, world.ahead, 5, source="fund")) == ("fund_not_over", 0)
    async with edge.transaction() as tx:
        first = await returning(world, world.ahead, 4_000_000)(tx)
        second = await returning(world, world.ahead, 4_000_000, "PP-2")(tx)
    with pytest.raises(ConflictError, match="second_person_required"):
        async with edge.transaction() as tx:
            await KINDS.approve(tx, world.people[0], first.id)
    operation_id = await approve(edge, world, first)
    with pytest.raises(ConflictError, match="not_enough_there"):
        await approve(edge, world, second)
    assert await refused(edge, returning(world, world.ahead, 1)) == ("bank_reference_used", 0)
    assert await free(edge, world.ahead) == {1: 6_000_000, 2: 4_000_000, 3: 2_000_000}
    async with edge.transaction() as tx:
        query = (
            "SELECT proposed_by, approved_by, proposal_id FROM approved_operations WHERE operation_id = $1"
        )
        (row,) = await (await tx.driver()).fetch(query, operation_id)
    assert tuple(row) == (*(person.person_id for person in world.people), first.id)
    await assert_clean()


async def test_a_fund_that_is_over_returns_what_it_never_spent(
    world: World, edge: Edge, database: Database, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, 5_000)
    await on(database, 2027, 6, 1)
    await agree(edge, world, returning(world, world.on_hold, 5_000, source="fund"))
    assert await free(edge, world.on_hold) == {}
    await assert_clean()


@pytest.mark.usefixtures("children")
async def test_what_two_persons_agreed_on_can_neither_be_changed_nor_removed(
    *, world: World, edge: Edge, database: Database
) -> None:
    await on(database, 2026, 11, 1)
    await sweep(edge)
    await agree(edge, world, returning(world, world.ahead, 1))
    for statement in ("UPDATE approved_operations SET amount_tiyn = 2", "DELETE FROM approved_operations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with edge.transaction() as tx:
                await (await tx.driver()).execute(statement)


async def test_a_deposit_that_was_none_is_corrected_no_further_than_it_went(
    *, world: World, edge: Edge, assert_clean: Check
) -> None:
    await world.pay_in(world.ahead, 1_000)
    await world.pay_in(world.ahead, 500)
    wrong = (await operations(edge, "deposit"))[1]["id"]
    back = {"debit": "fund", "credit": "bank", "operation_id": wrong}
    beyond = correcting(world, world.ahead, **back, amount_tiyn=501)
    assert await refused(edge, beyond) == ("beyond_operation", 1)
    elsewhere = correcting(world, world.on_hold, **back, amount_tiyn=1)
    assert await refused(edge, elsewhere) == ("operation_unknown", 0)
    async with edge.transaction() as tx:
        proposal = await correcting(world, world.ahead, **back, amount_tiyn=300)(tx)
    with pytest.raises((ConflictError, IntegrityError)) as refusal:  # the table would refuse it, too
        async with edge.transaction() as tx:
            await KINDS.approve(tx, world.people[0], proposal.id)
    assert getattr(refusal.value, "stable_code", None) == "second_person_required"
    await approve(edge, world, proposal)
    assert await refused(edge, correcting(world, world.ahead, **back, amount_tiyn=201)) == (
        "beyond_operation",
        1,
    )
    assert await free(edge, world.ahead) == {1: 1_200, 2: 1_200}
    # The budget has room again for what was no deposit.
    await world.pay_in(world.ahead, 100_000_000_000 - 1_200)
    with pytest.raises(ConflictError, match="over_budget"):
        await world.pay_in(world.ahead, 1)
    await assert_clean()


@pytest.mark.usefixtures("children")
async def test_an_allotment_is_corrected_within_its_day_and_only_if_it_is_there(
    *, world: World, edge: Edge, database: Database, assert_clean: Check
) -> None:
    wrong = (await operations(edge, "allot"))[0]
    mine = {"child_id": wrong["child_id"], "expires_on": "2026-10-31", "operation_id": wrong["id"]}
    there, back = {"debit": "fund", "credit": "allotment"}, {"debit": "allotment", "credit": "fund"}
    await agree(edge, world, correcting(world, world.ahead, **mine, **back, amount_tiyn=1_500_000))
    too_much = correcting(world, world.ahead, **mine, **back, amount_tiyn=500_001)
    assert await refused(edge, too_much) == ("beyond_operation", 1)
    unknown = correcting(world, world.ahead, **{**mine, "child_id": new_id()}, **back, amount_tiyn=1)
    assert await refused(edge, unknown) == ("allotment_unknown", 0)
    await on(database, 2026, 11, 1)
    assert await refused(edge, correcting(world, world.ahead, **mine, **there, amount_tiyn=1)) == (
        "allotment_over",
        0,
    )
    payment = {"debit": "bank", "credit": "allotment"}
    assert await refused(edge, correcting(world, world.ahead, **mine, **payment, amount_tiyn=1)) == (
        "correction_not_allowed",
        0,
    )
    await assert_clean()


async def claim(office: Office) -> tuple[UUID, int]:
    """A provider that was paid for a month of which half is claimed back."""
    provider_id = await office.new_provider()
    (sheet,) = await office.owe(provider_id)
    await office.run()
    (order,) = await office.orders()
    about = (order["id"], office.fund_id, provider_id)
    for kind, name in ((PayOut, "pay_out"), (Settle, "settle")):
        async with office.edge.transaction() as tx:
            await post(tx, [kind(new_id(), Identity("payout", name, str(order["id"])), *about)])
    await office.deliver(sheet.closed(absent=2))
    async with office.edge.transaction() as tx:
        await (await tx.driver()).execute(_SETTLED)
    return provider_id, CHARGED // 2


async def test_a_claim_is_spendable_once_the_provider_repaid_it(
    office: Office, edge: Edge, world: World, assert_clean: Check
) -> None:
    provider_id, claimed = await claim(office)
    before = await free(edge, world.on_hold)

    def repaid(amount: int, reference: str) -> Propose:
        wanted = NewRepayment(provider_id=provider_id, amount_tiyn=amount, bank_reference=reference)
        return lambda tx: propose_repayment(tx, world.people[0], world.on_hold, wanted)

    assert await refused(edge, repaid(claimed + 1, "IN-1")) == ("more_than_claimed", 1)
    await agree(edge, world, repaid(claimed - 10, "IN-1"))
    assert await refused(edge, repaid(10, "IN-1")) == ("bank_reference_used", 0)
    await agree(edge, world, repaid(10, "IN-2"))
    assert await refused(edge, repaid(1, "IN-3")) == ("more_than_claimed", 1)
    after = await free(edge, world.on_hold)
    assert after[2] - before[2] == claimed
    assert after[1] - before[1] == claimed
    assert 4 not in after
    assert 6 not in after
    await assert_clean()
