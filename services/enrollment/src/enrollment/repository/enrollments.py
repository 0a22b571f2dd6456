"""Enrollments with their months: locked, read, written."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from enrollment.domain.admission import Commitment
from enrollment.domain.enrollment import OVER, Enrollment, Month, MonthState, State
from enrollment.repository.groups import schedule_of
from enrollment.tables import enrollments, entitlements, groups, months
from shared.database import Transaction
from shared.security import Principal

_FIELDS = [
    column
    for column in enrollments.columns
    if column.name not in {"requested_by", "requested_at", "changed_at"}
]
_MONTH_FIELDS = [column.name for column in months.columns if column.name != "enrollment_id"]
_OF_MONTH = [months.c[name].label(f"month_{name}") for name in _MONTH_FIELDS]


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for an enrollment, and when."""

    person_id: UUID
    at: datetime


async def add(tx: Transaction, enrollment: Enrollment, request: Request) -> None:
    """Write a new enrollment, which has no months yet."""
    asked = {"requested_by": request.person_id, "requested_at": request.at}
    await tx.execute(sa.insert(enrollments), _columns(enrollment) | asked)


async def lock(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Enrollment]:
    """These enrollments, locked in the order of their ids and read after that."""
    if not ids:
        return {}
    found = enrollments.c.id.in_(ids)
    await tx.execute(
        sa.select(enrollments.c.id).where(found).order_by(enrollments.c.id).with_for_update(key_share=True)
    )
    return {one.id: one for one in await _read(tx, sa.select(*_FIELDS).where(found))}


async def save_all(tx: Transaction, changes: Sequence[tuple[Enrollment, Enrollment]]) -> None:
    """Write what changed of locked enrollments, in three statements however many they are."""
    if not changes:
        return
    names = [name for name in _columns(changes[0][1]) if name != "id"]
    await tx.execute(
        sa.update(enrollments)
        .where(enrollments.c.id == sa.bindparam("key"))
        .values({name: sa.bindparam(name) for name in names} | {"changed_at": sa.func.clock_timestamp()}),
        [{"key": after.id, **{name: _columns(after)[name] for name in names}} for _, after in changes],
    )
    gone = [
        (after.id, month.month)
        for before, after in changes
        for month in before.months
        if after.month(month.month) is None
    ]
    if gone:
        await tx.execute(sa.delete(months).where(sa.tuple_(months.c.enrollment_id, months.c.month).in_(gone)))
    await _save_months(tx, changes)


async def _save_months(tx: Transaction, changes: Iterable[tuple[Enrollment, Enrollment]]) -> None:
    changed = [
        {"enrollment_id": after.id, **asdict(month)}
        for before, after in changes
        for month in after.months
        if month != before.month(month.month)
    ]
    if not changed:
        return
    # An index allows one asked month at a time: answers are written before the next question.
    changed.sort(key=lambda row: row["state"] == MonthState.ASKED)
    statement = insert(months)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["enrollment_id", "month"],
            set_={name: statement.excluded[name] for name in _MONTH_FIELDS if name != "month"},
        ),
        changed,
    )


async def commitments(tx: Transaction, child_ids: Collection[UUID]) -> dict[UUID, list[Commitment]]:
    """The live enrollments of these children and when their groups meet. The caller has locked them."""
    rows = await tx.execute(
        sa.select(
            enrollments.c.id,
            enrollments.c.child_id,
            enrollments.c.group_id,
            enrollments.c.state,
            enrollments.c.starts_on,
            sa.func.least(groups.c.ends_on, enrollments.c.ends_on - 1).label("last_day"),
            groups.c.schedule,
        )
        .join(groups, groups.c.id == enrollments.c.group_id)
        .where(enrollments.c.child_id.in_(child_ids), enrollments.c.state.not_in(OVER))
    )
    found: dict[UUID, list[Commitment]] = {child_id: [] for child_id in child_ids}
    for row in rows:
        commitment = Commitment(
            enrollment_id=row.id,
            group_id=row.group_id,
            state=State(row.state),
            schedule=schedule_of(row.schedule),
            starts_on=row.starts_on,
            last_day=row.last_day,
        )
        found[row.child_id].append(commitment)
    return found


async def find(tx: Transaction, principal: Principal, enrollment_id: UUID) -> Enrollment | None:
    """One enrollment, if this person may see it."""
    found = await _read(tx, _visible_to(principal).where(enrollments.c.id == enrollment_id))
    return found[0] if found else None


async def latest(
    tx: Transaction,
    principal: Principal,
    *,
    child_id: UUID | None,
    group_id: UUID | None,
    limit: int,
    before: UUID | None,
) -> Sequence[Enrollment]:
    """The newest first, of a child, of a group, or of both, as far as this person may see them."""
    query = _visible_to(principal).order_by(enrollments.c.id.desc()).limit(limit)
    if child_id is not None:
        query = query.where(enrollments.c.child_id == child_id)
    if group_id is not None:
        query = query.where(enrollments.c.group_id == group_id)
    if before is not None:
        query = query.where(enrollments.c.id < before)
    return await _read(tx, query)


async def waiting_for_money(
    tx: Transaction, *, program_id: UUID | None = None, child_ids: Collection[UUID] | None = None
) -> Sequence[UUID]:
    """Confirmed enrollments of children this program is for, or of these children, that may need money.

    They have a month that is unfunded, or asked for: the answer on its way may be a no.
    """
    query = (
        sa.select(enrollments.c.id)
        .distinct()
        .join(months, months.c.enrollment_id == enrollments.c.id)
        .where(
            sa.or_(months.c.state == MonthState.UNFUNDED, months.c.state == MonthState.ASKED),
            enrollments.c.state == State.CONFIRMED,
        )
    )
    if program_id is not None:
        query = query.join(entitlements, entitlements.c.child_id == enrollments.c.child_id).where(
            entitlements.c.program_id == program_id
        )
    if child_ids is not None:
        query = query.where(enrollments.c.child_id.in_(child_ids))
    return (await tx.execute(query)).scalars().all()


async def unanswered(tx: Transaction, *, at_most: int) -> int:
    """How many requests for money are open, counted up to a bound."""
    bounded = sa.select(sa.literal(1)).where(months.c.state == MonthState.ASKED).limit(at_most).subquery()
    count: int = (await tx.execute(sa.select(sa.func.count()).select_from(bounded))).scalar_one()
    return count


def _visible_to(principal: Principal) -> sa.Select[tuple[object, ...]]:
    query = sa.select(*_FIELDS)
    if principal.has("administrator", "auditor"):
        return query
    provided = sa.select(groups.c.id).where(groups.c.provider_id.in_(principal.scopes("director")))
    return query.where(
        sa.or_(
            enrollments.c.child_id.in_(principal.scopes("guardian")),
            enrollments.c.group_id.in_(provided),
        )
    )


async def _read(tx: Transaction, query: sa.Select[tuple[object, ...]]) -> list[Enrollment]:
    """What the query finds, the newest first, each with its months: one row of the answer for each month."""
    found = query.subquery()
    rows = await tx.execute(
        sa.select(found, *_OF_MONTH)
        .outerjoin(months, months.c.enrollment_id == found.c.id)
        .order_by(found.c.id.desc(), months.c.month)
    )
    return [_enrollment(list(of_one)) for _, of_one in groupby(rows.mappings(), key=itemgetter("id"))]


def _enrollment(rows: Sequence[sa.RowMapping]) -> Enrollment:
    fields = {column.name: rows[0][column.name] for column in _FIELDS}
    of_months = tuple(_month(row) for row in rows if row["month_month"] is not None)
    return Enrollment(**{**fields, "state": State(fields["state"]), "months": of_months})


def _month(row: sa.RowMapping) -> Month:
    fields = {name: row[f"month_{name}"] for name in _MONTH_FIELDS}
    return Month(**{**fields, "state": MonthState(fields["state"])})


def _columns(enrollment: Enrollment) -> dict[str, str | int | UUID | date | datetime | None]:
    columns = {column.name: getattr(enrollment, column.name) for column in _FIELDS}
    return {**columns, "state": enrollment.state.value}
