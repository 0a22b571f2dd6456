"""What guardians were told of the charges of months: locked, read, kept."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from notifications.domain.bills import Bill
from notifications.tables import bills
from shared.database import Transaction

MonthKey = tuple[UUID, str]
"""An enrollment and a civil month."""

_KNOWN = ("revision", "amount_tiyn", "frozen", "stop_told", "claim_told")


async def lock(tx: Transaction, keys: Iterable[MonthKey]) -> dict[MonthKey, Bill]:
    """What is known of these months, locked until the commit in the order of their keys."""
    wanted = sorted(set(keys))
    await tx.execute(
        insert(bills).on_conflict_do_nothing(),
        [{"enrollment_id": enrollment_id, "month": month} for enrollment_id, month in wanted],
    )
    locked = await tx.execute(
        sa.select(bills)
        .where(sa.tuple_(bills.c.enrollment_id, bills.c.month).in_(wanted))
        .order_by(bills.c.enrollment_id, bills.c.month)
        .with_for_update()
    )
    return {
        (row["enrollment_id"], row["month"]): Bill(**{name: row[name] for name in _KNOWN})
        for row in locked.mappings()
    }


async def save(tx: Transaction, known: Mapping[MonthKey, Bill]) -> None:
    """Keep what is now known of these (locked) months."""
    if not known:
        return
    statement = (
        sa.update(bills)
        .where(bills.c.enrollment_id == sa.bindparam("of"), bills.c.month == sa.bindparam("in_month"))
        .values({name: sa.bindparam(f"new_{name}") for name in _KNOWN})
    )
    await tx.execute(
        statement,
        [
            {"of": id_, "in_month": month, **{f"new_{name}": getattr(bill, name) for name in _KNOWN}}
            for (id_, month), bill in known.items()
        ],
    )
