"""Funding runs and whom they still have to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from shared.outbox import outbox
from wallet.domain.accounts import Kind
from wallet.repository.numbers import KIND_NUMBERS
from wallet.tables import FUND_SHIFT, accounts, entitlements, funding_runs, funds


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
    funded: int
    already: int
    declined: int
    allotted_tiyn: int
    missing_tiyn: int
    created_by: UUID
    created_at: datetime


class Entitled(NamedTuple):
    """A child whom the program may pay for, and how far the fund's earlier allotments reach.

    What went back to the fund, for the child did not use it, reaches nowhere: it may be allotted again.
    """

    child_id: UUID
    coefficient_percent: int
    """The best of its entitlements."""
    starts_on: date
    until: date
    allotted_until: date | None


async def insert_run(tx: Transaction, row: Mapping[str, Any]) -> None:
    """A run that a worker will find."""
    await tx.execute(sa.insert(funding_runs).values(row))


async def find_run(tx: Transaction, run_id: UUID) -> Run | None:
    """The run as it stands."""
    row = (await tx.execute(sa.select(funding_runs).where(funding_runs.c.id == run_id))).mappings().first()
    return Run(**row) if row else None


async def lock_running(tx: Transaction) -> Run | None:
    """The oldest run that has not ended, locked; another worker waits here for its chunk.

    One run at a time, never two: a child's months are counted from what the runs before have allotted.
    """
    query = sa.select(funding_runs.c.id).where(funding_runs.c.state == "running").order_by(funding_runs.c.id)
    run_id = (await tx.execute(query.limit(1).with_for_update())).scalar_one_or_none()
    return await find_run(tx, run_id) if run_id else None


async def update_run(tx: Transaction, run_id: UUID, values: Mapping[str, Any]) -> None:
    """How far it has come now."""
    await tx.execute(
        sa.update(funding_runs)
        .where(funding_runs.c.id == run_id)
        .values(version=funding_runs.c.version + 1, **values)
    )


async def next_children(tx: Transaction, run: Run, *, first: date, limit: int) -> list[Entitled]:
    """Children entitled on any day from `first` on, after the last one reached, in order of their ids."""
    entitled = (
        sa.select(
            entitlements.c.child_id,
            sa.func.max(entitlements.c.coefficient_percent).label("coefficient_percent"),
            sa.func.min(entitlements.c.starts_on).label("starts_on"),
            sa.func.max(entitlements.c.until).label("until"),
            funds.c.number,
        )
        .join(funds, funds.c.program_id == entitlements.c.program_id)
        .where(
            funds.c.id == run.fund_id, entitlements.c.starts_on <= run.until, entitlements.c.until >= first
        )
        .group_by(entitlements.c.child_id, funds.c.number)
        .order_by(entitlements.c.child_id)
        .limit(limit)
    )
    if run.after_child is not None:
        entitled = entitled.where(entitlements.c.child_id > run.after_child)
    child = entitled.subquery("child")
    allotted_until = (
        sa.select(sa.func.max(accounts.c.expires_on))
        .where(
            accounts.c.kind == KIND_NUMBERS[Kind.ALLOTMENT],
            accounts.c.child_id == child.c.child_id,
            ~accounts.c.given_back,
            accounts.c.id.op(">>")(sa.text(str(FUND_SHIFT))) == child.c.number,
        )
        .scalar_subquery()
    )
    query = sa.select(
        child.c.child_id, child.c.coefficient_percent, child.c.starts_on, child.c.until, allotted_until
    )
    return [Entitled._make(row) for row in await tx.execute(query.order_by(child.c.child_id))]


async def outbox_is_longer_than(tx: Transaction, rows: int) -> bool:
    """Whether more than so many events wait to be sent: then a run has to wait too."""
    waiting = sa.select(outbox.c.id).limit(rows + 1).subquery()
    return int((await tx.execute(sa.select(sa.func.count()).select_from(waiting))).scalar_one()) > rows
