"""Absences, one row per provider. Accepted under the lock of the provider (`sheets.lock_provider`)."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from clubs.domain.absences import Absence
from clubs.repository.lessons import SEATED
from clubs.tables import absences, group_months, groups, seats, sheets
from shared.database import Transaction


def _absence_of(row: sa.Row[Any]) -> Absence:
    return Absence(
        id=row.id,
        child_id=row.child_id,
        provider_id=row.provider_id,
        since=row.since,
        until=row.until,
        asked_at=row.asked_at,
        accepted_at=row.accepted_at,
    )


def _seats_on(child_id: UUID, since: date, until: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        seats.c.child_id == child_id,
        seats.c.state.in_(SEATED),
        seats.c.starts_on < seats.c.ends_before,
        seats.c.starts_on <= until,
        seats.c.ends_before > since,
    )


async def providers_of(tx: Transaction, child_id: UUID, since: date, until: date) -> list[UUID]:
    """The providers at which a child has a seat on some of these days."""
    rows = await tx.execute(
        sa.select(groups.c.provider_id)
        .distinct()
        .join(seats, seats.c.group_id == groups.c.id)
        .where(_seats_on(child_id, since, until))
        .order_by(groups.c.provider_id)
    )
    return list(rows.scalars())


async def is_closed(
    tx: Transaction,
    providers: Collection[UUID],
    child_id: UUID,
    days: tuple[date, date],
    months: Collection[str],
) -> bool:
    """Whether any of these months is closed for the child's seats on these days at these providers."""
    closed_sheet = sa.exists().where(
        sheets.c.enrollment_id == seats.c.enrollment_id, sheets.c.month.in_(months)
    )
    closed_group = sa.exists().where(
        group_months.c.group_id == seats.c.group_id, group_months.c.month.in_(months), group_months.c.closed
    )
    found = await tx.execute(
        sa.select(seats.c.enrollment_id)
        .join(groups, groups.c.id == seats.c.group_id)
        .where(
            groups.c.provider_id.in_(providers),
            _seats_on(child_id, *days),
            sa.or_(closed_sheet, closed_group),
        )
        .limit(1)
    )
    return found.first() is not None


async def add_absences(tx: Transaction, rows: Sequence[Absence], *, person_id: UUID) -> bool:
    """False if the same days were announced to any of the providers already."""
    statement = insert(absences).values(
        [
            {
                "id": one.id,
                "child_id": one.child_id,
                "provider_id": one.provider_id,
                "since": one.since,
                "until": one.until,
                "asked_by": person_id,
                "asked_at": one.asked_at,
            }
            for one in rows
        ]
    )
    added = await tx.execute(statement.on_conflict_do_nothing())
    return added.rowcount == len(rows)


async def find_absence(tx: Transaction, id_: UUID, *, providers: frozenset[UUID]) -> Absence | None:
    """An absence at one of these providers."""
    row = (
        await tx.execute(
            sa.select(absences).where(absences.c.id == id_, absences.c.provider_id.in_(providers))
        )
    ).one_or_none()
    return _absence_of(row) if row else None


async def find_absences(
    tx: Transaction,
    *,
    children: frozenset[UUID],
    providers: frozenset[UUID],
    before: UUID | None,
    limit: int,
) -> list[Absence]:
    """The absences of these children, and those at these providers, the newest first."""
    query = sa.select(absences).where(
        sa.or_(absences.c.child_id.in_(children), absences.c.provider_id.in_(providers))
    )
    if before is not None:
        query = query.where(absences.c.id < before)
    return [_absence_of(row) for row in await tx.execute(query.order_by(absences.c.id.desc()).limit(limit))]


async def accept_absence(tx: Transaction, id_: UUID, *, person_id: UUID) -> None:
    """The provider agrees."""
    await tx.execute(
        sa.update(absences).where(absences.c.id == id_).values(accepted_by=person_id, accepted_at=tx.now)
    )
