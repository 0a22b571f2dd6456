"""What a group may look like, and the lessons its weekly schedule means. Its seats are in `seats`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

import holidays
from dateutil.rrule import WEEKLY, rrule

from shared.clock import civil_date, civil_moment, first_day, month_of, next_month
from shared.errors import ConflictError, InvalidError

LESSON_MIN = timedelta(minutes=15)
LESSON_MAX = timedelta(hours=8)
WEEKLY_LESSONS_MAX = 14
"""Two a day. Keeps a month's plan well within one event."""

GROUP_DAYS_MAX = 731
"""Two years: nobody knows prices and holidays beyond that."""

STARTS_WITHIN_DAYS = 366

MONTHS_AHEAD = 3
"""How far lessons are planned. Money for a month is asked from the 20th of the one before, and a quarter
gives parents a calendar; further ahead, every change of schedule would only make more events."""


class GroupInvalidError(InvalidError):
    """A group that cannot be held as described. The code says which rule."""

    code = "group_invalid"


class ClosesInPastError(ConflictError):
    """What was promised for days gone by cannot be taken back."""

    code = "closes_in_past"


class GroupClosedError(ConflictError):
    """The group is closed, and not later than asked."""

    code = "group_closed"


@dataclass(frozen=True, slots=True)
class Names:
    """A public name in every language of the system."""

    kk: str
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Weekly:
    """The group meets at this civil time on this day of each week (1 is Monday)."""

    weekday: int
    starts_at: time
    ends_at: time


@dataclass(frozen=True, slots=True)
class Group:
    """A group as its director describes it. `ends_on` is its last day."""

    id: UUID
    club_id: UUID
    provider_id: UUID
    direction: str
    name: Names
    price_tiyn: int
    capacity: int
    age_from: int
    age_to: int
    schedule: tuple[Weekly, ...]
    coaches: tuple[UUID, ...]
    starts_on: date
    ends_on: date
    closed: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True)
class Meeting:
    """When one lesson of the plan takes place: a civil day, and two moments in UTC."""

    on: date
    starts_at: datetime
    ends_at: datetime


def check_group(group: Group, *, today: date, coaches: frozenset[UUID]) -> None:
    """Raise the first rule that the group breaks. `coaches` are the provider's."""
    if group.age_from > group.age_to:
        raise GroupInvalidError("ages_reversed")
    if group.ends_on < group.starts_on:
        raise GroupInvalidError("dates_reversed")
    if group.ends_on < today:
        raise GroupInvalidError("group_in_past")
    if (group.ends_on - group.starts_on).days > GROUP_DAYS_MAX:
        raise GroupInvalidError("group_too_long", days=GROUP_DAYS_MAX)
    if (group.starts_on - today).days > STARTS_WITHIN_DAYS:
        raise GroupInvalidError("group_too_far", days=STARTS_WITHIN_DAYS)
    if not set(group.coaches) <= coaches:
        raise GroupInvalidError("coach_unknown")
    _check_schedule(group.schedule)


def _check_schedule(schedule: Sequence[Weekly]) -> None:
    for lesson in schedule:
        if not LESSON_MIN <= _length(lesson) <= LESSON_MAX:
            raise GroupInvalidError("lesson_length")
    in_order = sorted(schedule, key=lambda lesson: (lesson.weekday, lesson.starts_at))
    for earlier, later in pairwise(in_order):
        if earlier.weekday == later.weekday and later.starts_at < earlier.ends_at:
            raise GroupInvalidError("lessons_overlap")


def _length(lesson: Weekly) -> timedelta:
    return datetime.combine(date.min, lesson.ends_at) - datetime.combine(date.min, lesson.starts_at)


def months_to_plan(group: Group, *, today: date) -> tuple[str, ...]:
    """The months that should be planned by now: from the first that still matters to three ahead.

    A group that starts far off is planned from its start on, so that a child can enroll before.
    """
    month = month_of(max(today, group.starts_on))
    last = month_of(group.ends_on)
    months = []
    for _ in range(MONTHS_AHEAD + 1):
        if month > last:
            break
        months.append(month)
        month = next_month(month)
    return tuple(months)


def next_planning(group: Group, *, today: date) -> datetime | None:
    """When the next month is to be planned: at the start of the next civil month; none when all are."""
    planned = months_to_plan(group, today=today)
    if not planned or planned[-1] == month_of(group.ends_on):
        return None
    return civil_moment(first_day(next_month(month_of(max(today, group.starts_on)))))


def meetings(group: Group, month: str) -> tuple[Meeting, ...]:
    """The lessons of a civil month in order of time.

    The weekly schedule within the group's days, less the public holidays of Kazakhstan (moved days off and
    the estimated date of Eid included).
    """
    since = max(first_day(month), group.starts_on)
    until = min(first_day(next_month(month)) - timedelta(days=1), group.ends_on)
    days_off = holidays.country_holidays("KZ", years=since.year)
    return tuple(
        sorted(
            (
                Meeting(on, civil_moment(on, lesson.starts_at), civil_moment(on, lesson.ends_at))
                for lesson in group.schedule
                for on in _days(lesson.weekday, since, until)
                if on not in days_off
            ),
            key=lambda meeting: meeting.starts_at,
        )
    )


def _days(weekday: int, since: date, until: date) -> Iterator[date]:
    rule = rrule(
        WEEKLY,
        byweekday=weekday - 1,
        dtstart=datetime.combine(since, time()),
        until=datetime.combine(until, time()),
    )
    return (day.date() for day in rule)


def check_closing(on: date, *, now: datetime, begun: bool) -> None:
    """A group closes today or later, and not before a lesson of that day that has begun: it is marked."""
    if on < civil_date(now) or begun:
        raise ClosesInPastError
