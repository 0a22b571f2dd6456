"""Statements and their lines. Written under the lock of the provider (`sheets.lock_provider`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from clubs.domain.sheets import Revision
from clubs.domain.statements import Line, Statement
from clubs.tables import group_months, groups, sheets, statement_lines, statements
from shared.database import Transaction

_PUT_ON = """
INSERT INTO statement_lines (statement_id, enrollment_id, month, revision, digest)
SELECT $1::uuid, enrollment_id, $2::text, revision, digest
FROM unnest($3::uuid[], $4::integer[], $5::text[]) AS line (enrollment_id, revision, digest)
ON CONFLICT (statement_id, enrollment_id) DO UPDATE SET
    revision = excluded.revision, digest = excluded.digest
"""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line with the content of its sheet."""

    line: Line
    content: dict[str, Any]


def _statement_of(row: sa.Row[Any]) -> Statement:
    return Statement(
        id=row.id,
        version=row.version,
        provider_id=row.provider_id,
        month=row.month,
        number=row.number,
        state=row.state,
        signed_by=row.signed_by,
        signed_at=row.signed_at,
    )


def _month_is_over(provider_id: UUID, month: str) -> sa.ColumnElement[bool]:
    return ~(
        sa.exists()
        .where(groups.c.provider_id == provider_id, group_months.c.group_id == groups.c.id)
        .where(group_months.c.month == month, ~group_months.c.closed)
    )


async def unsigned(tx: Transaction, provider_id: UUID, month: str, *, id_: UUID) -> UUID:
    """The unsigned statement of a provider's month; a new one with this id if there is none."""
    found = await tx.execute(
        sa.select(statements.c.id).where(
            statements.c.provider_id == provider_id,
            statements.c.month == month,
            statements.c.state != "signed",
        )
    )
    known: UUID | None = found.scalar_one_or_none()
    if known is not None:
        return known
    signed = sa.select(sa.func.count()).where(
        statements.c.provider_id == provider_id, statements.c.month == month
    )
    number = (await tx.execute(signed)).scalar_one() + 1
    over = (await tx.execute(sa.select(_month_is_over(provider_id, month)))).scalar_one()
    await tx.execute(
        sa.insert(statements).values(
            id=id_,
            version=0,  # its first lines make it version 1
            provider_id=provider_id,
            month=month,
            number=number,
            state="ready" if number > 1 or over else "open",
        )
    )
    return id_


async def put_on(tx: Transaction, statement_id: UUID, revisions: Sequence[Revision]) -> None:
    """Put sheets of one month on a statement, in place of their earlier revisions."""
    driver = await tx.driver()
    await driver.execute(
        _PUT_ON,
        statement_id,
        revisions[0].sheet.month,
        [one.sheet.seat.enrollment_id for one in revisions],
        [one.number for one in revisions],
        [one.digest for one in revisions],
    )
    await tx.execute(
        sa.update(statements).where(statements.c.id == statement_id).values(version=statements.c.version + 1)
    )


async def make_ready(tx: Transaction, provider_id: UUID, months: Collection[str]) -> list[UUID]:
    """Offer for signature whatever waited for the last group of the provider to close its month."""
    ready: list[UUID] = []
    for month in sorted(months):
        changed = await tx.execute(
            sa.update(statements)
            .where(
                statements.c.provider_id == provider_id,
                statements.c.month == month,
                statements.c.state == "open",
                _month_is_over(provider_id, month),
            )
            .values(state="ready", version=statements.c.version + 1)
            .returning(statements.c.id)
        )
        ready += changed.scalars().all()
    return ready


async def find_statement(
    tx: Transaction, id_: UUID, *, providers: frozenset[UUID] | None = None
) -> Statement | None:
    """A statement; of these providers only, if they are given."""
    query = sa.select(statements).where(statements.c.id == id_)
    if providers is not None:
        query = query.where(statements.c.provider_id.in_(providers))
    row = (await tx.execute(query)).one_or_none()
    return _statement_of(row) if row else None


async def find_statements(tx: Transaction, provider_id: UUID, month: str) -> list[Statement]:
    """The statement of a month and its supplements, in their order."""
    rows = await tx.execute(
        sa.select(statements)
        .where(statements.c.provider_id == provider_id, statements.c.month == month)
        .order_by(statements.c.number)
    )
    return [_statement_of(row) for row in rows]


async def read_lines(tx: Transaction, statement_id: UUID) -> list[Line]:
    """All lines, in the order of the enrollments."""
    rows = await tx.execute(
        sa.select(statement_lines.c.enrollment_id, statement_lines.c.revision, statement_lines.c.digest)
        .where(statement_lines.c.statement_id == statement_id)
        .order_by(statement_lines.c.enrollment_id)
    )
    return [Line(row.enrollment_id, row.revision, row.digest) for row in rows]


async def show_lines(
    tx: Transaction, statement_id: UUID, *, after: UUID | None, limit: int
) -> list[ShownLine]:
    """Lines after this enrollment, with what is on their sheets."""
    query = (
        sa.select(statement_lines, sheets.c.content)
        .join(
            sheets,
            sa.and_(
                sheets.c.enrollment_id == statement_lines.c.enrollment_id,
                sheets.c.month == statement_lines.c.month,
                sheets.c.revision == statement_lines.c.revision,
            ),
        )
        .where(statement_lines.c.statement_id == statement_id)
    )
    if after is not None:
        query = query.where(statement_lines.c.enrollment_id > after)
    rows = await tx.execute(query.order_by(statement_lines.c.enrollment_id).limit(limit))
    return [
        ShownLine(Line(row.enrollment_id, row.revision, row.digest), orjson.loads(row.content))
        for row in rows
    ]


async def sign(tx: Transaction, statement_id: UUID, *, person_id: UUID) -> None:
    """Nothing is put on it any more."""
    await tx.execute(
        sa.update(statements)
        .where(statements.c.id == statement_id)
        .values(state="signed", version=statements.c.version + 1, signed_by=person_id, signed_at=tx.now)
    )
