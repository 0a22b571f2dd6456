"""Programs with their effective-dated rules, the funds behind them, and which child they pay for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

RESTORE_DAYS: Final = 28
"""Calendar days, as a lapsed place can be restored by the rules of the state order."""


class Mode(StrEnum):
    """When the money of a fund becomes a child's."""

    AHEAD = "ahead"
    """Allotted by funding runs, until a day."""
    ON_HOLD = "on_hold"
    """Drawn from the fund at the moment of the hold, and back to it on release."""


class Mrp(NamedTuple):
    """The monthly calculation index (АЕК, МРП) from a day on: in it the law counts norms."""

    valid_from: date
    amount_tiyn: int


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a program from a day on, until the next version."""

    version: int
    valid_from: date
    directions: frozenset[str]
    """Empty: every direction."""
    monthly_rate_tiyn: int | None
    """What is paid for a month at most; None if it is counted in MRP."""
    clubs_per_child_max: int
    evidence: Mapping[str, Any]
    """Which sources make a lesson count, and until when they may speak. Frozen in each hold."""
    charge: Mapping[str, Any]
    """How counted lessons become money. Frozen in each hold."""
    monthly_rate_mrp_thousandths: int | None = None
    """What is paid for a month at most, in thousandths of the MRP of the day; None if it is an amount."""
    month_cap_tiyn: int | None = None
    """What is paid for a child and a month at most, over all its enrollments; None: no limit."""
    year_cap_tiyn: int | None = None
    """What is paid for a child and the months of a calendar year at most."""
    restore_days: int = RESTORE_DAYS
    """So long a child that stopped may go on; then what it does not use is for the next one."""

    def rate_on(self, day: date, mrp: Iterable[Mrp]) -> int:
        """What is paid at most for a month whose first lesson is on that day, rounded down to whole tiyn."""
        if self.monthly_rate_mrp_thousandths is None:
            return self.monthly_rate_tiyn or 0
        return mrp_on(day, mrp) * self.monthly_rate_mrp_thousandths // 1000


def mrp_on(day: date, mrp: Iterable[Mrp]) -> int:
    """The MRP of a civil day; 0 before the first one that is known."""
    return max((one for one in mrp if one.valid_from <= day), default=Mrp(day, 0)).amount_tiyn


@dataclass(frozen=True, slots=True)
class Program:
    """What a funder pays for. `place` orders the programs that pay for the same child."""

    id: UUID
    place: int
    starts_on: date
    ends_on: date
    """Last day."""
    rules: tuple[Rules, ...]

    def rules_on(self, first: date, last: date) -> Rules | None:
        """The rules for services from `first` to `last`: those in force at the first of them."""
        if not self.starts_on <= first <= last <= self.ends_on:
            return None
        in_force = [rules for rules in self.rules if rules.valid_from <= first]
        return max(in_force, key=lambda rules: rules.valid_from, default=None)

    def restore_days_on(self, day: date) -> int:
        """The restore window on a day, be the program running or not."""
        begun = [rules for rules in self.rules if rules.valid_from <= day] or self.rules
        return max(begun, key=lambda rules: rules.valid_from).restore_days

    @property
    def has_caps(self) -> bool:
        """Whether any version asks what was paid for the child before."""
        return any(rules.month_cap_tiyn or rules.year_cap_tiyn for rules in self.rules)


@dataclass(frozen=True, slots=True)
class Fund:
    """One budget line of one funder in a program."""

    id: UUID
    program_id: UUID
    mode: Mode
    budget_tiyn: int
    last_capture_on: date
    """Lessons after this day cannot be paid from it."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A program may pay for this child from a day until a last day."""

    program_id: UUID
    starts_on: date
    until: date
    coefficient_percent: int
