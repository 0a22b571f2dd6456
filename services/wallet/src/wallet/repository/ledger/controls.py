"""Totals of a month of lessons by fund, to be held against those of others."""

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.repository.ledger import Row, read

_TOTALS: Final = sa.text("""
    WITH held AS (
        SELECT l.account_id >> 40 AS number, count(DISTINCT h.id) AS holds,
            sum(l.amount_tiyn)::bigint AS held_tiyn,
            count(DISTINCT h.id) FILTER (WHERE h.open) AS open_holds,
            sum(l.amount_tiyn - l.released_tiyn - l.captured_tiyn)::bigint AS still_held_tiyn
        FROM holds h JOIN hold_layers l ON l.hold_id = h.id WHERE h.month = :month GROUP BY 1
    ), charged AS (
        SELECT fund_id, count(DISTINCT enrollment_id) AS enrollment_months, count(*) AS items,
            sum(charged_tiyn)::bigint AS charged_tiyn,
            sum(charged_tiyn - amount_tiyn)::bigint AS refunded_tiyn,
            sum(claimed_tiyn)::bigint AS claimed_tiyn,
            coalesce(sum(amount_tiyn) FILTER (WHERE stage = 'settled'), 0)::bigint AS settled_tiyn
        FROM payable_items WHERE month = :month GROUP BY fund_id
    )
    SELECT f.id AS fund_id, coalesce(h.holds, 0) AS holds, coalesce(h.held_tiyn, 0) AS held_tiyn,
        coalesce(h.open_holds, 0) AS open_holds, coalesce(h.still_held_tiyn, 0) AS still_held_tiyn,
        coalesce(c.enrollment_months, 0) AS enrollment_months, coalesce(c.items, 0) AS items,
        coalesce(c.charged_tiyn, 0) AS charged_tiyn, coalesce(c.refunded_tiyn, 0) AS refunded_tiyn,
        coalesce(c.claimed_tiyn, 0) AS claimed_tiyn, coalesce(c.settled_tiyn, 0) AS settled_tiyn
    FROM funds f LEFT JOIN held h ON h.number = f.number LEFT JOIN charged c ON c.fund_id = f.id
    WHERE (f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
        AND (CAST(:after AS uuid) IS NULL OR f.id > :after)
    ORDER BY f.id LIMIT :limit
""")


async def totals(
    tx: Transaction, scopes: list[UUID], month: str, *, after: UUID | None, limit: int
) -> list[Row]:
    """Of the funds of these regions and programs, in the order of their ids."""
    return await read(tx, _TOTALS, scopes=scopes, month=month, after=after, limit=limit)
