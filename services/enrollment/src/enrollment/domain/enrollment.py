"""The enrollment of a child in a group, with its months: what it is. What happens to it is in `decider`."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID


class State(StrEnum):
    """Where an enrollment stands. `payment_required` comes with copays and is not reached yet."""

    REQUESTED = "requested"
    QUEUED = "queued"
    OFFERED = "offered"
    FUNDING = "funding"
    PAYMENT_REQUIRED = "payment_required"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    ENDED = "ended"


OVER = frozenset({State.REJECTED, State.CANCELED, State.ENDED})
"""Nothing leads out of these."""

SEATED = frozenset({State.REQUESTED, State.OFFERED, State.FUNDING, State.PAYMENT_REQUIRED, State.CONFIRMED})
"""These take the child's time in the week. A place in a queue does not: one may wait and attend another."""


class MonthState(StrEnum):
    """Whether the money of one month was asked for, and what the wallet said."""

    ASKED = "asked"
    FUNDED = "funded"
    UNFUNDED = "unfunded"
    CHARGED = "charged"


@dataclass(frozen=True, slots=True)
class Month:
    """One civil month of an enrollment. `attempt` counts its requests; an answer is final for its attempt."""

    month: str
    state: MonthState
    attempt: int
    code: str | None = None
    missing_tiyn: int = 0
    grace_ends_on: date | None = None
    """Last day on which money may still come, once declined."""
    asked_on_eve: bool = False
    """Whether it was asked once more before the grace ends."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A child in a group. `starts_on` is the day wished for until there is a seat, then the seat's day."""

    id: UUID
    child_id: UUID
    group_id: UUID
    state: State
    version: int
    attempt: int
    starts_on: date
    ends_on: date | None = None
    """First day without the child; the state stays `confirmed` until it has come."""
    code: str | None = None
    """Why it was rejected, or why it ends."""
    missing_tiyn: int | None = None
    place: int | None = None
    offer_id: UUID | None = None
    offer_until: datetime | None = None
    program_id: UUID | None = None
    """The program that pays first: its calendar rules the later months."""
    months: tuple[Month, ...] = ()

    def month(self, month: str) -> Month | None:
        """This month, if it was ever asked for."""
        return next((one for one in self.months if one.month == month), None)

    def with_month(self, changed: Month) -> Self:
        """The same with this month put in, in the order of the calendar."""
        others = [one for one in self.months if one.month != changed.month]
        return replace(self, months=tuple(sorted([*others, changed], key=lambda one: one.month)))

    @property
    def waits_for_an_answer(self) -> bool:
        """Whether the wallet owes an answer: only one request is open at a time."""
        return any(one.state is MonthState.ASKED for one in self.months)

    @property
    def unfunded(self) -> Month | None:
        """The earliest month for which there was no money."""
        return next((one for one in self.months if one.state is MonthState.UNFUNDED), None)
