"""The middle of a trace: months with their holds and charges, and items with all that was done to them."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.repository.frozen import read_verdicts
from wallet.repository.traces import Row, Rows, read

_ITEMS_OF_ORDER = sa.text("""
    SELECT item_id, amount_tiyn FROM (
        SELECT item_id, amount_tiyn FROM item_entries WHERE payout_id = :payout_id AND kind = 'pay_out'
        UNION ALL
        SELECT id, amount_tiyn FROM payable_items WHERE payout_id = :payout_id AND stage = 'in_run'
    ) AS ordered
    WHERE CAST(:after AS uuid) IS NULL OR item_id > :after
    ORDER BY item_id LIMIT :limit
""")
"""As much as left for the bank; before that, as much as waits to leave."""
_ENROLLMENT = sa.text("""
    WITH paid_by AS (
        SELECT DISTINCT f.id, f.region_id, f.program_id
        FROM enrollments e JOIN operations o ON o.child_id = e.child_id
            JOIN holds h ON h.id = o.id AND h.enrollment_id = e.id JOIN hold_layers l ON l.hold_id = h.id
            JOIN funds f ON f.number = l.account_id >> 40
        WHERE e.id = :enrollment_id
    )
    SELECT e.id, e.child_id, e.ends_on, e.released FROM enrollments e
    WHERE e.id = :enrollment_id AND CASE
        WHEN EXISTS (SELECT FROM paid_by)
        THEN EXISTS (SELECT FROM paid_by WHERE region_id = ANY(:scopes) OR program_id = ANY(:scopes))
        ELSE EXISTS (
            SELECT FROM entitlements t JOIN programs g ON g.id = t.program_id
            WHERE t.child_id = e.child_id AND (g.region_id = ANY(:scopes) OR g.id = ANY(:scopes))
        )
    END
""")
"""Who sees one of the funds that pay sees all of them: the parts make sense only together."""
_MONTHS = sa.text("""
    SELECT enrollment_id, month, child_id, attempt, state, code, missing_tiyn, hold_id, revision,
        captured_tiyn, disputed_tiyn, uncovered_tiyn, frozen
    FROM enrollment_months
    WHERE enrollment_id = :enrollment_id AND (CAST(:after AS text) IS NULL OR month > :after)
    ORDER BY month LIMIT :limit
""")
_ITEMS_OF_MONTHS = sa.text("""
    SELECT id FROM payable_items WHERE enrollment_id = :enrollment_id AND month = ANY(:months)
""")
_ITEMS = sa.text("""
    SELECT i.id AS item_id, i.enrollment_id, i.child_id, i.provider_id, i.group_id, i.fund_id, i.month,
        i.revision, i.charged_tiyn, i.amount_tiyn, i.claimed_tiyn, i.recovered_tiyn, i.stage, i.frozen,
        i.due_on, i.payout_id, i.created_at, c.operation_id
    FROM payable_items i JOIN charges c USING (enrollment_id, month, revision)
    WHERE i.id = ANY(:ids) ORDER BY i.month, i.revision, i.place, i.id
""")
_ENTRIES = sa.text("""
    SELECT e.item_id, e.operation_id, e.kind, e.amount_tiyn, e.payout_id, b.posted_at
    FROM item_entries e JOIN operations o ON o.id = e.operation_id JOIN batches b ON b.id = o.batch_id
    WHERE e.item_id = ANY(:ids) ORDER BY b.id, e.operation_id, e.kind
""")
_SIGNATURES = sa.text("""
    SELECT i.id AS item_id, s.statement_id, s.revision, s.signed_by, s.signed_at
    FROM payable_items i CROSS JOIN LATERAL (
        SELECT s.* FROM signed_revisions s JOIN charges c USING (enrollment_id, month, revision, digest)
        WHERE s.enrollment_id = i.enrollment_id AND s.month = i.month AND s.revision >= i.revision
        ORDER BY s.signed_at, s.revision LIMIT 1
    ) AS s
    WHERE i.id = ANY(:ids)
""")
"""The first that counts: of the item's own or a later revision, and of the facts that were charged."""
_CAPTURES = sa.text("""
    SELECT i.id AS item_id, p.operation_id, p.place AS posting, o.batch_id, b.posted_at, p.amount_tiyn,
        jsonb_build_object('account_id', a.id, 'expires_on', a.expires_on) AS allotment,
        CASE WHEN late.hold_id IS NOT NULL
                AND p.place = max(p.place) OVER (PARTITION BY p.operation_id, p.debit_account)
            THEN late.hold_id ELSE m.hold_id
        END AS hold_id
    FROM payable_items i JOIN charges c USING (enrollment_id, month, revision)
        JOIN enrollment_months m USING (enrollment_id, month)
        JOIN funds f ON f.id = i.fund_id
        JOIN operations o ON o.id = c.operation_id JOIN batches b ON b.id = o.batch_id
        JOIN postings p ON p.operation_id = o.id AND p.debit_account >> 40 = f.number
        JOIN accounts a ON a.id = p.debit_account AND a.kind = 16
        JOIN accounts owed ON owed.id = p.credit_account AND owed.kind = 5
        LEFT JOIN hold_layers late ON late.hold_id = o.id AND late.account_id = a.id
    WHERE i.id = ANY(:ids) ORDER BY p.operation_id, p.place
""")
"""A late raise makes a hold of its own, named like its operation, and takes from it what the first lacks."""
_CHARGES_OF_ITEMS = sa.text("""
    SELECT DISTINCT c.* FROM charges c JOIN unnest(
        CAST(:enrollments AS uuid[]), CAST(:months AS text[]), CAST(:revisions AS int[])
    ) AS wanted(enrollment_id, month, revision) USING (enrollment_id, month)
    WHERE c.revision = wanted.revision OR c.revision = (
        SELECT max(last.revision) FROM charges last WHERE last.enrollment_id = c.enrollment_id
            AND last.month = c.month
    )
    ORDER BY c.revision
""")
_LATEST_CHARGES = sa.text("""
    SELECT c.* FROM unnest(CAST(:months AS text[])) AS wanted(month) CROSS JOIN LATERAL (
        SELECT * FROM charges c WHERE c.enrollment_id = :enrollment_id AND c.month = wanted.month
        ORDER BY c.revision DESC LIMIT :limit
    ) AS c
    ORDER BY c.month, c.revision
""")
_HOLDS = sa.text("""
    SELECT h.id AS hold_id, h.enrollment_id, h.month, h.attempt, h.open, b.posted_at AS held_at,
        (h.terms ->> 'price_tiyn')::bigint AS price_tiyn,
        jsonb_array_length(h.terms -> 'lessons') AS planned_lessons,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object('program_id', r -> 'program_id', 'version', r -> 'version'))
            FROM jsonb_array_elements(h.terms -> 'rules') AS r
        ), '[]') AS rules,
        coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'fund_id', f.id, 'account_id', a.id, 'expires_on', a.expires_on,
                'amount_tiyn', l.amount_tiyn, 'released_tiyn', l.released_tiyn,
                'captured_tiyn', l.captured_tiyn) ORDER BY l.place)
            FROM hold_layers l JOIN accounts a ON a.id = l.account_id JOIN funds f ON f.number = a.id >> 40
            WHERE l.hold_id = h.id
        ), '[]') AS layers
    FROM unnest(CAST(:children AS uuid[]), CAST(:enrollments AS uuid[]), CAST(:months AS text[]))
            AS wanted(child_id, enrollment_id, month)
        JOIN operations o ON o.child_id = wanted.child_id
        JOIN holds h ON h.id = o.id AND h.enrollment_id = wanted.enrollment_id AND h.month = wanted.month
        JOIN batches b ON b.id = o.batch_id
    ORDER BY h.id
""")


async def find_enrollment(tx: Transaction, enrollment_id: UUID, scopes: Collection[UUID]) -> Row | None:
    """The enrollment, if one of the scopes is of a fund that pays for it, or was to pay."""
    rows = await read(tx, _ENROLLMENT, enrollment_id=enrollment_id, scopes=list(scopes))
    return rows[0] if rows else None


async def months(tx: Transaction, enrollment_id: UUID, *, after: str | None, limit: int) -> Rows:
    """What became of each month that the wallet was asked about."""
    return await read(tx, _MONTHS, enrollment_id=enrollment_id, after=after, limit=limit)


async def items_of_order(tx: Transaction, payout_id: UUID, *, after: UUID | None, limit: int) -> Rows:
    """Which items an order pays, and how much of each: also if it bounced, and they are paid by another."""
    return await read(tx, _ITEMS_OF_ORDER, payout_id=payout_id, after=after, limit=limit)


async def items_of_months(tx: Transaction, enrollment_id: UUID, of: Sequence[str]) -> list[UUID]:
    """The items of these months."""
    rows = await read(tx, _ITEMS_OF_MONTHS, enrollment_id=enrollment_id, months=list(of))
    return [row["id"] for row in rows]


async def items(tx: Transaction, item_ids: Collection[UUID]) -> Rows:
    """These items as they are now."""
    return await read(tx, _ITEMS, ids=list(item_ids))


async def entries(tx: Transaction, item_ids: Collection[UUID]) -> Rows:
    """What was done with these items, in order."""
    return await read(tx, _ENTRIES, ids=list(item_ids))


async def signatures(tx: Transaction, item_ids: Collection[UUID]) -> Rows:
    """By which signature of the provider each of these items fell due; none if it did not yet."""
    return await read(tx, _SIGNATURES, ids=list(item_ids))


async def captures(tx: Transaction, item_ids: Collection[UUID]) -> Rows:
    """Out of which allotments and holds these items came."""
    return await read(tx, _CAPTURES, ids=list(item_ids))


async def charges_of_items(tx: Transaction, of: Rows) -> Rows:
    """The charges that made these items, and the latest ones of their months, earlier ones first."""
    return _with_lessons(
        await read(
            tx,
            _CHARGES_OF_ITEMS,
            enrollments=[row["enrollment_id"] for row in of],
            months=[row["month"] for row in of],
            revisions=[row["revision"] for row in of],
        )
    )


async def latest_charges(tx: Transaction, enrollment_id: UUID, of: Sequence[str], *, of_each: int) -> Rows:
    """The last charges of each of these months, in order."""
    values = {"enrollment_id": enrollment_id, "months": list(of), "limit": of_each}
    return _with_lessons(await read(tx, _LATEST_CHARGES, **values))


def _with_lessons(charges: Rows) -> Rows:
    return [
        {**row, "lessons": [verdict._asdict() for verdict in read_verdicts(row["verdicts"])]}
        for row in charges
    ]


async def holds(tx: Transaction, of: Collection[tuple[UUID, UUID, str]]) -> Rows:
    """What was ever held for these children, enrollments and months."""
    children, enrollments, of_months = zip(*of, strict=True) if of else ((), (), ())
    return await read(
        tx, _HOLDS, children=list(children), enrollments=list(enrollments), months=list(of_months)
    )
