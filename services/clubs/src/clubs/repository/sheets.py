"""The sheets of a group's months, the seats they are of, and the locks under which they are made."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from clubs.domain.sheets import Revision, Seat
from clubs.repository.lessons import SEATED
from clubs.tables import group_months, groups, providers, seats, sheets
from shared.clock import first_day, next_month
from shared.database import Transaction
from shared.security import Principal

_ADD = """
INSERT INTO sheets (enrollment_id, month, revision, group_id, provider_id, child_id, digest, content, made_at)
SELECT *, $9::timestamptz FROM unnest(
    $1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[]
)
"""


@dataclass(frozen=True, slots=True)
class GroupMonths:
    """A group with the months that are planned and not closed."""

    provider_id: UUID
    starts_on: date
    ends_on: date
    unclosed: tuple[str, ...]
    last_closed: str | None


async def lock_provider(tx: Transaction, provider_id: UUID) -> None:
    """Whatever makes sheets of a provider, or signs them, comes one after the other.

    Taken before any month of a group is locked.
    """
    await tx.execute(
        sa.select(providers.c.id).where(providers.c.id == provider_id).with_for_update(key_share=True)
    )


async def lock_months(tx: Transaction, group_id: UUID, months: Collection[str]) -> None:
    """Nobody marks a lesson of these months until the end of the transaction."""
    await tx.execute(
        sa.select(group_months.c.month)
        .where(group_months.c.group_id == group_id, group_months.c.month.in_(months))
        .order_by(group_months.c.month)
        .with_for_update(key_share=True)
    )


async def find_group_months(tx: Transaction, group_id: UUID) -> GroupMonths | None:
    """What there is to close of a group."""
    group = (
        await tx.execute(
            sa.select(groups.c.provider_id, groups.c.starts_on, groups.c.ends_on).where(
                groups.c.id == group_id
            )
        )
    ).one_or_none()
    if group is None:
        return None
    months = (
        await tx.execute(
            sa.select(group_months.c.month, group_months.c.closed)
            .where(group_months.c.group_id == group_id)
            .order_by(group_months.c.month)
        )
    ).all()
    return GroupMonths(
        provider_id=group.provider_id,
        starts_on=group.starts_on,
        ends_on=group.ends_on,
        unclosed=tuple(row.month for row in months if not row.closed),
        last_closed=max((row.month for row in months if row.closed), default=None),
    )


async def close(tx: Transaction, group_id: UUID, month: str) -> None:
    """No more marks in this month of the group."""
    await tx.execute(
        sa.update(group_months)
        .where(group_months.c.group_id == group_id, group_months.c.month == month)
        .values(closed=True)
    )


def _seat_of(row: sa.Row[Any]) -> Seat:
    return Seat(row.enrollment_id, row.child_id, row.starts_on, row.ends_before)


async def seats_of(tx: Transaction, group_id: UUID, month: str) -> list[Seat]:
    """Whoever has a seat in a group on some day of a month."""
    rows = await tx.execute(
        sa.select(seats).where(seats.c.group_id == group_id, _in(month)).order_by(seats.c.enrollment_id)
    )
    return [_seat_of(row) for row in rows]


def _in(month: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        seats.c.state.in_(SEATED),
        seats.c.starts_on < seats.c.ends_before,
        seats.c.starts_on < first_day(next_month(month)),
        seats.c.ends_before > first_day(month),
    )


async def find_seat(tx: Transaction, enrollment_id: UUID) -> tuple[UUID, UUID, Seat] | None:
    """The provider, the group and the days of a seat."""
    row = (
        await tx.execute(
            sa.select(seats, groups.c.provider_id)
            .join(groups, groups.c.id == seats.c.group_id)
            .where(seats.c.enrollment_id == enrollment_id, seats.c.state.in_(SEATED))
        )
    ).one_or_none()
    return (row.provider_id, row.group_id, _seat_of(row)) if row else None


async def find_seats(
    tx: Transaction,
    principal: Principal,
    month: str,
    *,
    child_id: UUID | None = None,
    enrollment_id: UUID | None = None,
) -> list[tuple[UUID, UUID, Seat]]:
    """Provider, group and days of the seats in a month that this person may look at."""
    statement = (
        sa.select(seats, groups.c.provider_id)
        .join(groups, groups.c.id == seats.c.group_id)
        .where(_in(month))
        .order_by(seats.c.enrollment_id)
    )
    if child_id is not None:
        statement = statement.where(seats.c.child_id == child_id)
    if enrollment_id is not None:
        statement = statement.where(seats.c.enrollment_id == enrollment_id)
    if not principal.has("administrator", "auditor"):
        statement = statement.where(
            sa.or_(
                seats.c.child_id.in_(principal.scopes("guardian")),
                groups.c.provider_id.in_(principal.scopes("director")),
            )
        )
    return [(row.provider_id, row.group_id, _seat_of(row)) for row in await tx.execute(statement)]


async def latest(tx: Transaction, month: str, enrollments: Collection[UUID]) -> dict[UUID, tuple[int, str]]:
    """Number and digest of the latest revisions there are."""
    rows = await tx.execute(
        sa.select(sheets.c.enrollment_id, sheets.c.revision, sheets.c.digest)
        .ext(distinct_on(sheets.c.enrollment_id))
        .where(sheets.c.month == month, sheets.c.enrollment_id.in_(enrollments))
        .order_by(sheets.c.enrollment_id, sheets.c.revision.desc())
    )
    return {row.enrollment_id: (row.revision, row.digest) for row in rows}


async def closed_months(tx: Transaction, enrollment_id: UUID) -> frozenset[str]:
    """The months of which an enrollment has a sheet."""
    rows = await tx.execute(
        sa.select(sheets.c.month).distinct().where(sheets.c.enrollment_id == enrollment_id)
    )
    return frozenset(rows.scalars())


async def add(tx: Transaction, revisions: Iterable[Revision]) -> None:
    """Keep these revisions for good."""
    rows = [
        (
            one.sheet.seat.enrollment_id,
            one.sheet.month,
            one.number,
            one.sheet.group_id,
            one.sheet.provider_id,
            one.sheet.seat.child_id,
            one.digest,
            one.text,
        )
        for one in revisions
    ]
    driver = await tx.driver()
    await driver.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)), tx.now)
