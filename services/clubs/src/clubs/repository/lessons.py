"""Lessons as they are held: reports and marks, written under the lock of the group's month."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from clubs.domain.lessons import HeldLesson, Reporter, Said, Seated, Source, happened
from clubs.tables import group_months, groups, lessons, marks, reports, seats, sheets
from shared.database import Transaction

SEATED = ("reserved", "freed")


def coach_says(lesson_id: sa.ColumnElement[Any]) -> sa.ScalarSelect[bool]:
    """What the coaches' latest report says: whether the lesson took place."""
    return (
        sa.select(reports.c.took_place)
        .where(reports.c.lesson_id == lesson_id, reports.c.source == "coach")
        .order_by(reports.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )


def device_saw(lesson_id: sa.ColumnElement[Any]) -> sa.Exists:
    """Whether a device marked any child present."""
    return sa.exists().where(marks.c.lesson_id == lesson_id, marks.c.source == "device", marks.c.present)


async def lock_month_of(tx: Transaction, lesson_id: UUID) -> None:
    """Nobody else marks, or closes, the month of this lesson until the end of the transaction."""
    await tx.execute(
        sa.select(group_months.c.month)
        .join(
            lessons,
            sa.and_(lessons.c.group_id == group_months.c.group_id, lessons.c.month == group_months.c.month),
        )
        .where(lessons.c.id == lesson_id)
        .with_for_update(key_share=True, of=group_months)
    )


async def find_lesson(
    tx: Transaction, lesson_id: UUID, *, providers: frozenset[UUID] | None = None
) -> HeldLesson | None:
    """A lesson that is not canceled; of these providers only, if they are given."""
    statement = (
        sa.select(
            lessons,
            groups.c.provider_id,
            group_months.c.closed,
            coach_says(lessons.c.id).label("coach_says"),
            device_saw(lessons.c.id).label("device_saw"),
        )
        .join(groups, groups.c.id == lessons.c.group_id)
        .join(
            group_months,
            sa.and_(group_months.c.group_id == lessons.c.group_id, group_months.c.month == lessons.c.month),
        )
        .where(lessons.c.id == lesson_id, ~lessons.c.canceled)
    )
    if providers is not None:
        statement = statement.where(groups.c.provider_id.in_(providers))
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return None
    return HeldLesson(
        id=row.id,
        group_id=row.group_id,
        provider_id=row.provider_id,
        month=row.month,
        on=row.held_on,
        starts_at=row.starts_at,
        took_place=happened(coach_says=row.coach_says, device_saw_somebody=row.device_saw),
        month_closed=row.closed,
    )


def _seated(group_id: UUID, day: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        seats.c.group_id == group_id,
        seats.c.state.in_(SEATED),
        seats.c.starts_on <= day,
        seats.c.ends_before > day,
    )


def _closed(month: str) -> sa.Exists:
    return sa.exists().where(sheets.c.enrollment_id == seats.c.enrollment_id, sheets.c.month == month)


async def seated(tx: Transaction, lesson: HeldLesson, children: Collection[UUID]) -> dict[UUID, Seated]:
    """Those of these children that have a seat on the day of the lesson."""
    rows = await tx.execute(
        sa.select(seats.c.child_id, seats.c.enrollment_id, _closed(lesson.month).label("closed"))
        .where(_seated(lesson.group_id, lesson.on), seats.c.child_id.in_(children))
        .order_by(seats.c.enrollment_id.desc())  # of two seats of a child the earlier enrollment
    )
    return {row.child_id: Seated(row.child_id, row.enrollment_id, row.closed) for row in rows}


async def is_on_a_sheet(tx: Transaction, lesson: HeldLesson) -> bool:
    """Whether the sheet of any child that has this lesson is closed."""
    found = await tx.execute(
        sa.select(seats.c.enrollment_id)
        .where(_seated(lesson.group_id, lesson.on), _closed(lesson.month))
        .limit(1)
    )
    return found.first() is not None


async def confirmed(tx: Transaction, lesson_id: UUID, enrollment_id: UUID, person_id: UUID) -> bool:
    """Whether this guardian has said so already."""
    found = await tx.execute(
        sa.select(marks.c.number)
        .where(
            marks.c.lesson_id == lesson_id,
            marks.c.enrollment_id == enrollment_id,
            marks.c.person_id == person_id,
            marks.c.source == "guardian",
        )
        .limit(1)
    )
    return found.first() is not None


async def add_report(
    tx: Transaction, lesson_id: UUID, *, source: Reporter, person_id: UUID, took_place: bool
) -> None:
    """What somebody says of the lesson as a whole."""
    await tx.execute(
        sa.insert(reports).values(
            lesson_id=lesson_id, source=source, person_id=person_id, took_place=took_place, at=tx.now
        )
    )


async def add_marks(
    tx: Transaction,
    lesson_id: UUID,
    children: Iterable[tuple[Said, Seated]],
    *,
    source: Source,
    person_id: UUID,
    corrects: bool = False,
) -> None:
    """What somebody says of these children."""
    rows: Sequence[dict[str, Any]] = [
        {
            "lesson_id": lesson_id,
            "enrollment_id": seat.enrollment_id,
            "child_id": said.child_id,
            "source": source,
            "person_id": person_id,
            "present": said.present,
            "corrects": corrects,
            "at": tx.now,
        }
        for said, seat in children
    ]
    if rows:
        await tx.execute(sa.insert(marks), list(rows))
