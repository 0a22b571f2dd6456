"""The ends of a trace: budget lines with their deposits, and bank orders with their runs and answers."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.repository.traces import Row, Rows, read

_FUND = sa.text("""
    SELECT f.id, f.number, f.program_id, g.name AS program_name, f.region_id, f.funder, f.name, f.mode,
        f.budget_tiyn, f.last_capture_on, p.proposed_by, p.decided_by AS approved_by,
        p.decided_at AS approved_at
    FROM funds f JOIN programs g ON g.id = f.program_id
        LEFT JOIN proposals p ON p.kind = 'fund' AND p.made_id = f.id
    WHERE f.id = :fund_id AND (f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
""")
_DEPOSITS = sa.text("""
    SELECT o.id AS operation_id, o.amount_tiyn, o.batch_id, b.posted_at, e.actor_id AS entered_by
    FROM audit_entries e JOIN operations o ON o.id = (e.details ->> 'operation_id')::uuid
        JOIN batches b ON b.id = o.batch_id
    WHERE e.object_id = :fund_id AND e.object_kind = 'fund' AND e.action = 'deposit'
    ORDER BY e.id DESC LIMIT :limit
""")
_AGREED = sa.text("""
    SELECT a.operation_id, o.kind, o.batch_id, b.posted_at, a.debit, a.credit, a.amount_tiyn, a.provider_id,
        a.bank_reference, a.corrects, a.reason, a.proposed_by, a.approved_by, a.approved_at
    FROM approved_operations a JOIN operations o ON o.id = a.operation_id JOIN batches b ON b.id = o.batch_id
    WHERE a.fund_id = :fund_id ORDER BY a.operation_id DESC LIMIT :limit
""")
_TOTALS = sa.text("""
    WITH agreed AS (
        SELECT coalesce(sum(amount_tiyn) FILTER (WHERE credit = 'bank' AND corrects IS NULL), 0)
                AS to_the_budget,
            coalesce(sum(amount_tiyn) FILTER (WHERE debit = 'bank' AND corrects IS NOT NULL), 0)
                AS not_carried_out,
            coalesce(sum(amount_tiyn) FILTER (WHERE credit = 'bank' AND corrects IS NOT NULL), 0)
                AS not_deposited
        FROM approved_operations WHERE fund_id = :fund_id
    )
    SELECT
        (coalesce(sum(debited) FILTER (WHERE kind = 1), 0)
            - max(not_carried_out) - max(not_deposited))::bigint AS received_tiyn,
        (coalesce(sum(credited) FILTER (WHERE kind = 1), 0)
            - max(to_the_budget) - max(not_deposited))::bigint AS paid_tiyn,
        (max(to_the_budget) - max(not_carried_out))::bigint AS given_back_tiyn,
        coalesce(sum(credited - debited) FILTER (WHERE kind = 2), 0)::bigint AS free_tiyn,
        coalesce(sum(credited - debited) FILTER (WHERE kind = 3), 0)::bigint AS returned_tiyn,
        coalesce(sum(credited - debited) FILTER (WHERE kind = 4), 0)::bigint AS claimed_tiyn,
        coalesce(sum(credited - debited) FILTER (WHERE kind = 5), 0)::bigint AS payable_tiyn,
        coalesce(sum(debited - credited) FILTER (WHERE kind = 6), 0)::bigint AS receivable_tiyn,
        coalesce(sum(credited - debited) FILTER (WHERE kind = 7), 0)::bigint AS in_payout_tiyn,
        coalesce(sum(credited - debited - held) FILTER (WHERE kind = 16), 0)::bigint AS allotted_free_tiyn,
        coalesce(sum(held) FILTER (WHERE kind = 16), 0)::bigint AS allotted_held_tiyn,
        count(*) FILTER (WHERE kind = 16) AS allotments
    FROM accounts CROSS JOIN agreed
    WHERE id >= CAST(:number AS bigint) << 40 AND id < (CAST(:number AS bigint) + 1) << 40
""")
_ORDERS = """
    SELECT p.id, p.provider_id, p.fund_id, p.msg_id, p.end_to_end_id, p.amount_tiyn, p.items, p.state, p.code,
        p.attempts, p.created_at, p.submitted_at, p.sent_at, p.answered_at, p.final_at,
        jsonb_build_object('name', p.name, 'bin', p.bin, 'iban', p.iban, 'proposed_by', y.proposed_by,
            'approved_by', y.decided_by, 'approved_at', y.decided_at) AS payee,
        jsonb_build_object('id', r.id, 'state', r.state, 'proposal_id', r.proposal_id, 'proposed_by',
            r.proposed_by, 'proposed_at', r.created_at, 'approved_by', r.approved_by, 'approved_at',
            r.approved_at) AS run
    FROM payouts p JOIN payout_runs r ON r.id = p.run_id
        LEFT JOIN LATERAL (
            SELECT q.proposed_by, q.decided_by, q.decided_at
            FROM payees y JOIN proposals q ON q.id = y.proposal_id
            WHERE (y.provider_id, y.iban, y.name, y.bin) = (p.provider_id, p.iban, p.name, p.bin)
                AND y.created_at <= p.created_at
            ORDER BY y.created_at DESC LIMIT 1
        ) AS y ON true
"""
_ORDER = sa.text(
    _ORDERS
    + """
    JOIN funds f ON f.id = p.fund_id
    WHERE p.id = :payout_id AND (f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
"""
)
_ORDERS_BY_ID = sa.text(_ORDERS + "WHERE p.id = ANY(:ids) ORDER BY p.id")
_ORDERS_OF_FUND = sa.text(
    _ORDERS
    + """
    WHERE r.fund_id = :fund_id AND (CAST(:after AS uuid) IS NULL OR p.id > :after)
    ORDER BY p.id LIMIT :limit
"""
)
_REPORTS = sa.text("""
    SELECT payout_id, status, code, contradicts, read_at FROM bank_reports
    WHERE payout_id = ANY(:ids) ORDER BY read_at, status
""")
_FUND_NAMES = sa.text("SELECT id, name, funder FROM funds WHERE id = ANY(:ids)")


async def find_fund(tx: Transaction, fund_id: UUID, scopes: Collection[UUID]) -> Row | None:
    """The budget line, and who made it, if one of the scopes is its region or its program."""
    rows = await read(tx, _FUND, fund_id=fund_id, scopes=list(scopes))
    return rows[0] if rows else None


async def deposits(tx: Transaction, fund_id: UUID, *, limit: int) -> Rows:
    """Money that came in, the latest first."""
    return await read(tx, _DEPOSITS, fund_id=fund_id, limit=limit)


async def totals(tx: Transaction, fund_id: UUID, fund_number: int) -> Row:
    """Where the fund's money is, added up over all its accounts."""
    (row,) = await read(tx, _TOTALS, fund_id=fund_id, number=fund_number)
    return row


async def agreed(tx: Transaction, fund_id: UUID, *, limit: int) -> Rows:
    """What two persons agreed on about the fund's money, the latest first."""
    return await read(tx, _AGREED, fund_id=fund_id, limit=limit)


async def fund_names(tx: Transaction, fund_ids: Collection[UUID]) -> Rows:
    """What these funds are called, and whose they are."""
    return await read(tx, _FUND_NAMES, ids=list(fund_ids))


async def find_order(tx: Transaction, payout_id: UUID, scopes: Collection[UUID]) -> Row | None:
    """A bank order with its run, if one of the scopes is its fund's region or program."""
    rows = await read(tx, _ORDER, payout_id=payout_id, scopes=list(scopes))
    return rows[0] if rows else None


async def orders(tx: Transaction, payout_ids: Collection[UUID]) -> Rows:
    """These orders, each with its run."""
    return await read(tx, _ORDERS_BY_ID, ids=list(payout_ids))


async def orders_of_fund(tx: Transaction, fund_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """The orders that pay from a fund, the first ones first."""
    return await read(tx, _ORDERS_OF_FUND, fund_id=fund_id, after=after, limit=limit)


async def reports(tx: Transaction, payout_ids: Collection[UUID]) -> Rows:
    """What the bank said of these orders, in the order in which it was read."""
    return await read(tx, _REPORTS, ids=list(payout_ids))
