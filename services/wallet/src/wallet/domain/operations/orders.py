"""The steps of an order to the bank."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from wallet.domain.items import Change
from wallet.domain.operations.identity import Identity


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
