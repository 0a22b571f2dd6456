"""Reads the ledger as history: from rows that are only ever inserted, never from current balances.

`balances` sums up to a moment or a day. Each posting has two times. It is **recorded** at its batch's
`posted_at`. It is **effective** on the civil day that it is about: what a charge moves (it captures, gives
back, refunds and claims) is about the month of the lessons, so it is effective on that month's last day, or
on its own day if the month was not over yet; everything else is effective on the civil day on which it was
posted. A hold, too: what is reserved in October for November is not free in October. No posting is effective
after it was recorded.

`months` locks: what a charge moves by a batch after the lock of its month is effective when it was posted.
"""

from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from shared.database import Transaction

Row: TypeAlias = dict[str, Any]

DATED: Final = """
    SELECT p.operation_id, p.place, p.debit_account, p.credit_account, p.amount_tiyn, p.debit_account >> 40 AS
        fund_number, o.kind, o.child_id, o.batch_id, b.posted_at, c.enrollment_id, c.month AS charged_month,
        CASE WHEN late.found THEN c.month END AS corrects_month,
        least(
            (b.posted_at AT TIME ZONE 'Asia/Almaty')::date,
            CASE WHEN NOT late.found
                THEN (to_date(c.month, 'YYYY-MM') + interval '1 month' - interval '1 day')::date END
        ) AS effective_on
    FROM postings p JOIN operations o ON o.id = p.operation_id JOIN batches b ON b.id = o.batch_id
        LEFT JOIN charges c ON c.operation_id = o.id
        CROSS JOIN LATERAL (
            SELECT c.month IS NOT NULL AND EXISTS (
                SELECT FROM month_locks l
                WHERE l.fund_number = p.debit_account >> 40 AND l.month >= c.month
                    AND l.last_batch_id < o.batch_id
            ) AS found
        ) AS late
"""
"""Every posting with both of its times. The one place that says what is effective when."""
AS_OF: Final = """
    (CAST(:recorded_at AS timestamptz) IS NULL OR d.posted_at <= :recorded_at)
    AND (CAST(:effective_on AS date) IS NULL OR d.effective_on <= :effective_on)
    AND (CAST(:batch_id AS bigint) IS NULL OR d.batch_id <= :batch_id)
"""

_MAKE_ROOM: Final = sa.text("""
    SELECT set_config('work_mem', '64MB', true), set_config('enable_nestloop', 'off', true)
""")


async def make_room(tx: Transaction) -> None:
    """Sums over a whole ledger are hashed in memory for the rest of this transaction.

    How many rows are effective when, nobody can estimate: taken for few, each would be looked up by an index.
    """
    await tx.execute(_MAKE_ROOM)


async def read(tx: Transaction, statement: sa.TextClause, **values: Any) -> list[Row]:  # noqa: ANN401 - of any type
    """All rows."""
    return [dict(row) for row in (await tx.execute(statement, values)).mappings()]
