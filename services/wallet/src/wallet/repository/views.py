"""What people see of a child's wallet."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction

_PURSES = sa.text("""
    WITH spent AS (
        -- A hold has the id of its operation; what was refunded is not captured any more.
        SELECT l.account_id, sum(l.captured_tiyn)::bigint AS amount_tiyn
        FROM operations o JOIN hold_layers l ON l.hold_id = o.id
        WHERE o.child_id = :child_id GROUP BY l.account_id
    )
    SELECT f.program_id, g.name AS program_name, f.id AS fund_id, f.name AS fund_name, f.mode,
        a.expires_on AS until, a.held AS held_tiyn, a.credited - a.debited - a.held AS free_tiyn,
        CASE f.mode WHEN 'ahead' THEN a.credited - a.debited - a.held ELSE 0 END AS expiring_tiyn,
        coalesce(s.amount_tiyn, 0) AS spent_tiyn
    FROM accounts a JOIN funds f ON f.number = a.id >> 40 JOIN programs g ON g.id = f.program_id
        LEFT JOIN spent s ON s.account_id = a.id
    WHERE a.kind = 16 AND a.child_id = :child_id
    ORDER BY g.place, g.id, a.expires_on, f.id
""")
_VERSION = sa.text("SELECT version FROM wallets WHERE child_id = :child_id")
_MOVEMENTS = sa.text("""
    WITH given_back AS (
        -- An order that bounced may give back what had been claimed: it is of a provider, not of a child.
        SELECT e.operation_id, (array_agg(i.enrollment_id))[1] AS enrollment_id, min(i.month) AS month,
            -sum(e.amount_tiyn)::bigint AS amount_tiyn
        FROM operations o JOIN charges c ON c.operation_id = o.id
            JOIN payable_items i USING (enrollment_id, month, revision)
            JOIN item_entries e ON e.item_id = i.id AND e.kind = 'refund'
            JOIN operations back ON back.id = e.operation_id AND back.child_id IS NULL
        WHERE o.child_id = :child_id GROUP BY e.operation_id
    )
    SELECT * FROM (
        SELECT o.id, b.posted_at AS at, o.kind,
            CASE WHEN c.operation_id IS NOT NULL THEN moved.amount_tiyn
                WHEN a.debit = 'allotment' THEN -o.amount_tiyn ELSE o.amount_tiyn END AS amount_tiyn,
            coalesce(h.enrollment_id, c.enrollment_id) AS enrollment_id, coalesce(h.month, c.month) AS month
        FROM operations o JOIN batches b ON b.id = o.batch_id LEFT JOIN charges c ON c.operation_id = o.id
            LEFT JOIN holds h ON h.id = o.id
            LEFT JOIN approved_operations a ON a.operation_id = o.id AND o.kind = 'correct'
            LEFT JOIN LATERAL (
                SELECT sum(CASE e.kind WHEN 'capture' THEN e.amount_tiyn ELSE -e.amount_tiyn END)::bigint
                    AS amount_tiyn
                FROM payable_items i JOIN item_entries e ON e.item_id = i.id AND e.operation_id = o.id
                WHERE (i.enrollment_id, i.month) = (c.enrollment_id, c.month)
                    AND e.kind IN ('capture', 'refund')
            ) AS moved ON true
        WHERE o.child_id = :child_id AND o.code IS NULL
            AND (CAST(:before AS uuid) IS NULL OR o.id < CAST(:before AS uuid))
        UNION ALL
        SELECT o.id, b.posted_at, o.kind, g.amount_tiyn, g.enrollment_id, g.month
        FROM given_back g JOIN operations o ON o.id = g.operation_id JOIN batches b ON b.id = o.batch_id
        WHERE CAST(:before AS uuid) IS NULL OR o.id < CAST(:before AS uuid)
    ) AS movement
    WHERE amount_tiyn <> 0
    ORDER BY id DESC LIMIT :limit
""")


async def wallet_version(tx: Transaction, child_id: UUID) -> int | None:
    """Which state of the wallet this is; None if there is no wallet yet."""
    version: int | None = (await tx.execute(_VERSION, {"child_id": child_id})).scalar_one_or_none()
    return version


async def purses(tx: Transaction, child_id: UUID) -> Sequence[sa.RowMapping]:
    """The allotments of a child, in the order in which they are spent."""
    return (await tx.execute(_PURSES, {"child_id": child_id})).mappings().all()


async def movements(
    tx: Transaction, child_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[sa.RowMapping]:
    """What was done with a child's money, the newest first."""
    values = {"child_id": child_id, "before": before, "limit": limit}
    return (await tx.execute(_MOVEMENTS, values)).mappings().all()
