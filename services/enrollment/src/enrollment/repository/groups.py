"""What clubs and the wallet have told: groups, the lessons they plan, and the days of programs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from enrollment.domain.admission import Group, WeeklyLesson
from enrollment.domain.calendar import Plan, ProgramDays
from enrollment.tables import group_months, groups, programs
from shared.database import Transaction
from shared.events.clubs import GroupDescribed, GroupMonthPlanned
from shared.events.enrollment import PlannedLesson
from shared.events.wallet import ProgramDescribed

_GROUP_FIELDS = [column for column in groups.columns if column.name != "version"]
_KNOWN = sa.select(
    *_GROUP_FIELDS,
    sa.select(sa.func.jsonb_object_agg(group_months.c.month, group_months.c.lessons, type_=JSONB))
    .where(group_months.c.group_id == groups.c.id)
    .scalar_subquery()
    .label("months"),
).where(groups.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))))


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group with the lessons it has planned, by month."""

    group: Group
    lessons: Mapping[str, tuple[PlannedLesson, ...]]

    @property
    def plan(self) -> Plan:
        """The days of its lessons."""
        days = {month: tuple(lesson.on for lesson in lessons) for month, lessons in self.lessons.items()}
        return Plan(days, self.group.ends_on)


@dataclass(frozen=True, slots=True)
class Program:
    """What enrollment knows of a program."""

    id: UUID
    region_id: UUID
    days: ProgramDays
    declined_percent_max: int


async def describe_group(tx: Transaction, event: GroupDescribed) -> None:
    """Keep the full state of a group, unless a newer one is known."""
    await _describe(
        tx,
        groups,
        ["id"],
        {
            "id": event.group_id,
            "version": event.version,
            "provider_id": event.provider_id,
            "direction": event.direction,
            "price_tiyn": event.price_tiyn,
            "age_from": event.age_from,
            "age_to": event.age_to,
            "schedule": [[one.weekday, f"{one.starts_at}", f"{one.ends_at}"] for one in event.schedule],
            "starts_on": event.starts_on,
            "ends_on": event.ends_on,
            "closed": event.closed,
        },
    )


async def plan_month(tx: Transaction, event: GroupMonthPlanned) -> None:
    """Keep the lessons of a group's month, unless a newer plan is known."""
    lessons = [[str(lesson.lesson_id), f"{lesson.on}"] for lesson in event.lessons]
    row = {"group_id": event.group_id, "month": event.month, "version": event.version, "lessons": lessons}
    await _describe(tx, group_months, ["group_id", "month"], row)


async def describe_program(tx: Transaction, event: ProgramDescribed) -> None:
    """Keep the days of a program, unless newer ones are known."""
    await _describe(
        tx,
        programs,
        ["id"],
        {
            "id": event.program_id,
            "version": event.version,
            "region_id": event.region_id,
            "asks_from_day": event.asks_from_day,
            "grace_ends_on_day": event.grace_ends_on_day,
            "declined_percent_max": event.declined_percent_max,
        },
    )


async def _describe(tx: Transaction, table: sa.Table, key: list[str], row: dict[str, Any]) -> None:
    statement = insert(table).values(row)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=key,
            set_={name: statement.excluded[name] for name in row if name not in key},
            where=statement.excluded.version >= table.c.version,
        )
    )


async def known(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, KnownGroup]:
    """These groups with their plans; one that clubs has not told is left out."""
    if not ids:
        return {}
    rows = await tx.execute(_KNOWN, {"ids": list(ids)})
    return {row["id"]: _known_group(row) for row in rows.mappings()}


async def find_programs(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Program]:
    """These programs; one that the wallet has not told is left out."""
    if not ids:
        return {}
    rows = await tx.execute(sa.select(programs).where(programs.c.id.in_(ids)))
    return {
        row.id: Program(
            id=row.id,
            region_id=row.region_id,
            days=ProgramDays(row.asks_from_day, row.grace_ends_on_day),
            declined_percent_max=row.declined_percent_max,
        )
        for row in rows
    }


def schedule_of(rows: Collection[tuple[int, str, str]]) -> tuple[WeeklyLesson, ...]:
    """A weekly schedule as it is stored."""
    return tuple(
        WeeklyLesson(weekday, time.fromisoformat(starts_at), time.fromisoformat(ends_at))
        for weekday, starts_at, ends_at in rows
    )


def _known_group(row: sa.RowMapping) -> KnownGroup:
    fields = {column.name: row[column.name] for column in _GROUP_FIELDS}
    lessons = {
        month: tuple(PlannedLesson(lesson_id=UUID(id_), on=date.fromisoformat(day)) for id_, day in planned)
        for month, planned in (row["months"] or {}).items()
    }
    return KnownGroup(Group(**{**fields, "schedule": schedule_of(row["schedule"])}), lessons)
