"""What is owed to providers, as rows: read under lock, and written set by set."""

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

import asyncpg

from wallet.domain.books import Books
from wallet.domain.items import Item, Stage
from wallet.repository.holdings import MonthKey, columns_of
from wallet.repository.payers import Driver

_NAMES: Final = tuple(one.name for one in fields(Item))
# Of months, orders and claims, in the order of their ids: others wait, and then see what we wrote.
_ITEMS = """
SELECT id, child_id, enrollment_id, month, revision, provider_id, group_id, fund_id, place, charged_tiyn,
    amount_tiyn, due_on, stage, frozen, claimed_tiyn, payout_id, recovered_tiyn
FROM payable_items WHERE id IN (
    SELECT i.id FROM payable_items i
        JOIN unnest($1::uuid[], $2::text[]) AS wanted(enrollment_id, month) USING (enrollment_id, month)
    UNION ALL SELECT id FROM payable_items WHERE payout_id = ANY($3::uuid[])
    UNION ALL SELECT i.id FROM payable_items i
        JOIN unnest($4::uuid[], $5::uuid[]) AS owing(provider_id, fund_id) USING (provider_id, fund_id)
    WHERE i.claimed_tiyn > 0
) ORDER BY id
"""
_ORDERED_MONTHS = """
SELECT DISTINCT child_id, enrollment_id, month FROM payable_items WHERE payout_id = ANY($1::uuid[])
"""
INSERT_ITEMS: Final = """
INSERT INTO payable_items (id, child_id, enrollment_id, month, revision, provider_id, group_id, fund_id,
    place, charged_tiyn, amount_tiyn, due_on, stage, frozen, claimed_tiyn, payout_id, recovered_tiyn,
    created_at)
SELECT new.*, $1 FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::int[], $7::uuid[],
    $8::uuid[], $9::uuid[], $10::smallint[], $11::bigint[], $12::bigint[], $13::date[], $14::text[],
    $15::boolean[], $16::bigint[], $17::uuid[], $18::bigint[]) AS new
"""
UPDATE_ITEMS: Final = """
UPDATE payable_items SET version = payable_items.version + 1, amount_tiyn = row.amount_tiyn,
    claimed_tiyn = row.claimed_tiyn, stage = row.stage, frozen = row.frozen, payout_id = row.payout_id,
    recovered_tiyn = row.recovered_tiyn
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::uuid[], $7::bigint[])
    AS row(id, amount_tiyn, claimed_tiyn, stage, frozen, payout_id, recovered_tiyn)
WHERE payable_items.id = row.id
"""
INSERT_ENTRIES: Final = """
INSERT INTO item_entries (item_id, operation_id, kind, amount_tiyn, payout_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[])
"""


async def read_items(
    driver: Driver,
    months: Collection[MonthKey],
    *,
    payout_ids: Collection[UUID],
    claimed: Collection[tuple[UUID, UUID]],
    lock: bool,
) -> list[Item]:
    """The items of these months and orders, and what is claimed of these providers by these funds.

    With `lock` nobody else changes them before our commit.
    """
    if not months and not payout_ids and not claimed:
        return []
    owing = [provider_id for provider_id, _ in claimed], [fund_id for _, fund_id in claimed]
    statement = f"{_ITEMS} FOR NO KEY UPDATE" if lock else _ITEMS
    rows = await driver.fetch(statement, *columns_of(months), list(payout_ids), *owing)
    return [_item(row) for row in rows]


def _item(row: asyncpg.Record) -> Item:
    return Item(**{**row, "stage": Stage(row["stage"])})


async def months_of_orders(driver: Driver, payout_ids: Collection[UUID]) -> dict[MonthKey, UUID]:
    """Whose months the items of these orders are for. An order gains none after it is made."""
    rows = await driver.fetch(_ORDERED_MONTHS, list(payout_ids)) if payout_ids else ()
    return {(row["enrollment_id"], row["month"]): row["child_id"] for row in rows}


def created_items(books: Books) -> Iterable[tuple[Any, ...]]:
    """New items, as rows of `INSERT_ITEMS`."""
    for id_ in books.created_items:
        item = books.items[id_]
        yield tuple(getattr(item, name) for name in _NAMES)


def changed_items(books: Books) -> Iterable[tuple[Any, ...]]:
    """Known items as they are now, as rows of `UPDATE_ITEMS`."""
    for id_ in books.changed_items:
        item = books.items[id_]
        yield (
            item.id,
            item.amount_tiyn,
            item.claimed_tiyn,
            item.stage,
            item.frozen,
            item.payout_id,
            item.recovered_tiyn,
        )
