"""A fund's money: it arrives, is set aside for children, and leaves them when they do not use it."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from wallet.domain.operations.identity import Identity


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
class Expire:
    """Take back what is free of an allotment whose day is over, or that the child does not use."""

    id: UUID
    identity: Identity
    fund_id: UUID
    child_id: UUID
    expires_on: date

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.fund_id, self.child_id, self.expires_on


class Deposited(NamedTuple):
    """The money is in the fund, by the operation that did it first."""

    operation_id: UUID
    amount_tiyn: int


class Allotted(NamedTuple):
    """The money is the child's, until the day."""

    amount_tiyn: int


class Expired(NamedTuple):
    """So much is not the child's any more."""

    amount_tiyn: int
