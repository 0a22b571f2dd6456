"""The chart of accounts, by what an account is. Their numbers in the database are the repository's matter."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Kind(StrEnum):
    """What an account stands for: `bank` and `receivable` are ours, all others are owed to somebody."""

    BANK = "bank"
    FUND = "fund"
    RETURNED = "returned"
    CLAIMED = "claimed"
    PAYABLE = "payable"
    """Of a provider: charged and not yet paid."""
    RECEIVABLE = "receivable"
    """From a provider: paid and claimed back."""
    PAYOUT = "payout"
    """On its way to the bank, by one order."""
    ALLOTMENT = "allotment"


ASSETS = frozenset({Kind.BANK, Kind.RECEIVABLE})


class Account(NamedTuple):
    """An account of one fund; an allotment also has its child and its last day, others have their owner."""

    kind: Kind
    fund_id: UUID
    child_id: UUID | None = None
    expires_on: date | None = None
    owner_id: UUID | None = None
    """The provider of payables and receivables, the order of payouts."""


@dataclass(slots=True)
class Balance:
    """Sums since the beginning, and what open holds reserve. All in tiyn."""

    credited: int = 0
    debited: int = 0
    held: int = 0
    moved_on: date | None = None
    """The civil day on which something was posted or held here last; None: not since that is kept."""
    given_back: bool = False
    """Of an allotment: the child did not use it, and what was free of it went back to the fund."""

    @property
    def free(self) -> int:
        """What can still be spent from an account that we owe."""
        return self.credited - self.debited - self.held


class Posting(NamedTuple):
    """One amount from one account to another of the same fund: it cannot be unbalanced."""

    operation_id: UUID
    debit: Account
    credit: Account
    amount_tiyn: int
