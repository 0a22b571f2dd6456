"""What a decision tells the other services. `usecases` turns these into events of the published language."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class FundingRequested:
    month: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    month: str


@dataclass(frozen=True, slots=True)
class Rejected:
    code: str
    missing_tiyn: int | None


@dataclass(frozen=True, slots=True)
class Canceled:
    pass


@dataclass(frozen=True, slots=True)
class Ended:
    """`on` is the first day without the child."""

    on: date
    code: str


@dataclass(frozen=True, slots=True)
class MonthUnfunded:
    month: str
    code: str
    missing_tiyn: int
    grace_ends_on: date


Effect = FundingRequested | Confirmed | Rejected | Canceled | Ended | MonthUnfunded
