"""The rules of a program change from a day on: by two persons, once, and never for what is past or held."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.approvals import Approvals, Proposal
from shared.database import new_id
from shared.edge import Edge
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.wallet import FundsHeld, ProgramDescribed
from shared.security import Grant, Principal
from shared.service import Service
from shared.testing import Database, published, set_clock
from shared.timekeeper import Timekeeper
from wallet.repository.programs import ProgramRow
from wallet.repository.rules import list_versions
from wallet.testing import PRICE, Deliver, World, asked
from wallet.usecases.programs import read_program
from wallet.usecases.rules import RULES, NewRules, propose_rules

NOVEMBER = "2026-11-01"


def new_rules(valid_from: str = NOVEMBER, **content: object) -> NewRules:
    return NewRules.model_validate(
        {"valid_from": valid_from, "rules": {"monthly_rate_tiyn": PRICE} | content}
    )


async def proposed(world: World, wanted: NewRules) -> Proposal:
    async with world.edge.transaction() as tx:
        return await propose_rules(tx, world.people[0], world.program_id, wanted)


async def approve(world: World, proposal: Proposal) -> UUID | None:
    async with world.edge.transaction() as tx:
        return (await Approvals([RULES]).approve(tx, world.people[1], proposal.id)).made_id


async def versions(world: World) -> list[tuple[int, str]]:
    async with world.edge.transaction() as tx:
        rows = await list_versions(tx, world.program_id)
    return [(row["version"], f"{row['valid_from']}") for row in rows]


async def come(world: World, database: Database, service: Service, day: str) -> ProgramRow:
    """That day begins, and the worker acts on what is due."""
    await set_clock(database, datetime.fromisoformat(f"{day}T00:00:01+05:00").astimezone(UTC))
    await Timekeeper(world.edge, service.events).once()
    async with world.edge.transaction() as tx:
        return await read_program(tx, world.program_id)


async def told(edge: Edge) -> list[ProgramDescribed]:
    return [event for event in await published(edge) if isinstance(event, ProgramDescribed)]


async def test_a_second_person_makes_the_next_version_and_it_waits_for_its_day(
    world: World, database: Database, service: Service
) -> None:
    proposal = await proposed(world, new_rules(monthly_rate_tiyn=PRICE + 1))
    assert await versions(world) == [(1, "2026-09-01")]
    assert await approve(world, proposal) == world.program_id
    assert await versions(world) == [(1, "2026-09-01"), (2, NOVEMBER)]
    eve = await come(world, database, service, "2026-10-31")
    assert (eve.rules_version, eve.monthly_rate_tiyn) == (1, PRICE)
    day = await come(world, database, service, NOVEMBER)
    assert (day.rules_version, day.monthly_rate_tiyn) == (2, PRICE + 1)


async def test_the_one_who_proposed_rules_cannot_approve_them_and_nobody_approves_them_twice(
    world: World,
) -> None:
    proposal = await proposed(world, new_rules())
    with pytest.raises(ConflictError, match="second_person_required"):
        async with world.edge.transaction() as tx:
            await Approvals([RULES]).approve(tx, world.people[0], proposal.id)
    await approve(world, proposal)
    with pytest.raises(ConflictError, match="proposal_not_open"):
        await approve(world, proposal)
    assert await versions(world) == [(1, "2026-09-01"), (2, NOVEMBER)]


async def test_rules_approved_after_their_day_began_are_refused_and_leave_no_trace(
    world: World, database: Database
) -> None:
    await set_clock(database, datetime(2026, 9, 30, 18, 59, tzinfo=UTC))
    proposal = await proposed(world, new_rules("2026-10-01"))
    await set_clock(database, datetime(2026, 9, 30, 19, tzinfo=UTC))  # the first of October begins in Almaty
    with pytest.raises(ConflictError, match="valid_from_passed"):
        await approve(world, proposal)
    assert await versions(world) == [(1, "2026-09-01")]


async def test_two_versions_never_begin_on_the_same_day_but_in_any_order(world: World) -> None:
    first, second = await proposed(world, new_rules()), await proposed(world, new_rules())
    await approve(world, first)
    with pytest.raises(ConflictError, match="valid_from_taken"):
        await approve(world, second)
    await world.change_rules(new_rules("2026-10-01"))
    assert await versions(world) == [(1, "2026-09-01"), (3, "2026-10-01"), (2, NOVEMBER)]


@pytest.mark.parametrize(
    ("valid_from", "code"),
    [
        ("2026-08-01", "valid_from_passed"),
        ("2026-09-01", "valid_from_passed"),  # today
        ("2027-06-01", "rules_outside_program"),  # the day after the last one
    ],
)
async def test_rules_begin_on_a_later_day_of_the_program(world: World, valid_from: str, code: str) -> None:
    with pytest.raises((ConflictError, InvalidError), match=code):
        await proposed(world, new_rules(valid_from))


def test_rules_begin_with_a_month() -> None:
    with pytest.raises(ValueError, match="first day of a month"):
        new_rules("2026-11-02")


async def test_for_an_administrator_of_another_region_the_program_does_not_exist(world: World) -> None:
    stranger = Principal(new_id(), frozenset({Grant("administrator", "region", new_id())}))
    for program_id in (world.program_id, new_id()):
        with pytest.raises(NotFoundError):
            async with world.edge.transaction() as tx:
                await propose_rules(tx, stranger, program_id, new_rules())


async def test_a_program_is_told_again_on_the_day_on_which_what_others_know_of_it_changes(
    *, world: World, edge: Edge, database: Database, service: Service
) -> None:
    same = {"directions": ["robotics", "music"]}
    await world.change_rules(
        new_rules("2026-10-01", **same, monthly_rate_tiyn=1)
    )  # the rate is nobody else's
    await world.change_rules(new_rules("2026-11-01", **same, asks_from_day=15))
    await world.change_rules(new_rules("2026-12-01", directions=["chess"], asks_from_day=15))
    assert [event.version for event in await told(edge)] == [1]
    for day in ("2026-10-01", "2026-10-31", "2026-11-01", "2026-11-02", "2027-01-05", "2027-01-06"):
        await come(world, database, service, day)
    assert [(event.version, event.asks_from_day, event.directions) for event in await told(edge)] == [
        (1, 20, ("robotics", "music")),
        (2, 15, ("robotics", "music")),
        (3, 15, ("chess",)),
    ]


async def test_what_is_held_keeps_its_version_and_the_next_months_get_the_new_one(
    *, world: World, edge: Edge, deliver: Deliver
) -> None:
    child_id, enrollment_id = new_id(), new_id()
    await world.pay_in(world.on_hold, 10 * PRICE)
    early = asked(child_id, enrollment_id, month="2026-11")
    await deliver(world.entitled(child_id), early)
    await world.change_rules(new_rules(directions=["robotics"]))
    await deliver(early, *(asked(child_id, enrollment_id, month=month) for month in ("2026-10", "2026-12")))
    held = [event.month for event in await published(edge) if isinstance(event, FundsHeld)]
    assert held == ["2026-11", "2026-11", "2026-10", "2026-12"]  # asked again, it stays what it was
    async with edge.transaction() as tx:
        rows = await (await tx.driver()).fetch(
            "SELECT month, terms -> 'rules' -> 0 ->> 'version' AS version FROM holds ORDER BY month"
        )
    assert [tuple(row) for row in rows] == [("2026-10", "1"), ("2026-11", "1"), ("2026-12", "2")]
