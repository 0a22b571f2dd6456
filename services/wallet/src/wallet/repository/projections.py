"""What the wallet knows of others' facts: entitlements, groups and their planned lessons.

Each is applied in one statement, and only if it is not older than what is known.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction
from wallet.domain.holds import Lesson
from wallet.tables import entitlements, group_months, groups


async def apply_entitlement(tx: Transaction, row: Mapping[str, Any]) -> None:
    """A child's right to be paid for by a program."""
    await _apply(tx, entitlements, row)


async def apply_group(tx: Transaction, row: Mapping[str, Any]) -> None:
    """What a group offers, at what price."""
    await _apply(tx, groups, row)


async def apply_group_month(tx: Transaction, row: Mapping[str, Any]) -> None:
    """The lessons a group has planned in a month."""
    await _apply(tx, group_months, row)


async def _apply(tx: Transaction, table: sa.Table, row: Mapping[str, Any]) -> None:
    statement = insert(table).values(row)
    keys = [column.name for column in table.primary_key]
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=keys,
            set_={name: statement.excluded[name] for name in row if name not in keys},
            where=statement.excluded.version >= table.c.version,
        )
    )


async def find_group(tx: Transaction, group_id: UUID) -> sa.RowMapping | None:
    """The group's provider, direction and price."""
    return (await tx.execute(sa.select(groups).where(groups.c.id == group_id))).mappings().first()


async def planned_lessons(
    tx: Transaction, group_id: UUID, from_month: str
) -> Sequence[tuple[str, list[Lesson]]]:
    """The months planned for a group, from this one on, with their lessons."""
    rows = await tx.execute(
        sa.select(group_months.c.month, group_months.c.lessons)
        .where(group_months.c.group_id == group_id, group_months.c.month >= from_month)
        .order_by(group_months.c.month)
    )
    return [(row.month, [Lesson.read(one["lesson_id"], one["on"]) for one in row.lessons]) for row in rows]
