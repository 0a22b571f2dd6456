"""The sheet of one enrollment and month: what is a fact, until when one may speak, and the digest of it all.

A sheet states what was said, by whom and when. Whether a lesson counts, and what it costs, wallet says.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson

from clubs.domain.lessons import Source
from clubs.domain.places import Place
from shared.clock import civil_moment, first_day, month_of, next_month

WINDOW_DAYS = 4
"""Full days that people have to speak after the last day: a month's windows are over when the 5th begins."""
STATEMENTS_MAX = 20
"""About one child at one lesson; of more, the latest. Nobody honest has more than a handful."""

Outcome = Literal["count", "do_not_count"]
DisputeState = Literal["open", "withdrawn", "decided"]


@dataclass(frozen=True, slots=True)
class Mark:
    """The latest word of one person from one source about one child at one lesson."""

    source: Source
    person_id: UUID
    present: bool
    at: datetime
    corrects: bool = False
    """Made after closing, by two persons: it replaces whatever coaches said before."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson of the plan, and whether it took place by what was reported of the group."""

    id: UUID
    on: date
    starts_at: datetime
    took_place: bool


@dataclass(frozen=True, slots=True)
class Seat:
    """Whose sheet it is: a seat for the days [starts_on, ends_before)."""

    enrollment_id: UUID
    child_id: UUID
    starts_on: date
    ends_before: date


@dataclass(frozen=True, slots=True)
class Standing:
    """The dispute about a child at a lesson that is open, or decided."""

    dispute_id: UUID
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Records:
    """What was recorded about a group's month: lessons in order, the rest by enrollment or child."""

    group_id: UUID
    provider_id: UUID
    month: str
    lessons: Sequence[Lesson]
    marks: Mapping[tuple[UUID, UUID], Sequence[Mark]] = field(default_factory=dict)
    """By enrollment and lesson, in the order in which they were made."""
    disputes: Mapping[tuple[UUID, UUID], Standing] = field(default_factory=dict)
    """By enrollment and lesson; those taken back are left out."""
    absences: Mapping[UUID, Sequence[tuple[date, date]]] = field(default_factory=dict)
    """By child: first and last days that the provider accepted."""
    children_of_staff: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about one child at one lesson."""

    lesson: Lesson
    took_place: bool
    marks: tuple[Mark, ...]
    excused: bool
    dispute: Standing | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The facts of an enrollment's month, absolute: never a difference from an earlier one."""

    seat: Seat
    group_id: UUID
    provider_id: UUID
    month: str
    guardians_until: datetime
    guardian_is_staff: bool
    facts: tuple[Facts, ...]

    def content(self) -> dict[str, Any]:
        """What is told and signed, without revision and digest."""
        return {
            "child_id": self.seat.child_id,
            "enrollment_id": self.seat.enrollment_id,
            "group_id": self.group_id,
            "provider_id": self.provider_id,
            "month": self.month,
            "guardians_until": self.guardians_until,
            "guardian_is_staff": self.guardian_is_staff,
            "lessons": [_told(facts) for facts in self.facts],
        }


@dataclass(frozen=True, slots=True)
class Revision:
    """A sheet as it was closed; a higher number replaces a lower one."""

    sheet: Sheet
    number: int
    digest: str
    text: str


def canonical(content: Mapping[str, Any]) -> str:
    """The one text of this content: keys in order, no spaces, times in UTC, ids as UUIDs are written."""
    return orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z).decode()


def digest_of(text: str) -> str:
    """What is signed."""
    return hashlib.sha256(text.encode()).hexdigest()


def closes_at(month: str, ends_before: date) -> datetime:
    """When the windows of a month are over, for a seat or a group that has its last day before this one."""
    return civil_moment(min(first_day(next_month(month)), ends_before) + timedelta(days=WINDOW_DAYS))


def settles_at(place: Place, now: datetime) -> datetime | None:
    """When a changed seat needs its sheets made by itself, before or after those of its group.

    So it is if it ended, and if it came, or changed, when a month of its days was closed already. Where the
    group is closed with it, the group's own closing does it.
    """
    if place.starts_on is None or place.ends_before is None or place.state not in ("reserved", "freed"):
        return None
    if closes_at(month_of(place.starts_on), place.ends_before) <= now:
        return now
    if place.state == "reserved" or place.days is None or place.code == "group_closed":
        return None
    return civil_moment(place.ends_before + timedelta(days=WINDOW_DAYS))


def months_of(seat: Seat) -> list[str]:
    """The civil months of a seat's days."""
    months, month = [], month_of(seat.starts_on)
    while first_day(month) < seat.ends_before:
        months.append(month)
        month = next_month(month)
    return months if seat.starts_on < seat.ends_before else []


def sheet_of(records: Records, seat: Seat) -> Sheet:
    """What the records say of this seat."""
    return Sheet(
        seat=seat,
        group_id=records.group_id,
        provider_id=records.provider_id,
        month=records.month,
        guardians_until=closes_at(records.month, seat.ends_before),
        guardian_is_staff=seat.child_id in records.children_of_staff,
        facts=tuple(
            _facts(records, seat, lesson)
            for lesson in records.lessons
            if seat.starts_on <= lesson.on < seat.ends_before
        ),
    )


def revise(sheet: Sheet, before: tuple[int, str] | None) -> Revision | None:
    """The next revision after (number, digest) of the latest; None if there is nothing new to say.

    A month without lessons has no sheet, but one that was closed with lessons can lose them.
    """
    if before is None and not sheet.facts:
        return None
    text = canonical(sheet.content())
    digest = digest_of(text)
    if before is not None and before[1] == digest:
        return None
    return Revision(sheet, before[0] + 1 if before else 1, digest, text)


def _facts(records: Records, seat: Seat, lesson: Lesson) -> Facts:
    marks = _that_hold(records.marks.get((seat.enrollment_id, lesson.id), ()))
    corrected = any(mark.corrects and mark.present for mark in marks)
    return Facts(
        lesson=lesson,
        took_place=lesson.took_place or corrected,
        marks=marks,
        excused=any(since <= lesson.on <= until for since, until in records.absences.get(seat.child_id, ())),
        dispute=records.disputes.get((seat.enrollment_id, lesson.id)),
    )


def _that_hold(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Of each source and person the latest; of coaches nothing from before the latest correction."""
    corrected = max((place for place, mark in enumerate(marks) if mark.corrects), default=0)
    latest = {
        (mark.source, mark.person_id): mark
        for place, mark in enumerate(marks)
        if mark.source != "coach" or place >= corrected
    }
    in_time = sorted(latest.values(), key=lambda mark: mark.at)[-STATEMENTS_MAX:]
    return tuple(sorted(in_time, key=lambda mark: (mark.source, mark.person_id)))


def _told(facts: Facts) -> dict[str, Any]:
    return {
        "lesson_id": facts.lesson.id,
        "on": facts.lesson.on,
        "took_place": facts.took_place,
        "statements": [
            {"source": mark.source, "person_id": mark.person_id, "present": mark.present, "at": mark.at}
            for mark in facts.marks
        ],
        "excused": facts.excused,
        "disputed": facts.dispute is not None and facts.dispute.outcome is None,
        "decided": facts.dispute.outcome if facts.dispute else None,
    }
