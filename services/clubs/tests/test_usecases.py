"""What clubs does on real PostgreSQL: once however often, nothing half done, exactly the seats there are."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clubs import tables
from clubs.domain import seats as domain
from clubs.domain.groups import ClosesInPastError, GroupClosedError, GroupInvalidError
from clubs.domain.places import Book, Place, Request
from clubs.domain.providers import AlreadyStaffError, InvalidBinError, ProviderExistsError
from clubs.domain.seats import Moment, OfferClosedError
from clubs.main import service as clubs
from clubs.repository import seats as repository
from clubs.usecases import groups, providers, seats
from clubs.usecases.groups import NewGroup
from shared import migrations
from shared.clock import civil_date
from shared.database import Transaction, new_id, plumbing
from shared.edge import Edge
from shared.errors import ForbiddenError, NotFoundError
from shared.events import clubs as events
from shared.events.enrollment import Canceled, Ended, SeatRequested
from shared.security import Grant, Principal
from shared.testing import Database, published, set_clock
from shared.timekeeper import Timekeeper

OpenWith = Callable[[int], Awaitable[UUID]]
Deliver = Callable[..., Coroutine[Any, Any, None]]
TODAY = date(2026, 9, 1)
NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
LAST = date(2026, 12, 31)


def wish(group_id: UUID, on: date = TODAY, priority: int = 0, at: datetime = NOW) -> SeatRequested:
    return SeatRequested(
        child_id=new_id(),
        enrollment_id=new_id(),
        group_id=group_id,
        attempt=1,
        starts_on=on,
        priority=priority,
        requested_at=at,
    )


def cancel(wished: SeatRequested) -> Canceled:
    return Canceled(child_id=wished.child_id, enrollment_id=wished.enrollment_id, group_id=wished.group_id)


def guardian_of(child_id: UUID) -> Principal:
    return Principal(new_id(), frozenset({Grant("guardian", "child", child_id)}))


async def states(edge: Edge, group_id: UUID) -> Counter[str]:
    query = sa.select(tables.seats.c.state).where(tables.seats.c.group_id == group_id)
    async with edge.transaction() as tx:
        return Counter((await tx.execute(query)).scalars())


async def assert_clean(edge: Edge) -> None:
    async with edge.transaction() as tx:
        for name, sql in clubs.audit.items():
            assert not (await tx.execute(sa.text(sql))).all(), name


async def test_the_migrations_make_the_tables_of_the_code(edge: Edge) -> None:
    assert await migrations.drift(edge.engine, tables.metadata, plumbing) == []


async def test_an_organization_is_registered_once_and_by_administrators_only(
    edge: Edge, administrator: Principal, director: Principal, new_group: NewGroup
) -> None:
    for number, who, error in (
        ("240140001238", administrator, ProviderExistsError),
        ("150901500010", administrator, InvalidBinError),
        ("230740027559", director, ForbiddenError),
    ):
        with pytest.raises(error):
            async with edge.transaction() as tx:
                await providers.register_provider(tx, who, number=number, name=new_group.name)


async def test_a_director_appoints_at_the_own_provider_only_and_never_themselves(
    edge: Edge, director: Principal, administrator: Principal
) -> None:
    (provider_id,) = director.scopes("director")
    stranger = Principal(new_id(), frozenset({Grant("director", "provider", new_id())}))
    coach = new_id()
    async with edge.transaction() as tx:
        await providers.appoint_staff(tx, director, provider_id, person_id=coach, role="coach")
    for who, whom, where, error in (
        (director, coach, provider_id, AlreadyStaffError),
        (director, director.person_id, provider_id, ForbiddenError),
        (stranger, coach, provider_id, NotFoundError),
        (administrator, coach, new_id(), NotFoundError),
        (guardian_of(new_id()), coach, provider_id, ForbiddenError),
    ):
        with pytest.raises(error):
            async with edge.transaction() as tx:
                await providers.appoint_staff(tx, who, where, person_id=whom, role="coach")
    told = [event for event in await published(edge) if isinstance(event, events.StaffDescribed)]
    assert [(event.person_id, event.role) for event in told] == [(coach, "coach")]


async def test_the_same_role_given_twice_at_once_is_given_once(edge: Edge, director: Principal) -> None:
    (provider_id,) = director.scopes("director")
    person_id = new_id()

    async def appoint() -> None:
        async with edge.transaction() as tx:
            await providers.appoint_staff(tx, director, provider_id, person_id=person_id, role="coach")

    outcomes = await asyncio.gather(*(appoint() for _ in range(5)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyStaffError) for outcome in outcomes) == 4


async def test_a_group_is_opened_with_the_coaches_of_its_own_provider(
    edge: Edge, director: Principal, new_group: NewGroup
) -> None:
    (provider_id,) = director.scopes("director")
    with_coach = replace(new_group, coaches=(new_id(),))
    with pytest.raises(GroupInvalidError, match="coach_unknown"):
        async with edge.transaction() as tx:
            await groups.open_group(tx, director, with_coach)
    async with edge.transaction() as tx:
        (coach,) = with_coach.coaches
        await providers.appoint_staff(tx, director, provider_id, person_id=coach, role="coach")
        await groups.open_group(tx, director, with_coach)
    stranger = Principal(new_id(), frozenset({Grant("director", "provider", new_id())}))
    with pytest.raises(NotFoundError):
        async with edge.transaction() as tx:
            await groups.open_group(tx, stranger, new_group)


async def test_a_refused_group_leaves_no_trace(edge: Edge, director: Principal, new_group: NewGroup) -> None:
    before = await published(edge)
    with pytest.raises(GroupInvalidError, match="dates_reversed"):
        async with edge.transaction() as tx:
            await groups.open_group(tx, director, replace(new_group, ends_on=date(2026, 8, 1)))
    assert await published(edge) == before


async def test_a_group_closes_today_or_later_and_only_earlier_again(
    edge: Edge, director: Principal, group_id: UUID
) -> None:
    for on, error in (
        (date(2026, 8, 31), ClosesInPastError),
        (date(2026, 11, 1), None),
        (date(2026, 12, 1), GroupClosedError),
        (date(2026, 10, 1), None),
    ):
        if error is None:
            async with edge.transaction() as tx:
                await groups.close_group(tx, director, group_id, on)
        else:
            with pytest.raises(error):
                async with edge.transaction() as tx:
                    await groups.close_group(tx, director, group_id, on)
    async with edge.transaction() as tx:
        shown = await groups.read_group(tx, group_id)
    assert (shown.group.ends_on, shown.free_from) == (date(2026, 9, 30), None)
    await assert_clean(edge)


async def test_two_hundred_at_once_for_the_last_seat_make_one_seat_and_a_queue(
    edge: Edge, group_id: UUID, deliver: Deliver
) -> None:
    wishes = [wish(group_id) for _ in range(200)]
    few = asyncio.Semaphore(15)  # connections there are
    async with AsyncExitStack() as connections:  # made beforehand, or their making would queue the rivals
        for _ in range(15):
            await connections.enter_async_context(edge.engine.connect())

    async def ask(*chunk: SeatRequested) -> None:
        async with few:
            await deliver(*chunk)

    # Half of them alone, half in chunks, as from two workers.
    await asyncio.gather(
        *(ask(one) for one in wishes[:100]), *(ask(*wishes[n : n + 20]) for n in range(100, 200, 20))
    )
    assert await states(edge, group_id) == {"reserved": 1, "waiting": 199}
    told = Counter(event.type for event in await published(edge) if isinstance(event, events.SeatEvent))
    assert told == {events.SeatReserved.type: 1, events.SeatQueued.type: 199}
    await assert_clean(edge)


@pytest.mark.parametrize("stop", ["locked", "written"])
@pytest.mark.parametrize("rival", ["request", "cancel"])
async def test_who_comes_while_the_last_seat_is_decided_waits_for_the_decision(
    edge: Edge, group_id: UUID, deliver: Deliver, stop: str, rival: str
) -> None:
    """The first transaction is stopped after its lock, or before its commit; the rival runs into it."""
    first, seated = wish(group_id), wish(group_id)
    if rival == "cancel":
        await deliver(seated)
    coming = wish(group_id) if rival == "request" else cancel(seated)
    async with edge.transaction() as tx:
        if stop == "locked":
            await repository.lock_books(tx, [group_id], about=[], since=TODAY)
        else:
            await seats.serve(tx, [(tx, first)])
        running = asyncio.create_task(deliver(coming))
        await asyncio.sleep(0.2)
        assert not running.done()
        if stop == "locked":
            await seats.serve(tx, [(tx, first)])
    await running
    expected = {"reserved": 1, "waiting": 1} if rival == "request" else {"freed": 1, "offered": 1}
    assert await states(edge, group_id) == expected
    await assert_clean(edge)


async def test_who_rolls_back_leaves_the_seat_to_the_next(
    edge: Edge, group_id: UUID, deliver: Deliver
) -> None:
    second = wish(group_id)

    class DiedError(Exception):
        pass

    async def die() -> None:
        async with edge.transaction() as tx:
            await seats.serve(tx, [(tx, wish(group_id))])
            running.append(asyncio.create_task(deliver(second)))
            await asyncio.sleep(0.1)
            raise DiedError

    running: list[asyncio.Task[None]] = []
    with pytest.raises(DiedError):
        await die()
    await running[0]
    (seat,) = [event for event in await published(edge) if isinstance(event, events.SeatEvent)]
    assert isinstance(seat, events.SeatReserved)
    assert seat.enrollment_id == second.enrollment_id


async def test_chunks_that_name_the_same_groups_in_other_orders_never_lock_each_other_out(
    edge: Edge, open_with: OpenWith, deliver: Deliver
) -> None:
    both = [await open_with(20), await open_with(20)]
    for _ in range(10):
        there = [wish(group_id) for group_id in both]
        back = [wish(group_id) for group_id in reversed(both)]
        await asyncio.gather(deliver(*there), deliver(*back))
    for group_id in both:
        assert await states(edge, group_id) == {"reserved": 20}


async def test_an_offer_is_answered_once_whoever_is_faster(
    edge: Edge, database: Database, group_id: UUID, deliver: Deliver
) -> None:
    """Accepting, declining and lapsing at the same moment: one of them holds, and one seat is taken."""
    first, second, third = wish(group_id), wish(group_id), wish(group_id)
    await deliver(first, second, third, cancel(first))
    offer_id = await _offer_of(edge, second.enrollment_id)
    await set_clock(database, NOW + timedelta(hours=47, minutes=59, seconds=58))
    guardian = guardian_of(second.child_id)

    async def answer(use_case: Callable[[Transaction, Principal, UUID], Awaitable[object]]) -> str:
        try:
            async with edge.transaction() as tx:
                await use_case(tx, guardian, offer_id)
        except OfferClosedError as refusal:
            return refusal.stable_code
        return use_case.__name__

    outcomes = await asyncio.gather(answer(seats.accept_offer), answer(seats.decline_offer))
    assert sorted(outcomes) in (["accept_offer", "offer_accepted"], ["decline_offer", "offer_declined"])
    expected = {"freed": 1, "reserved": 1, "waiting": 1}
    if "decline_offer" in outcomes:
        expected = {"freed": 1, "ended": 1, "offered": 1}
    assert await states(edge, group_id) == expected
    await assert_clean(edge)


async def test_a_seat_that_begins_beyond_the_plan_has_its_lessons_planned(
    edge: Edge, director: Principal, new_group: NewGroup, deliver: Deliver
) -> None:
    async with edge.transaction() as tx:
        long = replace(new_group, ends_on=date(2027, 5, 31))
        group_id = await groups.open_group(tx, director, long)
    first, second = wish(group_id), wish(group_id)
    about = {"child_id": first.child_id, "enrollment_id": first.enrollment_id, "group_id": group_id}
    await deliver(first, second, Ended(**about, on=date(2027, 3, 30), code="ended_by_guardian"))
    offer_id = await _offer_of(edge, second.enrollment_id)
    for _ in range(2):
        async with edge.transaction() as tx:
            standing = await seats.accept_offer(tx, guardian_of(second.child_id), offer_id)
            assert standing.place.starts_on == date(2027, 3, 30)
    planned = [event.month for event in await published(edge) if isinstance(event, events.GroupMonthPlanned)]
    # No lesson of March is left then: the first month to be paid is April.
    assert planned == ["2026-09", "2026-10", "2026-11", "2026-12", "2027-03", "2027-04", "2027-05"]


async def test_an_offer_to_another_child_is_missing(edge: Edge, group_id: UUID, deliver: Deliver) -> None:
    first, second = wish(group_id), wish(group_id)
    await deliver(first, second, cancel(first))
    offer_id = await _offer_of(edge, second.enrollment_id)
    for who in (guardian_of(first.child_id), guardian_of(new_id())):
        with pytest.raises(NotFoundError):
            async with edge.transaction() as tx:
                await seats.accept_offer(tx, who, offer_id)
    with pytest.raises(NotFoundError):
        async with edge.transaction() as tx:
            await seats.read_seat(tx, guardian_of(first.child_id), second.enrollment_id)


async def test_an_enrollment_with_a_place_in_one_group_gets_none_in_another(
    edge: Edge, open_with: OpenWith, deliver: Deliver
) -> None:
    here, there = await open_with(1), await open_with(1)
    await deliver(first := wish(here))
    with pytest.raises(repository.SeatOfAnotherGroupError):
        await deliver(first.model_copy(update={"group_id": there}))
    assert await states(edge, there) == {}
    assert await states(edge, here) == {"reserved": 1}


async def _offer_of(edge: Edge, enrollment_id: UUID) -> UUID:
    query = sa.select(tables.seats.c.offer_id).where(tables.seats.c.enrollment_id == enrollment_id)
    async with edge.transaction() as tx:
        offer_id: UUID = (await tx.execute(query)).scalar_one()
        return offer_id


# A chunk of arrivals, or an answer to an offer, or hours that pass. Multiples of five never add up to the 48
# hours of an offer, where milliseconds would decide.
ARRIVAL = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 60), st.integers(0, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 30), st.integers(0, 60)),
)
STEP = st.one_of(
    st.lists(ARRIVAL, min_size=1, max_size=8),
    st.tuples(st.sampled_from(["accept", "decline"]), st.integers(0, 30)),
    st.sampled_from([5, 30, 50]),
)


class Twin:
    """The pure rules, one command at a time, beside the service that takes chunks."""

    def __init__(self, group_id: UUID) -> None:
        self.group_id = group_id
        self.book = Book(2, TODAY, LAST)
        self.now = NOW
        self.wishes: list[SeatRequested] = []

    def apply(self, decide: Callable[[Book, Moment], domain.Decision]) -> None:
        self.book, _ = decide(self.book, Moment(self.now, new_id))

    def arrival(self, kind: str, number: int, other: int) -> SeatRequested | Canceled | Ended:
        """The next arrival, after the twin has taken it."""
        if kind == "ask" or not self.wishes:
            on = TODAY + timedelta(days=number)
            wished = wish(self.group_id, on, other, NOW + timedelta(seconds=len(self.wishes)))
            self.wishes.append(wished)
            request = Request(
                wished.enrollment_id, wished.child_id, 1, on, wished.priority, wished.requested_at
            )
            self.apply(lambda book, moment: domain.request_seat(book, request, moment))
            return wished
        wished = self.wishes[number % len(self.wishes)]
        whose = wished.enrollment_id
        if kind == "cancel":
            self.apply(lambda book, moment: domain.leave(book, whose, moment))
            return cancel(wished)
        day = TODAY + timedelta(days=other)
        self.apply(lambda book, moment: domain.end(book, whose, day, moment))
        return Ended(**cancel(wished).model_dump(), on=day, code="left")

    def offered(self) -> list[Place]:
        return [place for place in self.book.places.values() if place.state == "offered"]

    def lapse(self, order: list[UUID]) -> None:
        """Offers whose time is over go on, in this order, until none is."""
        for whose in order:
            offer = self.book.places[whose].offer
            assert offer is not None
            self.apply(lambda book, moment: domain.lapse(book, whose, offer.id, moment))  # noqa: B023 - used at once


async def _places(edge: Edge, group_id: UUID, about: list[UUID]) -> dict[UUID, Place]:
    async with edge.transaction() as tx:
        books = await repository.lock_books(tx, [group_id], about=about, since=TODAY)
    return dict(books[group_id].places)


def _comparable(place: Place) -> Place:
    """Without what differs between twins: when exactly, and which id."""
    return replace(place, offer=None)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=4, max_size=15))
async def test_chunks_through_postgresql_equal_the_rules_one_by_one(
    edge: Edge, database: Database, open_with: OpenWith, deliver: Deliver, steps: list[object]
) -> None:
    await set_clock(database, NOW)
    twin = Twin(await open_with(2))
    timekeeper = Timekeeper(edge, clubs.events)
    for step in steps:
        if isinstance(step, list):
            await deliver(*[twin.arrival(*one) for one in step])
        elif isinstance(step, int):
            twin.now += timedelta(hours=step)
            await set_clock(database, twin.now)
            open_ = [place.id for place in twin.offered()]
            stored = await _places(edge, twin.group_id, open_)
            offers = [(one.offer.until, one.offer.id, id_) for id_, one in stored.items() if one.offer]
            twin.lapse([whose for _, _, whose in sorted(offers) if whose in open_])
            while await timekeeper.once():
                pass
        elif isinstance(step, tuple) and (open_places := twin.offered()):
            place = open_places[step[1] % len(open_places)]
            assert place.offer is not None
            decide = domain.accept if step[0] == "accept" else domain.decline
            use_case = seats.accept_offer if step[0] == "accept" else seats.decline_offer
            book, _ = decide(twin.book, place.id, place.offer.id, Moment(twin.now, new_id))
            twin.book = book
            offer_id = await _offer_of(edge, place.id)
            async with edge.transaction() as tx:
                await use_case(tx, guardian_of(place.request.child_id), offer_id)
        stored = await _places(edge, twin.group_id, [one.enrollment_id for one in twin.wishes])
        assert {id_: _comparable(one) for id_, one in stored.items()} == {
            id_: _comparable(one) for id_, one in twin.book.places.items()
        }
        async with edge.transaction() as tx:
            shown = await groups.read_group(tx, twin.group_id)
        assert shown.waiting == len(twin.book.queue)
    await assert_clean(edge)
    assert civil_date(twin.now) <= LAST
