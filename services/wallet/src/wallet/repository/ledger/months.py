"""What moved within a fund in a month, and which months are locked."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared import clock
from shared.database import Transaction
from wallet.domain.accounts import Kind
from wallet.repository.ledger import AS_OF, Row, make_room, read
from wallet.repository.ledger.balances import BETWEEN_ACCOUNTS, AsOf, Moved
from wallet.repository.numbers import KINDS
from wallet.tables import funds, month_locks

_SUMS: Final = sa.text(
    f"""{BETWEEN_ACCOUNTS}
    SELECT d.effective_on < :begins_on AS before,
        CASE WHEN d.effective_on >= :begins_on THEN d.kind END AS kind, d.debited_kind, d.credited_kind,
        CASE WHEN d.effective_on >= :begins_on THEN d.corrects_month END AS corrects_month,
        sum(d.amount_tiyn)::bigint AS amount_tiyn
    FROM moved d WHERE {AS_OF} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    """  # noqa: S608 - of constants
)
_COUNTS: Final = sa.text(
    f"""{BETWEEN_ACCOUNTS}
    SELECT kind, debited_kind, credited_kind, corrects_month, count(*) AS operations
    FROM (
        -- Hashed: a count of different ones would be sorted.
        SELECT DISTINCT d.kind, d.debited_kind, d.credited_kind, d.corrects_month, d.operation_id
        FROM moved d
        -- Nothing is effective after it was recorded: what was recorded before the month is not looked at.
        WHERE d.posted_at >= :begins_at AND d.effective_on >= :begins_on AND {AS_OF}
    ) AS different
    GROUP BY 1, 2, 3, 4
    """  # noqa: S608 - of constants
)
_HELD: Final = sa.text("""
    SELECT count(*) AS holds, coalesce(sum(amount_tiyn), 0)::bigint AS amount_tiyn
    FROM (
        SELECT sum(l.amount_tiyn) AS amount_tiyn
        FROM batches b JOIN operations o ON o.batch_id = b.id JOIN hold_layers l ON l.hold_id = o.id
        WHERE b.posted_at >= :begins_at AND b.posted_at < :ends_at AND l.account_id >> 40 = :number
        GROUP BY l.hold_id
    ) AS held
""")


class MonthMoved(NamedTuple):
    """What operations of one kind moved from accounts of one kind to those of another, in a month."""

    operation: str
    debited: Kind
    credited: Kind
    corrects_month: str | None
    """The locked month that it is about."""
    operations: int
    amount_tiyn: int


async def moved(
    tx: Transaction, fund_number: int, begins_at: datetime, as_of: AsOf
) -> tuple[list[Moved], list[MonthMoved]]:
    """Of a fund, what was before a month and what is in it, up to `as_of`.

    A month begins at a civil midnight. Counted is after summed up: what was found then is found again.
    """
    await make_room(tx)
    values = {"number": fund_number, "begins_on": clock.civil_date(begins_at), **as_of._asdict()}
    sums = await read(tx, _SUMS, **values)
    found = await read(tx, _COUNTS, **values, begins_at=begins_at)
    counts = {_path(row): row["operations"] for row in found}
    before, within = [], []
    for row in sums:
        operation, debited, credited, corrects_month = path = _path(row)
        if row["before"]:
            before.append(Moved(debited, credited, row["amount_tiyn"]))
        else:
            amount = row["amount_tiyn"]
            within.append(MonthMoved(operation, debited, credited, corrects_month, counts[path], amount))
    return before, within


def _path(row: Row) -> tuple[str, Kind, Kind, str | None]:
    return row["kind"], KINDS[row["debited_kind"]], KINDS[row["credited_kind"]], row["corrects_month"]


async def held(tx: Transaction, fund_number: int, begins_at: datetime, ends_at: datetime) -> Row:
    """How many holds were made on a fund between two moments, and what they reserved at first."""
    (row,) = await read(tx, _HELD, number=fund_number, begins_at=begins_at, ends_at=ends_at)
    return row


async def find_lock(tx: Transaction, fund_number: int, month: str) -> Row | None:
    """The first lock that includes the month: a lock is of its month and all before it."""
    query = sa.select(month_locks).filter_by(fund_number=fund_number).order_by(month_locks.c.month)
    row = (await tx.execute(query.where(month_locks.c.month >= month).limit(1))).mappings().first()
    return dict(row) if row else None


async def lock_fund(tx: Transaction, fund_id: UUID) -> int:
    """Locks of a fund's months come one after the other. Returns the number of its accounts."""
    query = sa.select(funds.c.number).where(funds.c.id == fund_id)
    number: int = (await tx.execute(query.with_for_update(key_share=True))).scalar_one()
    return number


async def insert_lock(tx: Transaction, lock: dict[str, Any]) -> None:
    """For good: such a row is never changed."""
    await tx.execute(sa.insert(month_locks).values(lock))
