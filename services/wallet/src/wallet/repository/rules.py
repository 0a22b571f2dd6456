"""The versions of programs' rules, as rows. None is ever changed: the next one replaces it from a day on."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction
from wallet.tables import program_rules


async def insert_version(
    tx: Transaction, program_id: UUID, valid_from: date, content: Mapping[str, Any]
) -> bool:
    """The next version of a program that is locked or new; False if another one begins on that day."""
    latest = sa.select(sa.func.max(program_rules.c.version)).where(program_rules.c.program_id == program_id)
    row = insert(program_rules).values(
        program_id=program_id,
        version=sa.func.coalesce(latest.scalar_subquery(), 0) + 1,
        valid_from=valid_from,
        **content,
    )
    made = row.on_conflict_do_nothing(index_elements=["program_id", "valid_from"])
    return (await tx.execute(made.returning(program_rules.c.version))).first() is not None


async def list_versions(tx: Transaction, program_id: UUID) -> Sequence[sa.RowMapping]:
    """All versions, in the order in which they come into force."""
    query = sa.select(program_rules).where(program_rules.c.program_id == program_id)
    return (await tx.execute(query.order_by(program_rules.c.valid_from))).mappings().all()


async def next_change(tx: Transaction, program_id: UUID, after: date) -> date | None:
    """The first day after this one on which another version comes into force."""
    query = sa.select(sa.func.min(program_rules.c.valid_from)).where(
        program_rules.c.program_id == program_id, program_rules.c.valid_from > after
    )
    found: date | None = (await tx.execute(query)).scalar_one()
    return found
