"""Funding runs and whom they still have to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from shared.outbox import outbox
from wallet.tables import entitlements, funding_runs, funds


@dataclass(frozen=True, slots=True)
class Run:
    """A funding run and how far it has come."""

    id: UUID
    version: int
    fund_id: UUID
    until: date
    dry_run: bool
    state: str
    after_child: UUID | None
    months: int
    funded: int
    already: int
    declined: int
    allotted_tiyn: int
    missing_tiyn: int
    created_by: UUID
    created_at: datetime


async def insert_run(tx: Transaction, row: Mapping[str, Any]) -> None:
    """A run that a worker will find."""
    await tx.execute(sa.insert(funding_runs).values(row))


async def find_run(tx: Transaction, run_id: UUID) -> Run | None:
    """The run as it stands."""
    row = (await tx.execute(sa.select(funding_runs).where(funding_runs.c.id == run_id))).mappings().first()
    return Run(**row) if row else None


async def lock_running(tx: Transaction) -> Run | None:
    """The oldest run that has not ended and that no other worker is at, locked."""
    query = sa.select(funding_runs.c.id).where(funding_runs.c.state == "running").order_by(funding_runs.c.id)
    run_id = (await tx.execute(query.limit(1).with_for_update(skip_locked=True))).scalar_one_or_none()
    return await find_run(tx, run_id) if run_id else None


async def update_run(tx: Transaction, run_id: UUID, values: Mapping[str, Any]) -> None:
    """How far it has come now."""
    await tx.execute(
        sa.update(funding_runs)
        .where(funding_runs.c.id == run_id)
        .values(version=funding_runs.c.version + 1, **values)
    )


async def next_children(tx: Transaction, run: Run, *, first: date, limit: int) -> list[tuple[UUID, int]]:
    """Entitled children after the last one reached, in order of their ids, with their best coefficient."""
    query = (
        sa.select(entitlements.c.child_id, sa.func.max(entitlements.c.coefficient_percent).label("best"))
        .join(funds, funds.c.program_id == entitlements.c.program_id)
        .where(
            funds.c.id == run.fund_id, entitlements.c.starts_on <= run.until, entitlements.c.until >= first
        )
        .group_by(entitlements.c.child_id)
        .order_by(entitlements.c.child_id)
        .limit(limit)
    )
    if run.after_child is not None:
        query = query.where(entitlements.c.child_id > run.after_child)
    return [(row.child_id, row.best) for row in await tx.execute(query)]


async def outbox_is_longer_than(tx: Transaction, rows: int) -> bool:
    """Whether more than so many events wait to be sent: then a run has to wait too."""
    waiting = sa.select(outbox.c.id).limit(rows + 1).subquery()
    return int((await tx.execute(sa.select(sa.func.count()).select_from(waiting))).scalar_one()) > rows
