"""Deadlines are acted on once, at their time, and one that fails holds up no other."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared import deadlines, outbox
from shared.consumer import EventRouter
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.testing import Database, set_clock
from shared.testing_line import event_type
from shared.timekeeper import EVENTS_ENOUGH, Timekeeper

MORNING = datetime(2026, 9, 20, 4, 0, tzinfo=UTC)


@pytest.fixture
async def at_nine(database: Database, edge: Edge) -> Edge:
    """Business time is 09:00 in Almaty on 20 September."""
    await set_clock(database, MORNING)
    return edge


def _keeper(edge: Edge, *failing: UUID) -> tuple[Timekeeper, list[UUID]]:
    router, acted_on = EventRouter(), []

    @router.on_deadline("lapses")
    async def on_lapses(_: Transaction, subject_id: UUID, __: datetime) -> None:
        if subject_id in failing:
            raise ZeroDivisionError
        acted_on.append(subject_id)

    return Timekeeper(edge, router), acted_on


async def _set(edge: Edge, subject_id: UUID, due_at: datetime) -> None:
    async with edge.transaction() as tx:
        await deadlines.set(tx, kind="lapses", subject_id=subject_id, due_at=due_at)


async def test_a_deadline_is_acted_on_once_when_business_time_reaches_it(
    at_nine: Edge, database: Database
) -> None:
    keeper, acted_on = _keeper(at_nine)
    early, late = new_id(), new_id()
    await _set(at_nine, early, MORNING - timedelta(seconds=1))
    await _set(at_nine, late, MORNING + timedelta(days=2))
    assert await keeper.once() == 1
    assert await keeper.once() == 0
    await set_clock(database, MORNING + timedelta(days=2, seconds=1))
    assert await keeper.once() == 1
    assert acted_on == [early, late]


async def test_a_failing_deadline_is_postponed_and_the_others_are_acted_on(at_nine: Edge) -> None:
    subjects = [new_id() for _ in range(5)]
    keeper, acted_on = _keeper(at_nine, subjects[2])
    for subject_id in subjects:
        await _set(at_nine, subject_id, MORNING - timedelta(hours=1))
    await keeper.once()
    assert set(acted_on) == set(subjects) - {subjects[2]}
    assert await keeper.once() == 0  # it pauses by the real clock
    async with at_nine.transaction() as tx:
        left = (await tx.execute(sa.select(deadlines.deadlines))).one()
    assert (left.subject_id, left.attempts) == (subjects[2], 1)


async def test_a_handler_may_set_its_deadline_anew(at_nine: Edge) -> None:
    router = EventRouter()

    @router.on_deadline("monthly")
    async def on_monthly(tx: Transaction, subject_id: UUID, due_at: datetime) -> None:
        await deadlines.set(tx, kind="monthly", subject_id=subject_id, due_at=due_at + timedelta(days=30))

    async with at_nine.transaction() as tx:
        await deadlines.set(tx, kind="monthly", subject_id=new_id(), due_at=MORNING)
    assert await Timekeeper(at_nine, router).once() == 1
    async with at_nine.transaction() as tx:
        left = (await tx.execute(sa.select(deadlines.deadlines))).one()
    assert left.due_at == MORNING + timedelta(days=30)


async def test_a_transaction_ends_when_it_has_told_enough(at_nine: Edge) -> None:
    router = EventRouter()
    told = event_type("sample.events", "happened")

    @router.on_deadline("closes")
    async def on_closes(tx: Transaction, subject_id: UUID, _: datetime) -> None:
        for number in range(EVENTS_ENOUGH // 2):
            outbox.publish(tx, told(thing=str(subject_id), number=number))

    async with at_nine.transaction() as tx:
        for _ in range(3):
            await deadlines.set(tx, kind="closes", subject_id=new_id(), due_at=MORNING)
    keeper = Timekeeper(at_nine, router)
    assert [await keeper.once() for _ in range(3)] == [2, 1, 0]


async def test_two_workers_do_not_act_on_deadlines_at_once(at_nine: Edge) -> None:
    await _set(at_nine, new_id(), MORNING - timedelta(hours=1))
    keeper, acted_on = _keeper(at_nine)
    async with at_nine.transaction() as other:
        assert len(await deadlines.due(other, ["lapses"], limit=10)) == 1
        assert await keeper.once() == 0
    assert await keeper.once() == 1
    assert len(acted_on) == 1
