"""Balances as of any moment: of a fund, account kind by account kind, and of a child's wallet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from shared.database import Transaction
from shared.security import Principal
from wallet.domain.accounts import ASSETS, Kind
from wallet.domain.programs import Mode
from wallet.repository.ledger import balances
from wallet.repository.ledger.balances import AsOf, Moved
from wallet.usecases.ledger import visible_fund
from wallet.usecases.wallets import visible_version


class KindBalance(NamedTuple):
    """What all accounts of one kind were debited and credited, and what that leaves."""

    kind: Kind
    debited_tiyn: int = 0
    credited_tiyn: int = 0

    @property
    def balance_tiyn(self) -> int:
        """In the direction in which it is positive: what we have, or what we owe."""
        left = self.credited_tiyn - self.debited_tiyn
        return -left if self.kind in ASSETS else left


@dataclass(frozen=True, slots=True)
class PurseThen:
    """A child's money of one fund. Held and free are None where postings do not say it."""

    row: dict[str, Any]
    balance_tiyn: int
    held_tiyn: int | None


async def trial_balance(
    tx: Transaction, principal: Principal, fund_id: UUID, as_of: AsOf
) -> Sequence[KindBalance]:
    """Every kind of account of a fund, also those in which nothing is."""
    fund = await visible_fund(tx, principal, fund_id)
    return by_kind(await balances.sums(tx, fund["number"], as_of))


def by_kind(moved: Iterable[Moved]) -> list[KindBalance]:
    """Both sides of each movement, in the order of the chart."""
    found = {kind: KindBalance(kind) for kind in Kind}
    for one in moved:
        debited = found[one.debited]
        found[one.debited] = debited._replace(debited_tiyn=debited.debited_tiyn + one.amount_tiyn)
        credited = found[one.credited]
        found[one.credited] = credited._replace(credited_tiyn=credited.credited_tiyn + one.amount_tiyn)
    return list(found.values())


async def read_purses_then(
    tx: Transaction, principal: Principal, child_id: UUID, as_of: AsOf
) -> Sequence[PurseThen]:
    """What was in a wallet, for whoever may see the wallet."""
    await visible_version(tx, principal, child_id)
    return [_purse(row) for row in await balances.purses(tx, child_id, as_of)]


def _purse(row: dict[str, Any]) -> PurseThen:
    """Of an `on_hold` fund everything in an allotment is held: what is not goes back to the fund at once.

    Of an `ahead` fund it cannot be had: to reserve and to give back moves nothing between accounts, and how
    much one operation gave back for which month is not kept.
    """
    balance = row["credited_tiyn"] - row["debited_tiyn"]
    return PurseThen(row, balance, balance if row["mode"] == Mode.ON_HOLD or not balance else None)
