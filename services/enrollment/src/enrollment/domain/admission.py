"""Whether a child may join a group: age, dates, duplicates, clashes. Limits of a program are the wallet's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from uuid import UUID

from enrollment.domain.calendar import Plan, Unplanned, first_month
from enrollment.domain.enrollment import SEATED, State

LIVE_ENROLLMENTS_MAX = 10
"""Of one child at once, queues included: more than any week holds, fewer than a flood."""


@dataclass(frozen=True, slots=True)
class WeeklyLesson:
    """A civil time of a weekday, 1 is Monday."""

    weekday: int
    starts_at: time
    ends_at: time


@dataclass(frozen=True, slots=True)
class Group:
    """What enrollment knows of a group, as clubs described it."""

    id: UUID
    provider_id: UUID
    direction: str
    price_tiyn: int
    age_from: int
    age_to: int
    schedule: tuple[WeeklyLesson, ...]
    starts_on: date
    ends_on: date
    """Last day."""
    closed: bool


@dataclass(frozen=True, slots=True)
class Commitment:
    """Another live enrollment of the same child, and when its group meets."""

    enrollment_id: UUID
    group_id: UUID
    state: State
    schedule: tuple[WeeklyLesson, ...]
    starts_on: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Wish:
    """A child in a group from a day on."""

    group: Group
    starts_on: date
    birth_date: date
    today: date


def age_on(birth_date: date, day: date) -> int:
    """Full years; who is born on 29 February is a year older on 1 March."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def refusal(wish: Wish, commitments: Iterable[Commitment], plan: Plan) -> str | Unplanned | None:
    """Why this wish cannot even be passed on to clubs; None if it can."""
    others = tuple(commitments)
    first_code = _dates(wish) or _age(wish) or obstacle(wish.group, wish.starts_on, others)
    if first_code is not None:
        return first_code
    if len(others) >= LIVE_ENROLLMENTS_MAX:
        return "too_many_enrollments"
    month = first_month(plan, wish.starts_on)
    if month is None:
        return "group_has_no_lessons"
    return month if isinstance(month, Unplanned) else None


def obstacle(group: Group, starts_on: date, commitments: Iterable[Commitment]) -> str | None:
    """What stands against a seat from this day: judged when it is asked for, and again when it is there."""
    for other in commitments:
        if other.group_id == group.id:
            return "already_enrolled"
        if other.state in SEATED and _clashes(group, starts_on, other):
            return "schedule_clash"
    return None


def _dates(wish: Wish) -> str | None:
    if wish.group.closed:
        return "group_closed"
    if wish.starts_on < wish.today:
        return "starts_in_past"
    if not wish.group.starts_on <= wish.starts_on <= wish.group.ends_on:
        return "starts_outside_group"
    return None


def _age(wish: Wish) -> str | None:
    age = age_on(wish.birth_date, wish.starts_on)
    if age < wish.group.age_from:
        return "too_young"
    return "too_old" if age > wish.group.age_to else None


def _clashes(group: Group, starts_on: date, other: Commitment) -> bool:
    together = max(starts_on, other.starts_on) <= min(group.ends_on, other.last_day)
    return together and any(_overlap(a, b) for a in group.schedule for b in other.schedule)


def _overlap(one: WeeklyLesson, other: WeeklyLesson) -> bool:
    same_day = one.weekday == other.weekday
    return same_day and one.starts_at < other.ends_at and other.starts_at < one.ends_at
