"""How much money lies where, over all funds, for whoever watches."""

from collections.abc import Mapping

import sqlalchemy as sa

from shared.database import Transaction
from wallet.domain.accounts import ASSETS, Kind
from wallet.repository.numbers import KINDS
from wallet.tables import payouts

_MONEY = sa.text("""
    SELECT kind, sum(credited)::bigint AS credited, sum(debited)::bigint AS debited, sum(held)::bigint AS held
    FROM accounts GROUP BY kind
""")


async def money(tx: Transaction) -> Mapping[str, int]:
    """Tiyn by place: what is held is told apart from what is allotted, and `paid` is what left the bank."""
    found: dict[str, int] = {}
    for row in await tx.execute(_MONEY):
        kind = KINDS[row.kind]
        found[kind] = row.debited - row.credited if kind in ASSETS else row.credited - row.debited - row.held
        if kind is Kind.ALLOTMENT:
            found["held"] = row.held
        elif kind is Kind.BANK:
            found["paid"] = row.credited
    return found


async def orders(tx: Transaction) -> Mapping[str, int]:
    """How many bank orders are in which state."""
    rows = await tx.execute(sa.select(payouts.c.state, sa.func.count().label("orders")).group_by("state"))
    return {row.state: row.orders for row in rows}
