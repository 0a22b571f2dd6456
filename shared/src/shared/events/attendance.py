"""What clubs tells of what happened: lessons held, who says who was there, sheets, statements, disputes."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.clubs import CLUBS_EVENTS
from shared.events.envelope import Day, Event, Instant, Month, Part

STATEMENT_LINES_MAX = 500
"""Of one `clubs.statement_signed`; a longer statement is told in several."""

Source = Literal["coach", "guardian", "device"]
"""Who says that a child was at a lesson, or was not: by the grant of the person, never by their word."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, as hexadecimal digits")]


class Statement(Part):
    """What one source says about one child at one lesson: the latest word of this person."""

    source: Source
    person_id: UUID = Field(description="Opaque; two sources of one person count as one")
    present: bool
    at: Instant


class ChildMarked(Part):
    """What the lesson's latest report says about one child."""

    child_id: UUID
    enrollment_id: UUID
    present: bool


class LessonMarked(Event):
    """Somebody reported a lesson: it took place or not, and who was there. Told again with each report."""

    type: ClassVar[str] = "clubs.lesson_marked.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    lesson_id: UUID
    group_id: UUID
    on: Day
    source: Source
    took_place: bool
    children: tuple[ChildMarked, ...] = Field(max_length=1000)

    @property
    def key(self) -> str:
        return str(self.group_id)

    @property
    def subject(self) -> str:
        return str(self.lesson_id)


class LessonFacts(Part):
    """All that is known about one child at one planned lesson. Whether it counts is not said here."""

    lesson_id: UUID
    on: Day
    took_place: bool
    statements: tuple[Statement, ...] = Field(max_length=20)
    excused: bool = Field(description="An absence that the provider accepted covers the day")
    disputed: bool = Field(description="A guardian says that this is not them, and nobody has decided yet")
    decided: Literal["count", "do_not_count"] | None = Field(description="How a dispute about it was decided")


class AttendanceClosed(Event):
    """The sheet of one enrollment and month: absolute facts, never a difference.

    A higher revision replaces a lower one. Revision 1 comes when the windows are over; from then on each
    dispute opened, taken back or decided, and each correction, makes the next. `digest` is of the content
    without revision and digest itself.
    """

    type: ClassVar[str] = "clubs.attendance_closed.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    about_money: ClassVar[bool] = True
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID
    provider_id: UUID
    month: Month
    revision: int = Field(ge=1)
    digest: Digest
    guardians_until: Instant = Field(description="When the guardians' window to speak ended")
    guardian_is_staff: bool = Field(description="A guardian of the child works for the provider")
    lessons: tuple[LessonFacts, ...] = Field(max_length=100)

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return f"{self.enrollment_id}/{self.month}/{self.revision}"


class SignedLine(Part):
    """One sheet as it was signed."""

    enrollment_id: UUID
    revision: int = Field(ge=1)
    digest: Digest


class StatementSigned(Event):
    """The provider's director signed sheets of a month; number 1 is the statement, later ones supplements."""

    type: ClassVar[str] = "clubs.statement_signed.v1"
    topic: ClassVar[str] = CLUBS_EVENTS
    about_money: ClassVar[bool] = True
    statement_id: UUID
    provider_id: UUID
    month: Month
    number: int = Field(ge=1)
    part: int = Field(ge=1, description="Of a statement that is told in several events")
    signed_by: UUID
    signed_at: Instant
    lines: tuple[SignedLine, ...] = Field(min_length=1, max_length=STATEMENT_LINES_MAX)

    @property
    def key(self) -> str:
        return str(self.provider_id)

    @property
    def subject(self) -> str:
        return f"{self.statement_id}/{self.part}"


class DisputeEvent(Event):
    """Anything about a guardian's "this is not us", in the order of the child."""

    topic: ClassVar[str] = CLUBS_EVENTS
    dispute_id: UUID
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID
    provider_id: UUID
    lesson_id: UUID
    on: Day

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return str(self.dispute_id)


class DisputeOpened(DisputeEvent):
    """A guardian says that the child was not at this lesson as it is claimed."""

    type: ClassVar[str] = "clubs.dispute_opened.v1"


class DisputeDecided(DisputeEvent):
    """The dispute is over: taken back, or decided by an administrator who is no party to it."""

    type: ClassVar[str] = "clubs.dispute_decided.v1"
    outcome: Literal["withdrawn", "count", "do_not_count"]
