"""Reserve, queue, offer, free: every change of seats, for one group or for the groups of a whole chunk."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from clubs.domain.places import Book, Request, Turn
from clubs.domain.seats import (
    Decision,
    Moment,
    News,
    Offered,
    Queued,
    Refused,
    Reserved,
    Withdrawn,
    accept,
    decline,
    end,
    lapse,
    leave,
    request_seat,
)
from clubs.repository import groups as groups_repository
from clubs.repository import seats as repository
from clubs.repository.groups import group_of
from clubs.repository.seats import Standing
from clubs.usecases import sheets
from clubs.usecases.planning import plan_from
from shared import deadlines, outbox
from shared.clock import civil_date
from shared.database import Transaction, new_id
from shared.deadlines import Deadline
from shared.errors import NotFoundError
from shared.events import clubs as events
from shared.events.enrollment import Canceled, Ended, Rejected, SeatRequested
from shared.security import Principal

OFFER_LAPSES = "offer_lapses"

Decide = Callable[[Book, Moment], Decision]
Answer = Callable[[Book, UUID, UUID, Moment], Decision]
Value = TypeVar("Value")
Arrival = SeatRequested | Canceled | Rejected | Ended


async def serve(tx: Transaction, arrivals: Sequence[tuple[Transaction, Arrival]]) -> None:
    """Do what enrollment says, in its order, with all groups locked up front.

    Each arrival comes with its own view of the transaction, so that its news name it as their cause.
    """
    today = civil_date(tx.now)
    wished = [event.starts_on for _, event in arrivals if isinstance(event, SeatRequested)]
    before = await repository.lock_books(
        tx,
        {event.group_id for _, event in arrivals},
        about={event.enrollment_id for _, event in arrivals},
        since=min([today, *wished]),
    )
    after = dict(before)
    for caused, event in arrivals:
        book = after.get(event.group_id)
        if book is not None:
            after[event.group_id], news = _decision(event)(book, Moment(tx.now, new_id))
            _tell(caused, event.group_id, news)
        elif isinstance(event, SeatRequested):
            outbox.publish(caused, _unknown_group(event))
    await _save(tx, before, after)


def _decision(event: Arrival) -> Decide:
    match event:
        case SeatRequested():
            request = Request(
                enrollment_id=event.enrollment_id,
                child_id=event.child_id,
                attempt=event.attempt,
                wished_on=event.starts_on,
                priority=event.priority,
                requested_at=event.requested_at,
            )
            return lambda book, moment: request_seat(book, request, moment)
        case Ended():
            return lambda book, moment: end(book, event.enrollment_id, event.on, moment)
        case Canceled() | Rejected():
            return lambda book, moment: leave(book, event.enrollment_id, moment)


async def change(tx: Transaction, group_id: UUID, enrollment_id: UUID | None, decide: Decide) -> Book:
    """Lock one group, decide on its seats (those of this enrollment among them), write and tell."""
    about = [] if enrollment_id is None else [enrollment_id]
    before = await repository.lock_books(tx, [group_id], about=about, since=civil_date(tx.now))
    book, news = decide(before[group_id], Moment(tx.now, new_id))
    _tell(tx, group_id, news)
    await _save(tx, before, {group_id: book})
    return book


async def _save(tx: Transaction, before: Mapping[UUID, Book], after: Mapping[UUID, Book]) -> None:
    changed = await repository.save_books(tx, before, after)
    for place in changed:
        tx.touch(place.id)
    await sheets.expect_settling(tx, changed)
    # Who answers an offer leaves its deadline behind: it finds nothing to do, and costs a row for two days.
    await deadlines.set_all(
        tx,
        [
            Deadline(OFFER_LAPSES, place.offer.id, place.offer.until)
            for place in changed
            if place.state == "offered" and place.offer is not None
        ],
    )


def _tell(tx: Transaction, group_id: UUID, news: Sequence[News]) -> None:
    for item in news:
        outbox.publish(tx, _event(group_id, item))


def _event(group_id: UUID, news: News) -> events.SeatEvent:
    place = news.place
    request = place.request
    whose = {"child_id": request.child_id, "enrollment_id": request.enrollment_id, "group_id": group_id}
    match news:
        case Reserved():
            return events.SeatReserved(**whose, attempt=request.attempt, starts_on=_known(place.starts_on))
        case Queued():
            return events.SeatQueued(**whose, attempt=request.attempt, place=news.number)
        case Offered():
            offer = _known(place.offer)
            return events.SeatOffered(
                **whose,
                attempt=request.attempt,
                offer_id=offer.id,
                starts_on=_known(place.starts_on),
                until=offer.until,
            )
        case Refused():
            return events.SeatRefused(**whose, attempt=request.attempt, code=_known(place.code))
        case Withdrawn():
            return events.SeatWithdrawn(**whose, on=news.on, code=_known(place.code))


def _known(value: Value | None) -> Value:
    """What the place's state promises to be there (and the table's checks)."""
    if value is None:
        raise ValueError("a place without what its state promises")
    return value


def _unknown_group(event: SeatRequested) -> events.SeatRefused:
    """Clubs owns the groups: one that is not here does not exist."""
    return events.SeatRefused(
        child_id=event.child_id,
        enrollment_id=event.enrollment_id,
        group_id=event.group_id,
        attempt=event.attempt,
        code="group_not_found",
    )


def refuse_unreadable(
    tx: Transaction, *, child_id: UUID, enrollment_id: UUID, group_id: UUID, attempt: int
) -> None:
    """Answer a request that nobody could read, so that enrollment does not wait for ever."""
    outbox.publish(
        tx,
        events.SeatRefused(
            child_id=child_id,
            enrollment_id=enrollment_id,
            group_id=group_id,
            attempt=attempt,
            code="request_unreadable",
        ),
    )


async def accept_offer(tx: Transaction, principal: Principal, offer_id: UUID) -> Standing:
    """The guardian takes the offered seat.

    Somebody may leave on a day far ahead: then the seat begins in a month that is not planned yet, and
    enrollment could ask nobody for its money until it is.
    """
    standing = await _answer_offer(tx, principal, offer_id, accept)
    row = await groups_repository.find_group(tx, standing.group_id)
    if row is not None:
        await plan_from(tx, group_of(row), _known(standing.place.starts_on))
    return standing


async def decline_offer(tx: Transaction, principal: Principal, offer_id: UUID) -> Standing:
    """The guardian does not want the offered seat: the next child is asked."""
    return await _answer_offer(tx, principal, offer_id, decline)


async def _answer_offer(tx: Transaction, principal: Principal, offer_id: UUID, answer: Answer) -> Standing:
    principal.require("guardian")
    found = await repository.find_offer(tx, offer_id, children=principal.scopes("guardian"))
    if found is None:
        raise NotFoundError
    group_id, enrollment_id = found
    await change(
        tx, group_id, enrollment_id, lambda book, moment: answer(book, enrollment_id, offer_id, moment)
    )
    return await read_seat(tx, principal, enrollment_id)


async def let_offer_lapse(tx: Transaction, offer_id: UUID) -> None:
    """The time to answer is over: the next child is asked, unless somebody did answer."""
    found = await repository.find_offer(tx, offer_id)
    if found is None:
        return
    group_id, enrollment_id = found
    await change(
        tx, group_id, enrollment_id, lambda book, moment: lapse(book, enrollment_id, offer_id, moment)
    )


async def read_seat(tx: Transaction, principal: Principal, enrollment_id: UUID) -> Standing:
    """What an enrollment has: seat, offer or place in the queue."""
    principal.require("guardian", "director", "administrator")
    standing = await repository.find_standing(tx, enrollment_id, principal)
    if standing is None:
        raise NotFoundError
    return standing


async def read_roster(
    tx: Transaction, principal: Principal, group_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Standing]:
    """Who has a seat in the group, for those who run or watch it."""
    await _check_insight(tx, principal, group_id)
    return await repository.read_roster(tx, group_id, today=civil_date(tx.now), after=after, limit=limit)


async def read_queue(
    tx: Transaction, principal: Principal, group_id: UUID, *, after: Turn | None, limit: int
) -> Sequence[Standing]:
    """Who waits for a seat in the group, for those who run or watch it."""
    await _check_insight(tx, principal, group_id)
    return await repository.read_queue(tx, group_id, after=after, limit=limit)


async def _check_insight(tx: Transaction, principal: Principal, group_id: UUID) -> None:
    principal.require("director", "coach", "administrator", "auditor")
    everywhere = principal.has("administrator", "auditor")
    own = None if everywhere else principal.scopes("director", "coach")
    if await groups_repository.find_group(tx, group_id, providers=own) is None:
        raise NotFoundError
