"""Whose turn it is: who gets a seat, who waits, and to whom it is offered once it is free.

Everything is decided on a `Book`, one group's seats as read under the group's lock. A decision returns the
book afterwards and the news to tell. Two facts carry the rules:

- A seat lasts until the group's end, so what a newcomer needs is free on each day *from some day on*: one
  day, `Book.free_from`, says all there is to know about free seats.
- After each decision, what is free has been offered. Hence whoever waits, waits because nothing is free, and
  a newcomer who finds a seat overtakes nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from clubs.domain.places import Book, Offer, Place, Request
from shared.clock import civil_date, civil_moment
from shared.errors import ConflictError

OFFER_STANDS = timedelta(hours=48)
"""The two days that parents know from the queues for kindergartens; longer, and the seat stands empty."""


class OfferClosedError(ConflictError):
    """The offer is no longer open. The code says what became of it."""

    code = "offer_lapsed"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is made, and where ids of new offers come from."""

    now: datetime
    new_id: Callable[[], UUID]

    @property
    def today(self) -> date:
        """The civil day."""
        return civil_date(self.now)


@dataclass(frozen=True, slots=True)
class Reserved:
    """The child has a seat."""

    place: Place


@dataclass(frozen=True, slots=True)
class Queued:
    """The child waits; `number` 1 is next."""

    place: Place
    number: int


@dataclass(frozen=True, slots=True)
class Offered:
    """A seat is kept for the child until the offer lapses."""

    place: Place


@dataclass(frozen=True, slots=True)
class Refused:
    """No seat and no turn, or no longer; the place's code says why."""

    place: Place


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The seat ends although the child did not leave it."""

    place: Place
    on: date


News = Reserved | Queued | Offered | Refused | Withdrawn


Decision = tuple[Book, tuple[News, ...]]


def request_seat(book: Book, request: Request, moment: Moment) -> Decision:
    """Give the seat if it is free from the wished day on; otherwise a turn in the queue.

    The same request again, or an older one, changes nothing: the answer that holds now is given again. A
    later attempt is judged afresh once the earlier one is over.
    """
    known = book.places.get(request.enrollment_id)
    if known is not None and (known.state in ("waiting", "offered", "reserved") or _repeated(known, request)):
        return book, _answer_again(book, known)
    version = known.version + 1 if known else 1
    code = _refusal(book, request, moment.today)
    if code is not None:
        place = Place(request, "ended", version, code=code)
        return book.with_places([place]), (Refused(place),)
    free_from = book.free_from()
    if not book.queue and free_from is not None and free_from <= request.wished_on:
        place = Place(request, "reserved", version, request.wished_on, book.end)
        return book.with_places([place]), (Reserved(place),)
    place = Place(request, "waiting", version)
    book = book.with_places([place])
    # The seat may be free from a later day on: then it is offered at once.
    return _offer_next(book, moment, (Queued(place, book.number(place)),))


def _repeated(known: Place, request: Request) -> bool:
    return request.attempt <= known.request.attempt


def _answer_again(book: Book, place: Place) -> tuple[News, ...]:
    match place.state:
        case "reserved":
            return (Reserved(place),)
        case "waiting":
            return (Queued(place, book.number(place)),)
        case "offered":
            return (Offered(place),)
        case "ended":
            return (Refused(place),)
        case "freed":
            return ()  # it was answered, and enrollment knows that it is over


def _refusal(book: Book, request: Request, today: date) -> str | None:
    if book.closed or today > book.last_day:
        return "group_closed"
    if not book.first_day <= request.wished_on <= book.last_day:
        return "starts_outside_group"
    return None


def leave(book: Book, enrollment_id: UUID, moment: Moment) -> Decision:
    """The enrollment came to nothing: its seat, offer or turn is free, as if it had never been."""
    place = book.places.get(enrollment_id)
    if place is None or place.state == "ended":
        return book, ()
    if place.state in ("waiting", "offered"):
        return _offer_next(book.with_places([place.becomes("ended", code="queue_left")]), moment)
    if place.days is None:
        return book, ()
    since = place.days[0]
    return _offer_next(book.with_places([place.becomes("freed", days=(since, since))]), moment)


def end(book: Book, enrollment_id: UUID, on: date, moment: Moment) -> Decision:
    """The child's last day is the one before `on`. A second end may only be earlier."""
    place = book.places.get(enrollment_id)
    if place is not None and place.state in ("waiting", "offered"):
        return leave(book, enrollment_id, moment)  # it was never confirmed here: nothing of it may stay
    if place is None or place.days is None:
        return book, ()
    since, before = place.days
    if on >= before:
        return book, ()
    return _offer_next(book.with_places([place.becomes("freed", days=(since, max(since, on)))]), moment)


def accept(book: Book, enrollment_id: UUID, offer_id: UUID, moment: Moment) -> Decision:
    """The offered seat is the child's, from today at the earliest. Accepting twice changes nothing."""
    place = book.places[enrollment_id]
    if place.state == "reserved" and place.offer is not None and place.offer.id == offer_id:
        return book, ()
    since, before = _open_offer(place, offer_id, moment)
    days = max(since, moment.today), before
    place = place.becomes("reserved", days=days)
    return book.with_places([place]), (Reserved(place),)


def decline(book: Book, enrollment_id: UUID, offer_id: UUID, moment: Moment) -> Decision:
    """The child does not want it; the next one is asked. Declining twice changes nothing."""
    place = book.places[enrollment_id]
    if place.code == "offer_declined" and place.offer is not None and place.offer.id == offer_id:
        return book, ()
    _open_offer(place, offer_id, moment)
    return _refuse_offered(book, place, "offer_declined", moment)


def lapse(book: Book, enrollment_id: UUID, offer_id: UUID, moment: Moment) -> Decision:
    """The time to accept is over; the next one is asked. Obsolete if the offer was answered meanwhile."""
    place = book.places[enrollment_id]
    open_ = place.state == "offered" and place.offer is not None and place.offer.id == offer_id
    if not open_ or place.offer is None or moment.now < place.offer.until:
        return book, ()
    return _refuse_offered(book, place, "offer_lapsed", moment)


def _open_offer(place: Place, offer_id: UUID, moment: Moment) -> tuple[date, date]:
    """The days of an offer that can still be answered."""
    offer = place.offer
    if place.state in ("reserved", "freed"):
        raise OfferClosedError("offer_accepted")
    if place.days is None or place.state != "offered" or offer is None or offer.id != offer_id:
        raise OfferClosedError(place.code)
    if moment.now >= offer.until:
        raise OfferClosedError
    return place.days


def _refuse_offered(book: Book, place: Place, code: str, moment: Moment) -> Decision:
    place = place.becomes("ended", code=code)
    return _offer_next(book.with_places([place]), moment, (Refused(place),))


def _offer_next(book: Book, moment: Moment, news: tuple[News, ...] = ()) -> Decision:
    """Offer what is free to those who wait, in their order, until nothing is free or nobody waits."""
    while book.queue and (free_from := book.free_from(moment.today)) is not None:
        place = book.places[book.queue[0][2]]
        since = max(free_from, place.request.wished_on)
        until = min(moment.now + OFFER_STANDS, civil_moment(book.end))
        place = place.becomes("offered", days=(since, book.end), offer=Offer(moment.new_id(), until))
        book = book.with_places([place])
        news = (*news, Offered(place))
    return book, news


def close(book: Book, on: date) -> Decision:
    """The group takes nobody any more and ends before `on`: seats end that day, offers and turns at once."""
    last_day = min(book.last_day, on - timedelta(days=1))
    changed: list[Place] = []
    news: list[News] = []
    for place in sorted(book.places.values(), key=lambda place: place.turn):
        if place.state in ("waiting", "offered"):
            refused = place.becomes("ended", code="group_closed")
            changed.append(refused)
            news.append(Refused(refused))
        elif place.days is not None and place.days[1] > on:
            since = place.days[0]
            withdrawn = place.becomes("freed", days=(since, max(since, on)), code="group_closed")
            changed.append(withdrawn)
            news.append(Withdrawn(withdrawn, on))
    book = replace(book.with_places(changed), last_day=last_day, closed=True)
    return book, tuple(news)


def finish(book: Book) -> Decision:
    """The group had its last day: whoever waits, or thinks about an offer, waits for nothing."""
    closed, news = close(book, book.end)
    return replace(closed, closed=book.closed), news
