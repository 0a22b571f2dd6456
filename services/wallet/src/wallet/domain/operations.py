"""What can be asked of the ledger, and what it answers.

An operation's identity is (origin, kind, key). The same identity with the same content gets the first result,
whatever it was; with other content it is `Mismatched` and nothing is written.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from wallet.domain.charging import Verdict
from wallet.domain.facts import Facts
from wallet.domain.holds import Lesson
from wallet.domain.items import Change


class Identity(NamedTuple):
    """Who asked, for what kind of thing, under which key of theirs. Made by the server, never by a client."""

    origin: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money of the funder arrived at the bank."""

    id: UUID
    identity: Identity
    fund_id: UUID
    amount_tiyn: int

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.fund_id, self.amount_tiyn


@dataclass(frozen=True, slots=True)
class Allot:
    """Set money of an `ahead` fund aside for a child until a day, once for each such day."""

    id: UUID
    identity: Identity
    fund_id: UUID
    child_id: UUID
    expires_on: date
    amount_tiyn: int

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.fund_id, self.child_id, self.expires_on, self.amount_tiyn


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


@dataclass(frozen=True, slots=True)
class _OfOrder:
    """About one order to the bank: from which fund, to which provider. Its items are those that name it."""

    id: UUID
    identity: Identity
    payout_id: UUID
    fund_id: UUID
    provider_id: UUID

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.payout_id, self.fund_id, self.provider_id


@dataclass(frozen=True, slots=True)
class PayOut(_OfOrder):
    """The order leaves: its items are `submitting`, their money is on its way."""


@dataclass(frozen=True, slots=True)
class Settle(_OfOrder):
    """The provider has the money."""


@dataclass(frozen=True, slots=True)
class Bounce(_OfOrder):
    """The bank did not pay: the order's items are due again, and owed as before."""


OfOrder = PayOut | Settle | Bounce
OfEnrollment = HoldMonth | Reduce | Release | Charge
Command = Deposit | Allot | OfEnrollment | OfOrder


def child_of(command: Command) -> UUID | None:
    """Whose wallet the command is about, if it is about one."""
    return None if isinstance(command, Deposit | OfOrder) else command.child_id


class Share(NamedTuple):
    """What one fund reserves of a hold."""

    program_id: UUID
    fund_id: UUID
    amount_tiyn: int


class Deposited(NamedTuple):
    """The money is in the fund, by the operation that did it first."""

    operation_id: UUID
    amount_tiyn: int


class Allotted(NamedTuple):
    """The money is the child's, until the day."""

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


class Unready(NamedTuple):
    """A fact that the decision needs has not arrived: nothing was written, ask again."""

    fact: str


class PaidOut(NamedTuple):
    """The order's items left for the bank."""

    operation_id: UUID
    amount_tiyn: int


class Settled(NamedTuple):
    """The money left our account."""

    operation_id: UUID
    amount_tiyn: int


class Bounced(NamedTuple):
    """The order's items are owed again."""

    operation_id: UUID
    amount_tiyn: int
    changes: tuple[Change, ...] = ()
    """Items that are frozen now, for their month is; told once."""


class Declined(NamedTuple):
    """The rules do not allow it, or there is not enough. Final for this identity."""

    code: str
    missing_tiyn: int


class Mismatched(NamedTuple):
    """The identity, or the enrollment, belongs to another content: an error of the asker, nothing written."""

    identity: Identity


OrderResult = PaidOut | Settled | Bounced
Final = Deposited | Allotted | Held | Released | Charged | Superseded | OrderResult | Declined
"""What is recorded: a repetition gets it again."""
Result = Final | Mismatched | Unready
