"""The MRP by the days from which its values count."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction
from wallet.tables import mrp


async def insert_value(tx: Transaction, valid_from: date, amount_tiyn: int) -> bool:
    """A value from a day on; False if another one counts from that day."""
    row = insert(mrp).values(valid_from=valid_from, amount_tiyn=amount_tiyn)
    made = row.on_conflict_do_nothing().returning(mrp.c.valid_from)
    return (await tx.execute(made)).first() is not None


async def list_values(tx: Transaction, *, after: date | None, limit: int) -> Sequence[sa.RowMapping]:
    """All values, in the order of their days."""
    query = sa.select(mrp).order_by(mrp.c.valid_from).limit(limit)
    if after is not None:
        query = query.where(mrp.c.valid_from > after)
    return (await tx.execute(query)).mappings().all()
