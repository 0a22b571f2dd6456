"""Lessons as they are held: who can be marked, and whether a lesson took place.

What all of it comes to for a child and month is in `sheets`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.errors import ConflictError, InvalidError

Source = Literal["coach", "guardian", "device"]
Reporter = Literal["coach", "device"]


class LessonNotBegunError(ConflictError):
    """Nobody was at a lesson that is still to come."""

    code = "lesson_not_begun"


class ChildWithoutSeatError(ConflictError):
    """The child has no seat in the group on the day of the lesson."""

    code = "child_without_seat"


class MonthClosedError(ConflictError):
    """The child's sheet of the month is closed: from now on there are corrections and disputes."""

    code = "month_closed"


class MonthOpenError(ConflictError):
    """The child's sheet of the month is not closed yet: the lesson is simply marked again."""

    code = "month_open"


class ReportInvalidError(InvalidError):
    """A report that contradicts itself. The code says how."""

    code = "report_invalid"


@dataclass(frozen=True, slots=True)
class HeldLesson:
    """A lesson of the plan, whose lesson it is, and what is known of its month."""

    id: UUID
    group_id: UUID
    provider_id: UUID
    month: str
    on: date
    starts_at: datetime
    took_place: bool
    month_closed: bool


@dataclass(frozen=True, slots=True)
class Seated:
    """A child that has a seat on the day of a lesson."""

    child_id: UUID
    enrollment_id: UUID
    closed: bool
    """Whether there is a sheet of the lesson's month."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of one child at one lesson."""

    child_id: UUID
    present: bool


def check_begun(lesson: HeldLesson, now: datetime) -> None:
    """Nothing can be said of a lesson before it begins."""
    if now < lesson.starts_at:
        raise LessonNotBegunError


def check_report(children: Sequence[Said], *, took_place: bool) -> None:
    """A report names each child once, and none if there was no lesson."""
    if children and not took_place:
        raise ReportInvalidError("children_of_no_lesson")
    known: set[UUID] = set()
    for place, said in enumerate(children):
        if said.child_id in known:
            raise ReportInvalidError("child_repeated", place=place)
        known.add(said.child_id)


def check_children(
    children: Sequence[Said], seated: Mapping[UUID, Seated], *, month_closed: bool
) -> list[Seated]:
    """The seats of these children, if each can be marked; `place` of a refusal is theirs in the list."""
    found = []
    for place, said in enumerate(children):
        seat = seated.get(said.child_id)
        if seat is None:
            raise ChildWithoutSeatError(place=place)
        if seat.closed or month_closed:
            raise MonthClosedError(place=place)
        found.append(seat)
    return found


def happened(*, coach_says: bool | None, device_saw_somebody: bool) -> bool:
    """Whether a lesson took place: by the coaches' latest report, or else if a device saw any child."""
    return device_saw_somebody if coach_says is None else coach_says
