"""What enrollment tells: who people are to each other, what it asks for, and what became of an enrollment."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.envelope import Code, Day, Event, Instant, Month, Part, Tiyn

ENROLLMENT_EVENTS = "enrollment.events"


class EnrollmentEvent(Event):
    """Anything about a child's enrollment: one key, so that a cancel never overtakes its request."""

    topic: ClassVar[str] = ENROLLMENT_EVENTS
    child_id: UUID

    @property
    def key(self) -> str:
        return str(self.child_id)


class SeatRequested(EnrollmentEvent):
    """A seat in this group from this day, please. Answered by clubs: reserved, queued or refused.

    The subject names the group, so that a refusal can be told even if the body is unreadable.
    """

    type: ClassVar[str] = "enrollment.seat_requested.v1"
    enrollment_id: UUID
    group_id: UUID
    attempt: int = Field(ge=1)
    starts_on: Day
    priority: int = Field(ge=0, description="By social category; a larger one is served first")
    requested_at: Instant

    @property
    def subject(self) -> str:
        return f"{self.enrollment_id}/{self.group_id}/{self.attempt}"


class PlannedLesson(Part):
    """One dated lesson of a group's plan."""

    lesson_id: UUID
    on: Day


class FundingRequested(EnrollmentEvent):
    """Money for one month of an enrollment, please. Self-contained; answered by wallet: held or declined.

    `lessons` are all the lessons the group has planned in the month; those from `covers_from` on, and before
    `covers_until` if it is known, can be charged to this enrollment.
    """

    type: ClassVar[str] = "enrollment.funding_requested.v1"
    enrollment_id: UUID
    month: Month
    attempt: int = Field(ge=1)
    covers_from: Day
    covers_until: Day | None = Field(default=None, description="First day not covered")
    provider_id: UUID
    group_id: UUID
    direction: Code
    price_tiyn: Tiyn
    lessons: tuple[PlannedLesson, ...] = Field(min_length=1, max_length=100)

    @property
    def subject(self) -> str:
        return f"{self.enrollment_id}/{self.month}/{self.attempt}"


class Confirmed(EnrollmentEvent):
    """The child has the seat, and its first month is funded."""

    type: ClassVar[str] = "enrollment.confirmed.v1"
    enrollment_id: UUID
    group_id: UUID
    provider_id: UUID
    starts_on: Day
    month: Month


class Rejected(EnrollmentEvent):
    """It came to nothing. Clubs frees seat, queue place or offer; wallet releases."""

    type: ClassVar[str] = "enrollment.rejected.v1"
    about_money: ClassVar[bool] = True
    enrollment_id: UUID
    group_id: UUID
    code: Code
    missing_tiyn: Tiyn | None = None


class Canceled(EnrollmentEvent):
    """The parent took it back before it was confirmed. Clubs and wallet free what they keep for it."""

    type: ClassVar[str] = "enrollment.canceled.v1"
    about_money: ClassVar[bool] = True
    enrollment_id: UUID
    group_id: UUID


class Ended(EnrollmentEvent):
    """A confirmed enrollment ends on a day, today or later: that day is the first without the child."""

    type: ClassVar[str] = "enrollment.ended.v1"
    about_money: ClassVar[bool] = True
    enrollment_id: UUID
    group_id: UUID
    on: Day
    code: Code


class MonthUnfunded(EnrollmentEvent):
    """There was no money for a later month. Asked again when money comes, and once before the grace ends."""

    type: ClassVar[str] = "enrollment.month_unfunded.v1"
    enrollment_id: UUID
    group_id: UUID
    month: Month
    code: Code
    missing_tiyn: Tiyn
    grace_ends_on: Day


class ChildDescribed(EnrollmentEvent):
    """A child by its opaque id, with the people whose guardianship is verified. Full state."""

    type: ClassVar[str] = "enrollment.child_described.v1"
    full_state: ClassVar[bool] = True
    version: int = Field(ge=1)
    guardians: tuple[UUID, ...]


class EntitlementDescribed(EnrollmentEvent):
    """What a program may pay for this child: an opaque verdict, no category and no diagnosis. Full state."""

    type: ClassVar[str] = "enrollment.entitlement_described.v1"
    full_state: ClassVar[bool] = True
    entitlement_id: UUID
    program_id: UUID
    version: int = Field(ge=1)
    starts_on: Day
    until: Day = Field(description="Last day")
    coefficient_percent: int = Field(ge=1, le=1000, description="100 is the plain rate")


class GrantDescribed(Event):
    """A person's role over something. Staff of providers are told by clubs, guardians with their child."""

    type: ClassVar[str] = "enrollment.grant_described.v1"
    topic: ClassVar[str] = ENROLLMENT_EVENTS
    full_state: ClassVar[bool] = True
    grant_id: UUID
    version: int = Field(ge=1)
    person_id: UUID
    role: Literal["administrator", "auditor"]
    scope_kind: Literal["region", "program"]
    scope_id: UUID
    ended: bool = False

    @property
    def key(self) -> str:
        return str(self.grant_id)
