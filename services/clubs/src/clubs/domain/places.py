"""What is known of a group's seats: places as intervals of days, and the book of them all.

How the book changes is decided in `seats`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal, Self
from uuid import UUID

State = Literal["waiting", "offered", "reserved", "freed", "ended"]
Turn = tuple[int, datetime, UUID]


@dataclass(frozen=True, slots=True)
class Request:
    """An enrollment's wish for a seat from a day on. (enrollment, attempt) identifies it."""

    enrollment_id: UUID
    child_id: UUID
    attempt: int
    wished_on: date
    priority: int
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """A seat kept for one child until a moment."""

    id: UUID
    until: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """What an enrollment has in a group, or had.

    A seat for the days [starts_on, ends_before), an offer of one, or a turn in the queue.
    """

    request: Request
    state: State
    version: int = 1
    starts_on: date | None = None
    ends_before: date | None = None
    offer: Offer | None = None
    code: str | None = None

    @property
    def id(self) -> UUID:
        """The enrollment's id: an enrollment has at most one place."""
        return self.request.enrollment_id

    @property
    def turn(self) -> Turn:
        """The published order of the queue; the smallest is next."""
        return (-self.request.priority, self.request.requested_at, self.request.enrollment_id)

    @property
    def days(self) -> tuple[date, date] | None:
        """The days [from, to) on which it takes a seat away from others."""
        if self.starts_on is None or self.ends_before is None or self.starts_on >= self.ends_before:
            return None
        return self.starts_on, self.ends_before

    def becomes(
        self,
        state: State,
        *,
        days: tuple[date, date] | None = None,
        offer: Offer | None = None,
        code: str | None = None,
    ) -> Self:
        """The next version of this place. An offer stays known, however it was answered."""
        starts_on, ends_before = days or (None, None)
        return replace(
            self,
            state=state,
            version=self.version + 1,
            starts_on=starts_on,
            ends_before=ends_before,
            offer=offer or self.offer,
            code=code,
        )


@dataclass(frozen=True, slots=True)
class Book:
    """A group's seats, under its lock. `places` need not hold seats that are free again."""

    capacity: int
    first_day: date
    last_day: date
    closed: bool = False
    places: Mapping[UUID, Place] = field(default_factory=dict)
    queue: tuple[Turn, ...] = ()
    taken: frozenset[UUID] = frozenset()

    def with_places(self, places: Iterable[Place]) -> Self:
        """This book with these places as they are now."""
        known, queue, taken = dict(self.places), list(self.queue), set(self.taken)
        for place in places:
            before = known.get(place.id)
            if before is not None and before.state == "waiting":
                del queue[bisect_left(queue, before.turn)]
            if place.state == "waiting":
                insort(queue, place.turn)
            taken.discard(place.id)
            if place.days is not None:
                taken.add(place.id)
            known[place.id] = place
        return replace(self, places=known, queue=tuple(queue), taken=frozenset(taken))

    @property
    def end(self) -> date:
        """The first day after the group."""
        return self.last_day + timedelta(days=1)

    def free_from(self, since: date = date.min) -> date | None:
        """The first day, of those since then, from which a seat is free on every day to the end; if any."""
        intervals = (self.places[id_].days for id_ in self.taken)
        edges = [edge for days in intervals if days for edge in ((days[0], 1), (days[1], -1))]
        seated, free_from = 0, max(self.first_day, since)
        for day, change in sorted(edges):  # on the same day, who leaves comes before who arrives
            if seated >= self.capacity > seated + change:
                free_from = max(free_from, day)
            seated += change
        return free_from if free_from <= self.last_day and not self.closed else None

    def number(self, place: Place) -> int:
        """The place in the queue: 1 is next."""
        return bisect_left(self.queue, place.turn) + 1
