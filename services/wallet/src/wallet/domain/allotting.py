"""Whom a funding run allots how much, and why others are left out. Whether there is money is not asked here.

A child is allotted the civil months of the run in which it is entitled and that no earlier allotment of the
fund has paid.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class LeftOut(StrEnum):
    """Why a child of the program gets nothing by a run. Stable: stored and shown."""

    ENTITLEMENT_ENDED = "entitlement_ended"
    ENTITLEMENT_NOT_BEGUN = "entitlement_not_begun"
    ALREADY_ALLOTTED = "already_allotted"
    NOT_ENTITLED = "not_entitled"
    """The entitlement was taken back while the run went on."""
    NO_MONEY = "no_money"


class Entitled(NamedTuple):
    """A child of the program: what its entitlements say of a run's days, and what was allotted before."""

    child_id: UUID
    coefficient_percent: int | None
    """The best of the entitlements with a day in the run; None, as the next two, if there is none."""
    starts_on: date | None
    until: date | None
    begins_later: bool
    """Whether one begins after the run's last day."""
    allotted_until: date | None
    """How far the fund's earlier allotments reach."""


def judge(child: Entitled, first: date, last: date, monthly_tiyn: int) -> int | LeftOut:
    """What a run from `first` to `last` allots the child, in tiyn; or why it gets nothing."""
    if child.coefficient_percent is None or child.starts_on is None or child.until is None:
        return LeftOut.ENTITLEMENT_NOT_BEGUN if child.begins_later else LeftOut.ENTITLEMENT_ENDED
    months = months_to_allot(max(first, child.starts_on), min(last, child.until), child.allotted_until)
    if not months:
        return LeftOut.ALREADY_ALLOTTED
    return monthly_tiyn * months * child.coefficient_percent // 100


def months_to_allot(first: date, last: date, allotted_until: date | None) -> int:
    """How many civil months, from that of `first` to that of `last`, no earlier allotment has paid."""
    reached = _month_number(last)
    paid = _month_number(first) - 1
    if allotted_until is not None:
        paid = max(paid, _month_number(allotted_until))
    return max(reached - paid, 0)


def _month_number(day: date) -> int:
    return day.year * 12 + day.month
