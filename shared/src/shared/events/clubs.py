"""What clubs tells of what is offered: providers, staff, groups, lessons, and what becomes of a seat."""

from datetime import time
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.envelope import Code, Day, Event, Instant, Month, Part, Tiyn

CLUBS_EVENTS = "clubs.events"


class SeatEvent(Event):
    """Anything about a child's seat, in the order of the child."""

    topic: ClassVar[str] = CLUBS_EVENTS
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return str(self.enrollment_id)


class SeatReserved(SeatEvent):
    """The seat is the child's from this day on, until enrollment says otherwise."""

    type: ClassVar[str] = "clubs.seat_reserved.v1"
    attempt: int = Field(ge=1)
    starts_on: Day


class SeatQueued(SeatEvent):
    """No seat now; the child waits at this place (1 is next)."""

    type: ClassVar[str] = "clubs.seat_queued.v1"
    attempt: int = Field(ge=1)
    place: int = Field(ge=1)


class SeatOffered(SeatEvent):
    """A seat became free and is this child's, if a guardian accepts in time."""

    type: ClassVar[str] = "clubs.seat_offered.v1"
    attempt: int = Field(ge=1)
    offer_id: UUID
    starts_on: Day
    until: Instant


class SeatRefused(SeatEvent):
    """No seat and no place in the queue, or no longer."""

    type: ClassVar[str] = "clubs.seat_refused.v1"
    attempt: int = Field(ge=1)
    code: Code


class SeatWithdrawn(SeatEvent):
    """The seat ends on a day although the child did not leave: group closed, capacity cut and the like."""

    type: ClassVar[str] = "clubs.seat_withdrawn.v1"
    on: Day
    code: Code


class Names(Part):
    """A public name in every language of the system."""

    kk: str = Field(min_length=1, max_length=200)
    ru: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class ProviderDescribed(Event):
    """A provider of clubs. Full state."""

    type: ClassVar[str] = "clubs.provider_described.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    full_state: ClassVar[bool] = True
    provider_id: UUID
    version: int = Field(ge=1)
    name: Names
    suspended: bool = False

    @property
    def key(self) -> str:
        return str(self.provider_id)


class StaffDescribed(Event):
    """A person's role at a provider. Full state."""

    type: ClassVar[str] = "clubs.staff_described.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    full_state: ClassVar[bool] = True
    grant_id: UUID
    version: int = Field(ge=1)
    person_id: UUID
    provider_id: UUID
    role: Literal["director", "coach"]
    ended: bool = False

    @property
    def key(self) -> str:
        return str(self.provider_id)


class WeeklyLesson(Part):
    """A group meets at this civil time on this day of each week (1 is Monday)."""

    weekday: int = Field(ge=1, le=7)
    starts_at: time
    ends_at: time


class GroupDescribed(Event):
    """A group of a club: what it offers, when, for whom, at what price. Full state."""

    type: ClassVar[str] = "clubs.group_described.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    full_state: ClassVar[bool] = True
    group_id: UUID
    version: int = Field(ge=1)
    club_id: UUID
    provider_id: UUID
    name: Names
    direction: Code
    price_tiyn: Tiyn = Field(description="For a whole month")
    capacity: int = Field(ge=1)
    age_from: int = Field(ge=0, le=18)
    age_to: int = Field(ge=0, le=18, description="Last year of age, inclusive")
    schedule: tuple[WeeklyLesson, ...]
    coaches: tuple[UUID, ...]
    starts_on: Day
    ends_on: Day = Field(description="Last day")
    closed: bool = False

    @property
    def key(self) -> str:
        return str(self.group_id)


class DatedLesson(Part):
    """One lesson of a group."""

    lesson_id: UUID
    on: Day
    starts_at: Instant
    ends_at: Instant


class GroupMonthPlanned(Event):
    """The lessons a group planned in a civil month: what its price is divided by. Full state.

    Those after the group's last day (`group_described`) are not held; once none is left, it is empty.
    """

    type: ClassVar[str] = "clubs.group_month_planned.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    full_state: ClassVar[bool] = True
    group_id: UUID
    month: Month
    version: int = Field(ge=1)
    lessons: tuple[DatedLesson, ...] = Field(max_length=100)

    @property
    def key(self) -> str:
        return str(self.group_id)

    @property
    def subject(self) -> str:
        return f"{self.group_id}/{self.month}"
