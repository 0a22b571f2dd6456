"""What clubs tells of a month's lessons, as the ledger needs it. Whether a lesson counts is not said here."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple
from uuid import UUID

Source = Literal["coach", "guardian", "device"]


class Said(NamedTuple):
    """The latest word of one person, in one of their roles, about a child at a lesson."""

    source: Source
    person_id: UUID
    present: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class LessonFacts:
    """All that is known about one lesson."""

    on: date
    """The civil day."""
    took_place: bool
    statements: tuple[Said, ...]
    excused: bool = False
    disputed: bool = False
    decided: Literal["count", "do_not_count"] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The sheet of one enrollment and month."""

    lessons: tuple[tuple[UUID, LessonFacts], ...]
    guardians_until: datetime
    guardian_is_staff: bool
