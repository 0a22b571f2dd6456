"""What enrollments and their months ask for: money held, given back, and charged."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from wallet.domain.charging import Verdict
from wallet.domain.facts import Facts
from wallet.domain.holds import Lesson
from wallet.domain.items import Change
from wallet.domain.operations.identity import Identity


@dataclass(frozen=True, slots=True)
class HoldMonth:
    """Reserve what one month of an enrollment can cost."""

    id: UUID
    """Of the operation, and of the hold it makes."""
    identity: Identity
    child_id: UUID
    enrollment_id: UUID
    month: str
    attempt: int
    provider_id: UUID
    group_id: UUID
    direction: str
    price_tiyn: int
    lessons: tuple[Lesson, ...]
    """All that the group has planned in the month."""
    covers_from: date
    covers_until: date | None
    """First day not covered."""

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return (
            self.child_id,
            self.enrollment_id,
            self.month,
            self.attempt,
            self.provider_id,
            self.group_id,
            self.direction,
            self.price_tiyn,
            self.covers_from,
            self.covers_until,
            *(part for lesson in self.lessons for part in lesson),
        )


@dataclass(frozen=True, slots=True)
class Reduce:
    """The enrollment ends on a day: keep only what lessons before it can cost, now and in later requests."""

    id: UUID
    identity: Identity
    child_id: UUID
    enrollment_id: UUID
    on: date

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.child_id, self.enrollment_id, self.on


@dataclass(frozen=True, slots=True)
class Release:
    """The enrollment came to nothing: give everything back, and hold nothing for it any more."""

    id: UUID
    identity: Identity
    child_id: UUID
    enrollment_id: UUID
    reason: str

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.child_id, self.enrollment_id, self.reason


@dataclass(frozen=True, slots=True)
class Charge:
    """Make what is captured for a month what its lessons cost by these facts."""

    id: UUID
    """Of the operation; of the hold that a late raise makes; the items' ids follow from it."""
    identity: Identity
    child_id: UUID
    enrollment_id: UUID
    month: str
    revision: int
    provider_id: UUID
    group_id: UUID
    digest: str
    """Of the facts, as the provider signs them."""
    facts: Facts

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return (
            self.child_id,
            self.enrollment_id,
            self.month,
            self.revision,
            self.provider_id,
            self.group_id,
            self.digest,
        )


class Share(NamedTuple):
    """What one fund reserves of a hold."""

    program_id: UUID
    fund_id: UUID
    amount_tiyn: int


class Held(NamedTuple):
    """The month's money is reserved."""

    hold_id: UUID
    amount_tiyn: int
    shares: tuple[Share, ...]


class Released(NamedTuple):
    """That much was given back; possibly nothing."""

    amount_tiyn: int


class Charged(NamedTuple):
    """The month costs that much by these facts. Absolute amounts, not differences."""

    operation_id: UUID
    """The one that did it first."""
    amount_tiyn: int
    """Captured by now, less what was given or claimed back."""
    cost_tiyn: int
    """What the lessons that count cost; what is captured beyond it waits for a dispute."""
    disputed_tiyn: int
    uncovered_tiyn: int
    frozen: bool
    code: str | None
    """Why the month costs nothing, if there was no hold to charge."""
    verdicts: tuple[Verdict, ...] = ()
    changes: tuple[Change, ...] = ()
    """Of items; told once, so a repetition has none."""


class Superseded(NamedTuple):
    """A later revision, or this one, was charged before: nothing to do."""

    amount_tiyn: int = 0
