"""When what is asked for: a program's days of the month against the lessons a group has planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from enrollment.domain.enrollment import Enrollment, Month, State
from shared.clock import civil_date, civil_moment, first_day, month_of, next_month

ASKED_ON_EVE_AT = time(9)
"""Civil time of the last request before the grace ends: money booked the evening before is there by then."""

PLAN_AGAIN = timedelta(hours=1)
"""How long to wait before looking again for a plan that clubs has not told yet."""


@dataclass(frozen=True, slots=True)
class ProgramDays:
    """The days of a program's month."""

    asks_from_day: int
    grace_ends_on_day: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The lesson days of a group, by month, as far as clubs has told them."""

    months: Mapping[str, tuple[date, ...]]
    ends_on: date
    """The group's last day."""

    def covered(self, month: str, enrollment: Enrollment) -> bool:
        """Whether any lesson of this month falls to this enrollment."""
        until = enrollment.ends_on or date.max
        return any(enrollment.starts_on <= day < until for day in self.months.get(month, ()))


@dataclass(frozen=True, slots=True)
class Unplanned:
    """Clubs has not told the lessons of this month yet."""

    month: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision looks at besides the enrollment itself."""

    now: datetime
    plan: Plan
    days: ProgramDays | None = None
    """Known from the first hold on."""

    @property
    def today(self) -> date:
        return civil_date(self.now)


def first_month(plan: Plan, starts_on: date) -> str | Unplanned | None:
    """The month of the first planned lesson from this day; None if the group has none until its end."""
    month = month_of(starts_on)
    while month <= month_of(plan.ends_on):
        if month not in plan.months:
            return Unplanned(month)
        if any(day >= starts_on for day in plan.months[month]):
            return month
        month = next_month(month)
    return None


def asks_from(month: str, days: ProgramDays) -> date:
    """The day of the month before, from which the money of this month is asked for."""
    before = month_of(first_day(month) - timedelta(days=1))
    return first_day(before).replace(day=days.asks_from_day)


def grace_end(month: str, days: ProgramDays, today: date) -> date:
    """The last day of the grace; never in the past, however late the answer came."""
    return max(first_day(month).replace(day=days.grace_ends_on_day), today)


def eve_moment(month: Month) -> datetime | None:
    """When a month without money is asked once more before its grace ends."""
    if month.grace_ends_on is None:
        return None
    return civil_moment(month.grace_ends_on - timedelta(days=1), ASKED_ON_EVE_AT)


@dataclass(frozen=True, slots=True)
class Due:
    """The next month to ask for, and from when on."""

    month: str
    at: datetime
    planned: bool


def next_due(enrollment: Enrollment, circumstances: Circumstances) -> Due | None:
    """The month after those already asked for; months without a lesson for the child are passed over.

    One that has ended meanwhile still owes the months before its end, whose lessons took place.
    """
    plan, days = circumstances.plan, circumstances.days
    was_confirmed = enrollment.state in (State.CONFIRMED, State.ENDED)
    if not was_confirmed or days is None or not enrollment.months:
        return None
    last_day = min(plan.ends_on, (enrollment.ends_on or date.max) - timedelta(days=1))
    month = next_month(enrollment.months[-1].month)
    while month <= month_of(last_day):
        at = civil_moment(asks_from(month, days))
        if at > circumstances.now or month not in plan.months:
            return Due(month, at, planned=month in plan.months)
        if plan.covered(month, enrollment):
            return Due(month, at, planned=True)
        month = next_month(month)
    return None


def deadlines(enrollment: Enrollment, circumstances: Circumstances) -> dict[str, datetime]:
    """Every deadline this enrollment should have, by kind: kept by setting what differs from before."""
    if enrollment.state is not State.CONFIRMED:
        return {}
    wanted: dict[str, datetime] = {}
    if enrollment.ends_on is not None:
        wanted["enrollment_ends"] = civil_moment(enrollment.ends_on)
    if enrollment.waits_for_an_answer:
        return wanted
    due = next_due(enrollment, circumstances)
    if due is not None:
        again = circumstances.now + PLAN_AGAIN
        wanted["month_due"] = due.at if due.planned or due.at > circumstances.now else again
    unfunded = enrollment.unfunded
    if unfunded is not None and unfunded.grace_ends_on is not None:
        eve = eve_moment(unfunded)
        if eve is not None and not unfunded.asked_on_eve:
            wanted["grace_nears"] = eve
        day_after = unfunded.grace_ends_on + timedelta(days=1)
        if enrollment.ends_on is None or enrollment.ends_on > day_after:
            wanted["grace_over"] = civil_moment(day_after)
    return wanted
