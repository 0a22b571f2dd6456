"""Events and deadlines in, events out: what clubs answers, and what it has afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from clubs.consumers import refuse_seat
from clubs.main import service as clubs
from clubs.usecases.groups import NewGroup, close_group, open_group, read_lessons
from clubs.usecases.seats import accept_offer, read_queue, read_seat
from shared.consumer import Dropped
from shared.database import new_id
from shared.edge import Edge
from shared.events import clubs as events
from shared.events.enrollment import Canceled, ChildDescribed, Ended, Rejected, SeatRequested
from shared.events.envelope import Event
from shared.security import Grant, Principal, principal_of
from shared.testing import Database, published, set_clock
from shared.timekeeper import Timekeeper

Deliver = Callable[..., Awaitable[None]]
TODAY = date(2026, 9, 1)


def wish(group_id: UUID, on: date = TODAY, *, priority: int = 0, attempt: int = 1) -> SeatRequested:
    return SeatRequested(
        child_id=new_id(),
        enrollment_id=new_id(),
        group_id=group_id,
        attempt=attempt,
        starts_on=on,
        priority=priority,
        requested_at=datetime.fromisoformat("2026-09-01T08:00:00Z"),
    )


def cancel(wished: SeatRequested) -> Canceled:
    return Canceled(child_id=wished.child_id, enrollment_id=wished.enrollment_id, group_id=wished.group_id)


def ended(wished: SeatRequested, on: date) -> Ended:
    return Ended(
        child_id=wished.child_id,
        enrollment_id=wished.enrollment_id,
        group_id=wished.group_id,
        on=on,
        code="left",
    )


def guardian_of(child_id: UUID) -> Principal:
    return Principal(new_id(), frozenset({Grant("guardian", "child", child_id)}))


async def told(edge: Edge) -> list[Event]:
    """What was told of seats so far."""
    return [event for event in await published(edge) if isinstance(event, events.SeatEvent)]


async def plans_told(edge: Edge) -> list[events.GroupMonthPlanned]:
    """What was told of planned months so far."""
    return [event for event in await published(edge) if isinstance(event, events.GroupMonthPlanned)]


async def days_left(edge: Edge, group_id: UUID, month: str) -> list[int]:
    """The days of the lessons that anyone finds in a group's month."""
    async with edge.transaction() as tx:
        return [lesson.meeting.on.day for lesson in (await read_lessons(tx, group_id, month)).lessons]


async def is_clean(edge: Edge) -> bool:
    async with edge.transaction() as tx:
        found = {name: (await tx.execute(sa.text(sql))).all() for name, sql in clubs.audit.items()}
    assert not any(found.values()), found
    return True


async def test_one_seat_and_three_wishes_make_a_seat_and_a_queue(
    edge: Edge, group_id: UUID, deliver: Deliver
) -> None:
    first, second, third = wish(group_id), wish(group_id), wish(group_id, priority=1)
    await deliver(first, second, third)
    seat, place, place_ahead = await told(edge)
    assert seat == events.SeatReserved(
        child_id=first.child_id,
        enrollment_id=first.enrollment_id,
        group_id=group_id,
        attempt=1,
        starts_on=TODAY,
    )
    assert isinstance(place, events.SeatQueued)
    assert isinstance(place_ahead, events.SeatQueued)
    assert (place.place, place_ahead.place) == (1, 1)
    async with edge.transaction() as tx:
        standing = await read_seat(tx, guardian_of(second.child_id), second.enrollment_id)
    assert standing.number == 2
    assert await is_clean(edge)


async def test_a_request_told_again_is_answered_again_and_takes_nothing(
    edge: Edge, group_id: UUID, deliver: Deliver
) -> None:
    wished = wish(group_id)
    await deliver(wished, wished)
    await deliver(wished)
    answers = await told(edge)
    assert len(answers) == 3
    assert answers == [answers[0]] * 3


async def test_a_group_that_is_not_here_does_not_exist(edge: Edge, now: datetime, deliver: Deliver) -> None:
    _ = now
    await deliver(wish(new_id()), cancel(wish(new_id())))
    (answer,) = await told(edge)
    assert isinstance(answer, events.SeatRefused)
    assert answer.code == "group_not_found"


async def test_a_dropped_request_is_refused_by_its_headers(edge: Edge, group_id: UUID) -> None:
    wished = wish(group_id, attempt=3)
    async with edge.transaction() as tx:
        await refuse_seat(tx, Dropped(wished.type, wished.subject, wished.key))
    assert await told(edge) == [
        events.SeatRefused(
            child_id=wished.child_id,
            enrollment_id=wished.enrollment_id,
            group_id=group_id,
            attempt=3,
            code="request_unreadable",
        )
    ]


@pytest.mark.parametrize("gone", [Canceled, Rejected])
async def test_what_an_enrollment_had_that_came_to_nothing_is_offered_to_the_next(
    edge: Edge, group_id: UUID, deliver: Deliver, gone: type[Canceled | Rejected]
) -> None:
    first, second = wish(group_id), wish(group_id, date(2026, 9, 15))
    ending = cancel(first)
    if gone is Rejected:
        ending = Rejected(**ending.model_dump(), code="no_money")  # type: ignore[assignment] # one or the other
    await deliver(first, second, ending)
    offer = (await told(edge))[-1]
    assert isinstance(offer, events.SeatOffered)
    assert (offer.enrollment_id, offer.starts_on) == (second.enrollment_id, date(2026, 9, 15))
    assert await is_clean(edge)


async def test_an_accepted_offer_of_a_seat_that_ends_is_a_seat_from_that_day(
    edge: Edge, group_id: UUID, deliver: Deliver
) -> None:
    first, second = wish(group_id), wish(group_id)
    await deliver(first, second)
    await deliver(ended(first, date(2026, 10, 1)))
    offer = (await told(edge))[-1]
    assert isinstance(offer, events.SeatOffered)
    async with edge.transaction() as tx:
        await accept_offer(tx, guardian_of(second.child_id), offer.offer_id)
    seat = (await told(edge))[-1]
    assert isinstance(seat, events.SeatReserved)
    assert (seat.enrollment_id, seat.starts_on) == (second.enrollment_id, date(2026, 10, 1))
    assert await is_clean(edge)


async def test_an_offer_that_nobody_answers_lapses_once_and_goes_to_the_next(
    edge: Edge, database: Database, now: datetime, group_id: UUID, deliver: Deliver
) -> None:
    first, second, third = wish(group_id), wish(group_id), wish(group_id)
    await deliver(first, second, third, cancel(first))
    timekeeper = Timekeeper(edge, clubs.events)
    await set_clock(database, now + timedelta(hours=47))
    await timekeeper.once()
    assert isinstance((await told(edge))[-1], events.SeatOffered)
    await set_clock(database, now + timedelta(hours=49))
    await timekeeper.once()
    await timekeeper.once()
    refusal, offer = (await told(edge))[-2:]
    assert isinstance(refusal, events.SeatRefused)
    assert (refusal.enrollment_id, refusal.code) == (second.enrollment_id, "offer_lapsed")
    assert isinstance(offer, events.SeatOffered)
    assert offer.enrollment_id == third.enrollment_id
    assert await is_clean(edge)


async def test_each_new_month_plans_one_more(
    edge: Edge, database: Database, director: Principal, new_group: NewGroup
) -> None:
    async with edge.transaction() as tx:
        group_id = await open_group(tx, director, new_group)
    await set_clock(database, datetime.fromisoformat("2026-09-30T18:00:00Z"))
    assert await Timekeeper(edge, clubs.events).once() == 0
    plans = await plans_told(edge)
    assert [plan.month for plan in plans] == ["2026-09", "2026-10", "2026-11", "2026-12"]
    assert {plan.group_id for plan in plans} == {group_id}
    assert await is_clean(edge)


async def test_planning_goes_on_to_the_last_month_even_after_months_asleep(
    edge: Edge, database: Database, director: Principal, new_group: NewGroup
) -> None:
    async with edge.transaction() as tx:
        await open_group(tx, director, replace(new_group, ends_on=date(2027, 5, 25)))
    for moment in ("2026-10-01T01:00:00Z", "2027-01-20T01:00:00Z"):
        await set_clock(database, datetime.fromisoformat(moment))
        await Timekeeper(edge, clubs.events).once()
    plans = [plan.month for plan in await plans_told(edge)]
    assert plans == ["2026-09", "2026-10", "2026-11", "2026-12", "2027-01", "2027-02", "2027-03", "2027-04"]
    assert await is_clean(edge)


async def test_who_still_waits_when_the_group_is_over_is_refused(
    edge: Edge, database: Database, group_id: UUID, deliver: Deliver
) -> None:
    await deliver(wish(group_id), waiting := wish(group_id))
    await set_clock(database, datetime.fromisoformat("2027-01-01T00:00:00Z"))
    await Timekeeper(edge, clubs.events).once()
    refusal = (await told(edge))[-1]
    assert isinstance(refusal, events.SeatRefused)
    assert (refusal.enrollment_id, refusal.code) == (waiting.enrollment_id, "group_closed")
    assert await is_clean(edge)


async def test_closing_a_group_withdraws_seats_and_lessons_and_refuses_the_queue(
    edge: Edge, director: Principal, group_id: UUID, deliver: Deliver
) -> None:
    await deliver(seated := wish(group_id), wish(group_id))
    before = len(await published(edge))
    async with edge.transaction() as tx:
        await close_group(tx, director, group_id, date(2026, 11, 15))
    refused, withdrawn, group, november, december = sorted(
        (await published(edge))[before:], key=lambda event: (event.type != "clubs.seat_refused.v1",)
    )
    assert isinstance(refused, events.SeatRefused)
    assert isinstance(withdrawn, events.SeatWithdrawn)
    assert (withdrawn.enrollment_id, withdrawn.on) == (seated.enrollment_id, date(2026, 11, 15))
    assert isinstance(group, events.GroupDescribed)
    assert (group.closed, group.ends_on, group.version) == (True, date(2026, 11, 14), 2)
    assert isinstance(november, events.GroupMonthPlanned)
    assert [lesson.on.day for lesson in november.lessons] == [2, 6, 9, 13, 16, 20, 23, 27, 30]
    assert isinstance(december, events.GroupMonthPlanned)
    assert (december.lessons, december.version) == ((), 2)
    assert await days_left(edge, group_id, "2026-11") == [2, 6, 9, 13]
    assert await days_left(edge, group_id, "2026-12") == []
    assert await is_clean(edge)


async def test_a_month_is_priced_by_all_its_lessons_however_often_the_group_is_closed(
    edge: Edge, director: Principal, group_id: UUID
) -> None:
    (planned,) = [plan for plan in await plans_told(edge) if plan.month == "2026-10"]
    for day, left in ((20, [2, 5, 9, 12, 16, 19]), (6, [2, 5]), (1, [])):
        async with edge.transaction() as tx:
            await close_group(tx, director, group_id, date(2026, 10, day))
        *_, latest = [plan for plan in await plans_told(edge) if plan.month == "2026-10"]
        assert latest.lessons == (planned.lessons if left else ())
        assert await days_left(edge, group_id, "2026-10") == left
    assert await is_clean(edge)


async def test_closing_in_a_month_that_is_not_planned_yet_plans_the_whole_of_it(
    edge: Edge, database: Database, director: Principal, new_group: NewGroup
) -> None:
    async with edge.transaction() as tx:
        group_id = await open_group(tx, director, replace(new_group, ends_on=date(2027, 5, 25)))
    async with edge.transaction() as tx:
        await close_group(tx, director, group_id, date(2027, 2, 9))
    await set_clock(database, datetime.fromisoformat("2027-01-01T01:00:00Z"))
    await Timekeeper(edge, clubs.events).once()
    plans = {plan.month: plan for plan in await plans_told(edge)}
    assert list(plans) == ["2026-09", "2026-10", "2026-11", "2026-12", "2027-02", "2027-01"]
    assert [lesson.on.day for lesson in plans["2027-02"].lessons] == [1, 5, 8, 12, 15, 19, 22, 26]
    assert await days_left(edge, group_id, "2027-02") == [1, 5, 8]
    assert await is_clean(edge)


async def test_a_childs_guardians_are_those_of_its_latest_state(
    edge: Edge, now: datetime, deliver: Deliver
) -> None:
    _ = now
    child_id, mother, father = new_id(), new_id(), new_id()
    await deliver(ChildDescribed(child_id=child_id, version=2, guardians=(mother,)))
    await deliver(ChildDescribed(child_id=child_id, version=1, guardians=(mother, father)))
    async with edge.transaction() as tx:
        assert (await principal_of(tx, mother)).scopes("guardian") == {child_id}
        assert (await principal_of(tx, father)).scopes("guardian") == frozenset()


async def test_republishing_tells_every_fact_again_as_it_is_now(
    edge: Edge, director: Principal, new_group: NewGroup
) -> None:
    async with edge.transaction() as tx:
        closed_id = await open_group(tx, director, new_group)
        await open_group(tx, director, new_group)
    async with edge.transaction() as tx:
        await close_group(tx, director, closed_id, date(2026, 10, 20))
    told = await published(edge)
    async with edge.transaction() as tx:
        for republish in clubs.republish.values():
            after = await republish(tx, None)
            while after is not None:
                after = await republish(tx, after)
    again = (await published(edge))[len(told) :]
    latest = {(event.type, event.subject): event for event in told}
    assert sorted(map(repr, again)) == sorted(map(repr, latest.values()))


async def test_the_queue_is_read_in_its_published_order(
    edge: Edge, administrator: Principal, group_id: UUID, deliver: Deliver
) -> None:
    wishes = [wish(group_id, priority=priority) for priority in (0, 0, 2, 1, 2)]
    await deliver(*wishes)
    async with edge.transaction() as tx:
        queue = await read_queue(tx, administrator, group_id, after=None, limit=10)
        rest = await read_queue(tx, administrator, group_id, after=queue[1].place.turn, limit=10)
    expected = sorted(wishes[1:], key=lambda one: (-one.priority, one.enrollment_id))
    assert [standing.place.id for standing in queue] == [one.enrollment_id for one in expected]
    assert [standing.number for standing in queue] == [1, 2, 3, 4]
    assert rest == queue[2:]
