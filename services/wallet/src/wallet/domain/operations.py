"""What can be asked of the ledger, and what it answers.

An operation's identity is (origin, kind, key). The same identity with the same content gets the first result,
whatever it was; with other content it is `Mismatched` and nothing is written.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from wallet.domain.holds import Lesson

DIGEST_BYTES = 16


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


Command = Deposit | Allot | HoldMonth | Reduce | Release


def digest(command: Command) -> bytes:
    """A fingerprint of the content, of a fixed form: it is compared for as long as the ledger lives."""
    text = "\x1f".join(map(str, command.content))
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


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


class Declined(NamedTuple):
    """The rules do not allow it, or there is not enough. Final for this identity."""

    code: str
    missing_tiyn: int


class Mismatched(NamedTuple):
    """The identity, or the enrollment, belongs to another content: an error of the asker, nothing written."""

    identity: Identity


Result = Deposited | Allotted | Held | Released | Declined | Mismatched


class Recorded(NamedTuple):
    """An operation of the past, as a repetition needs it."""

    digest: bytes
    result: Result


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation to be written, declined ones too: a decline is as final as money."""

    id: UUID
    identity: Identity
    digest: bytes
    child_id: UUID | None
    result: Result
