"""The numbers of accounts in the database, and the accounts they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.tables import FUND_SHIFT

KIND_NUMBERS: Final[Mapping[Kind, int]] = {
    Kind.BANK: 1,
    Kind.FUND: 2,
    Kind.RETURNED: 3,
    Kind.CLAIMED: 4,
    Kind.PAYABLE: 5,
    Kind.RECEIVABLE: 6,
    Kind.PAYOUT: 7,
    Kind.ALLOTMENT: 16,
}
KINDS: Final[Mapping[int, Kind]] = {number: kind for kind, number in KIND_NUMBERS.items()}
OWN_KINDS: Final = (Kind.BANK, Kind.FUND, Kind.RETURNED, Kind.CLAIMED)
"""One account each for every fund, at the place of its kind's number. All others have places of their own."""


def own_account(fund_number: int, kind: Kind) -> int:
    """The number of a fund's own account."""
    return fund_number << FUND_SHIFT | KIND_NUMBERS[kind]


@dataclass(slots=True)
class Numbers:
    """The numbers of the accounts of one batch."""

    fund_numbers: dict[UUID, int] = field(default_factory=dict)
    fund_ids: dict[int, UUID] = field(default_factory=dict)
    places: dict[Account, int] = field(default_factory=dict)
    """Of the accounts that have places of their own."""

    def learn_fund(self, fund_id: UUID, number: int) -> None:
        """From now on accounts of this fund have numbers."""
        self.fund_numbers[fund_id] = number
        self.fund_ids[number] = fund_id

    def learn_allotment(self, number: int, child_id: UUID, expires_on: date) -> Account:
        """The account of this number: its fund stands in the number itself."""
        account = Account(Kind.ALLOTMENT, self.fund_ids[number >> FUND_SHIFT], child_id, expires_on)
        self.places[account] = number
        return account

    def learn_owned(self, number: int, kind: int, owner_id: UUID) -> Account:
        """The account of a provider or of an order."""
        account = Account(KINDS[kind], self.fund_ids[number >> FUND_SHIFT], owner_id=owner_id)
        self.places[account] = number
        return account

    def has(self, account: Account) -> bool:
        """Whether the account exists, as far as is known."""
        return account.kind in OWN_KINDS or account in self.places

    def number(self, account: Account) -> int:
        """What the account is called in the database. KeyError if it has not been learned."""
        if account.kind in OWN_KINDS:
            return own_account(self.fund_numbers[account.fund_id], account.kind)
        return self.places[account]
