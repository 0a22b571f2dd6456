"""Single postings with all that is known of them: in pages, the newest first, or all of them as a stream.

Postings have no index but the order in which they came (decision 0018). A page is found in windows of
operations that grow as long as too little is found in them; what belongs to a child, a provider or a kind, by
its own operations.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.repository.ledger import DATED, Row, make_room, read

WINDOW: Final = 1_000
WINDOW_MAX: Final = 256_000
_LAST: Final = UUID(int=2**128 - 1)


def _rows(which: str, order: str) -> str:
    return f"""
    SELECT d.operation_id, d.place, d.batch_id, d.posted_at, d.effective_on, d.kind, f.id AS fund_id,
        f.name AS fund_name, f.program_id, d.debit_account, debited.kind AS debited_kind, d.credit_account,
        credited.kind AS credited_kind, d.amount_tiyn,
        coalesce(debited.child_id, credited.child_id, d.child_id) AS child_id,
        coalesce(debited.provider_id, credited.provider_id, o.provider_id) AS provider_id, o.id AS payout_id,
        coalesce(d.enrollment_id, h.enrollment_id) AS enrollment_id,
        coalesce(d.charged_month, h.month) AS month, d.corrects_month
    FROM ({DATED} WHERE {which}
            AND (CAST(:fund_id AS uuid) IS NULL
                OR p.debit_account >> 40 = (SELECT number FROM funds WHERE id = :fund_id))
            AND (CAST(:account_id AS bigint) IS NULL OR :account_id IN (p.debit_account, p.credit_account))
        ) AS d
        JOIN accounts debited ON debited.id = d.debit_account
        JOIN accounts credited ON credited.id = d.credit_account
        JOIN funds f ON f.number = d.fund_number
        LEFT JOIN payouts o ON o.id = coalesce(debited.payout_id, credited.payout_id)
        LEFT JOIN holds h ON h.id = d.operation_id AND d.kind = 'hold'
    WHERE (CAST(:scopes AS uuid[]) IS NULL OR f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
        AND (CAST(:child_id AS uuid) IS NULL OR :child_id IN (debited.child_id, credited.child_id))
        AND (CAST(:provider_id AS uuid) IS NULL
            OR :provider_id IN (debited.provider_id, credited.provider_id, o.provider_id))
        AND (CAST(:kind AS text) IS NULL OR d.kind = :kind)
        AND (CAST(:batch_id AS bigint) IS NULL OR d.batch_id = :batch_id)
        AND (CAST(:recorded_from AS timestamptz) IS NULL OR d.posted_at >= :recorded_from)
        AND (CAST(:recorded_until AS timestamptz) IS NULL OR d.posted_at < :recorded_until)
        AND (CAST(:effective_from AS date) IS NULL OR d.effective_on >= :effective_from)
        AND (CAST(:effective_until AS date) IS NULL OR d.effective_on < :effective_until)
    {order}
    """  # noqa: S608 - of constants


_NEWEST_FIRST: Final = "ORDER BY d.operation_id DESC, d.place LIMIT :limit"
_SEEN: Final = "NOT (p.operation_id = :after_operation AND p.place <= :after_place)"
_OF_WINDOW: Final = sa.text(
    _rows(f"p.operation_id >= :first AND p.operation_id < :before AND {_SEEN}", _NEWEST_FIRST)
)
_OF_OPERATIONS: Final = sa.text(
    _rows(f"p.operation_id = ANY(CAST(:operations AS uuid[])) AND {_SEEN}", _NEWEST_FIRST)
)
_ALL: Final = sa.text(
    _rows("p.operation_id >= :first AND p.operation_id < :before", "ORDER BY d.operation_id, d.place")
)
_ROW_BY_ROW: Final = sa.text("""
    SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
""")
"""Within a bin of a column's histogram nobody knows how few rows a window has: for a page of a hundred, whole
tables would be hashed. Each of its rows finds what belongs to it by an index, and all of these are there."""
_WINDOW: Final = sa.text("""
    SELECT min(id::text COLLATE "C")::uuid AS first, count(*) AS operations FROM (
        SELECT id FROM operations WHERE id < :before AND id >= :since ORDER BY id DESC LIMIT :size
    ) AS newest
""")
_OF_KIND: Final = sa.text("""
    SELECT id FROM operations WHERE id < :before AND id >= :since AND kind = :kind
    ORDER BY id DESC LIMIT :size
""")
_OF_CHILD: Final = sa.text("""
    SELECT id FROM (
        SELECT id FROM operations WHERE child_id = :child_id
        UNION
        SELECT e.operation_id
        FROM operations o JOIN charges c ON c.operation_id = o.id
            JOIN payable_items i USING (enrollment_id, month) JOIN item_entries e ON e.item_id = i.id
        WHERE o.child_id = :child_id AND e.kind = 'refund'
    ) AS touching
    WHERE id < :before ORDER BY id DESC LIMIT :size
""")
_OF_PROVIDER: Final = sa.text("""
    SELECT DISTINCT e.operation_id AS id
    FROM payable_items i JOIN item_entries e ON e.item_id = i.id
    WHERE i.provider_id = :provider_id AND e.operation_id < :before
    ORDER BY id DESC LIMIT :size
""")
_OPERATION: Final = sa.text("""
    SELECT o.id, o.kind, o.code, o.amount_tiyn, o.child_id, o.batch_id, b.posted_at,
        coalesce(c.enrollment_id, h.enrollment_id) AS enrollment_id, coalesce(c.month, h.month) AS month
    FROM operations o JOIN batches b ON b.id = o.batch_id
        LEFT JOIN charges c ON c.operation_id = o.id
        LEFT JOIN repeated_holds r ON r.operation_id = o.id
        LEFT JOIN holds h ON h.id = coalesce(r.hold_id, o.id)
    WHERE o.id = :id AND (
        EXISTS (
            SELECT FROM postings p JOIN funds f ON f.number = p.debit_account >> 40
            WHERE p.operation_id = o.id AND (f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
        ) OR EXISTS (
            SELECT FROM hold_layers l JOIN funds f ON f.number = l.account_id >> 40
            WHERE l.hold_id = h.id AND (f.region_id = ANY(:scopes) OR f.program_id = ANY(:scopes))
        )
    )
""")
_BOUNDS: Final = sa.text("""
    SELECT min(o.id::text COLLATE "C")::uuid AS first, max(o.id::text COLLATE "C")::uuid AS last
    FROM operations o
    WHERE o.batch_id >= (
            SELECT min(id) FROM batches
            WHERE CAST(:recorded_from AS timestamptz) IS NULL OR posted_at >= :recorded_from
        ) AND o.batch_id <= (
            SELECT max(id) FROM batches
            WHERE CAST(:recorded_until AS timestamptz) IS NULL OR posted_at < :recorded_until
        ) AND (CAST(:batch_id AS bigint) IS NULL OR o.batch_id = :batch_id)
""")


class Wanted(NamedTuple):
    """Which postings. `scopes` are the regions and programs whose funds are seen; None: of whatever fund."""

    scopes: list[UUID] | None = None
    fund_id: UUID | None = None
    account_id: int | None = None
    child_id: UUID | None = None
    provider_id: UUID | None = None
    kind: str | None = None
    batch_id: int | None = None
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None
    effective_from: date | None = None
    effective_until: date | None = None


class Place(NamedTuple):
    """Where a page ended: a posting of an operation."""

    operation_id: UUID
    place: int


async def page(tx: Transaction, wanted: Wanted, *, after: Place | None, limit: int) -> list[Row]:
    """The next postings before the last one seen; the newest first."""
    await tx.execute(_ROW_BY_ROW)
    since, before = await _bounds(tx, wanted)
    if after is not None:
        before = min(before, UUID(int=after.operation_id.int + 1))
    seen = after or Place(_LAST, 0)
    found: list[Row] = []
    named = wanted.child_id or wanted.provider_id or wanted.kind
    size = limit if named else WINDOW
    while len(found) < limit:
        window = await _window(tx, wanted, since, before, size)
        if not window.operations:
            break
        values = {
            "after_operation": seen.operation_id,
            "after_place": seen.place,
            "limit": limit - len(found),
        }
        if window.named is None:
            values |= {"first": window.first, "before": before}
            found += await read(tx, _OF_WINDOW, **wanted._asdict(), **values)
        else:
            found += await read(tx, _OF_OPERATIONS, **wanted._asdict(), **values, operations=window.named)
        if window.operations < size:
            break
        before, size = window.first, min(size * 4, WINDOW_MAX)
    return found


async def find_operation(tx: Transaction, operation_id: UUID, scopes: list[UUID]) -> Row | None:
    """An operation that moved or reserved money of a fund of one of these regions or programs."""
    rows = await read(tx, _OPERATION, id=operation_id, scopes=scopes)
    return rows[0] if rows else None


async def of_operation(tx: Transaction, operation_id: UUID, wanted: Wanted, *, limit: int) -> list[Row]:
    """Its postings, in their order."""
    values = {"operations": [operation_id], "after_operation": _LAST, "after_place": 0, "limit": limit}
    return await read(tx, _OF_OPERATIONS, **wanted._asdict(), **values)


class _Window(NamedTuple):
    """Some operations: from the first one on, or those that are named."""

    first: UUID
    operations: int
    named: Sequence[UUID] | None = None


async def _window(tx: Transaction, wanted: Wanted, since: UUID, before: UUID, size: int) -> _Window:
    values = {"before": before, "size": size}
    if wanted.child_id is not None:
        rows = await read(tx, _OF_CHILD, **values, child_id=wanted.child_id)
    elif wanted.provider_id is not None:
        rows = await read(tx, _OF_PROVIDER, **values, provider_id=wanted.provider_id)
    elif wanted.kind is not None:
        rows = await read(tx, _OF_KIND, **values, since=since, kind=wanted.kind)
    else:
        (row,) = await read(tx, _WINDOW, **values, since=since)
        return _Window(row["first"] or before, row["operations"])
    ids = [row["id"] for row in rows]
    return _Window(ids[-1] if ids else before, len(ids), ids)


async def _bounds(tx: Transaction, wanted: Wanted) -> tuple[UUID, UUID]:
    """The operations that can be meant: from one up to before another."""
    if wanted.recorded_from is None and wanted.recorded_until is None and wanted.batch_id is None:
        return UUID(int=0), _LAST
    (row,) = await read(
        tx,
        _BOUNDS,
        recorded_from=wanted.recorded_from,
        recorded_until=wanted.recorded_until,
        batch_id=wanted.batch_id,
    )
    if row["first"] is None:
        return _LAST, UUID(int=0)
    return row["first"], UUID(int=row["last"].int + 1)


async def stream(
    tx: Transaction, wanted: Wanted, *, rows_at_once: int
) -> AsyncGenerator[Sequence[sa.RowMapping], None]:
    """All of them, the oldest first, through a cursor of the server: so many rows at a time are here."""
    await make_room(tx)
    first, before = await _bounds(tx, wanted)
    values = {**wanted._asdict(), "first": first, "before": before}
    result = await tx.connection.stream(_ALL, values)
    async for rows in result.mappings().partitions(rows_at_once):
        yield rows
