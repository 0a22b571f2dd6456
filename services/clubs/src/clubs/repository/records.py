"""All that was recorded about a group's month, read for any number of its seats at once."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from clubs.domain.lessons import happened
from clubs.domain.sheets import Lesson, Mark, Records, Seat, Standing
from clubs.repository.lessons import coach_says, device_saw
from clubs.tables import absences, disputes, lessons
from shared.clock import first_day, next_month
from shared.database import Transaction
from shared.security.principal import grants

_MARKS = """
SELECT enrollment_id, lesson_id, source, person_id, present, at, corrects FROM marks
WHERE lesson_id = ANY($1::uuid[]) AND enrollment_id = ANY($2::uuid[])
ORDER BY number
"""


async def read_records(
    tx: Transaction, provider_id: UUID, group_id: UUID, month: str, whose: Sequence[Seat]
) -> Records:
    """All that was recorded about these seats in a month of their group."""
    enrollments = [seat.enrollment_id for seat in whose]
    children = [seat.child_id for seat in whose]
    planned = await _lessons(tx, group_id, month)
    ids = [lesson.id for lesson in planned]
    return Records(
        group_id=group_id,
        provider_id=provider_id,
        month=month,
        lessons=planned,
        marks=await _marks(tx, ids, enrollments),
        disputes=await _disputes(tx, ids, enrollments),
        absences=await _absences(tx, provider_id, month, children),
        children_of_staff=await _children_of_staff(tx, provider_id, children),
    )


async def _lessons(tx: Transaction, group_id: UUID, month: str) -> list[Lesson]:
    rows = await tx.execute(
        sa.select(
            lessons.c.id,
            lessons.c.held_on,
            lessons.c.starts_at,
            coach_says(lessons.c.id).label("coach_says"),
            device_saw(lessons.c.id).label("device_saw"),
        )
        .where(lessons.c.group_id == group_id, lessons.c.month == month, ~lessons.c.canceled)
        .order_by(lessons.c.held_on, lessons.c.id)
    )
    return [
        Lesson(
            row.id,
            row.held_on,
            row.starts_at,
            happened(coach_says=row.coach_says, device_saw_somebody=row.device_saw),
        )
        for row in rows
    ]


async def _marks(
    tx: Transaction, ids: Sequence[UUID], enrollments: Sequence[UUID]
) -> dict[tuple[UUID, UUID], list[Mark]]:
    found: dict[tuple[UUID, UUID], list[Mark]] = {}
    driver = await tx.driver()  # by far the most rows: as they come
    for row in await driver.fetch(_MARKS, ids, enrollments):
        enrollment_id, lesson_id, *said = row
        found.setdefault((enrollment_id, lesson_id), []).append(Mark(*said))
    return found


async def _disputes(
    tx: Transaction, ids: Sequence[UUID], enrollments: Sequence[UUID]
) -> dict[tuple[UUID, UUID], Standing]:
    rows = await tx.execute(
        sa.select(disputes.c.id, disputes.c.enrollment_id, disputes.c.lesson_id, disputes.c.outcome).where(
            disputes.c.lesson_id.in_(ids),
            disputes.c.enrollment_id.in_(enrollments),
            disputes.c.state != "withdrawn",
        )
    )
    return {(row.enrollment_id, row.lesson_id): Standing(row.id, row.outcome) for row in rows}


async def _absences(
    tx: Transaction, provider_id: UUID, month: str, children: Sequence[UUID]
) -> dict[UUID, list[tuple[date, date]]]:
    rows = await tx.execute(
        sa.select(absences.c.child_id, absences.c.since, absences.c.until).where(
            absences.c.provider_id == provider_id,
            absences.c.child_id.in_(children),
            absences.c.accepted_at.is_not(None),
            absences.c.since < first_day(next_month(month)),
            absences.c.until >= first_day(month),
        )
    )
    found: dict[UUID, list[tuple[date, date]]] = {}
    for row in rows:
        found.setdefault(row.child_id, []).append((row.since, row.until))
    return found


async def _children_of_staff(tx: Transaction, provider_id: UUID, children: Sequence[UUID]) -> frozenset[UUID]:
    staff = grants.alias("staff")
    rows = await tx.execute(
        sa.select(grants.c.scope_id)
        .distinct()
        .join(staff, staff.c.person_id == grants.c.person_id)
        .where(
            grants.c.scope_id.in_(children),
            grants.c.role == "guardian",
            ~grants.c.ended,
            staff.c.scope_id == provider_id,
            staff.c.role.in_(("director", "coach")),
            ~staff.c.ended,
        )
    )
    return frozenset(rows.scalars())
