"""Groups, their planned months and dated lessons. Their seats are in `seats`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from clubs.domain.groups import Group, Meeting, Weekly
from clubs.repository.providers import FIRST, Row, columns_of, name_of
from clubs.tables import group_months, groups, lessons, seats
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class Lesson:
    """A planned lesson with its identity."""

    id: UUID
    meeting: Meeting
    canceled: bool = False
    """Taken out by the group's closing."""


@dataclass(frozen=True, slots=True)
class Month:
    """The plan of a civil month, in its latest version."""

    group_id: UUID
    month: str
    version: int
    lessons: tuple[Lesson, ...]
    """All that were ever planned."""

    @property
    def left(self) -> tuple[Lesson, ...]:
        """Those that are not canceled."""
        return tuple(lesson for lesson in self.lessons if not lesson.canceled)


@dataclass(frozen=True, slots=True)
class Search:
    """Which groups are looked for. Texts match any language's name."""

    today: date
    provider_id: UUID | None = None
    direction: str | None = None
    text: str | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A group as people see it: with the day from which a seat is free, and the length of the queue."""

    group: Group
    free_from: date | None
    waiting: int


def group_of(row: Row) -> Group:
    """The group in a row."""
    return Group(
        id=row["id"],
        club_id=row["club_id"],
        provider_id=row["provider_id"],
        direction=row["direction"],
        name=name_of(row),
        price_tiyn=row["price_tiyn"],
        capacity=row["capacity"],
        age_from=row["age_from"],
        age_to=row["age_to"],
        schedule=tuple(_weekly_of(entry) for entry in row["schedule"]),
        coaches=tuple(row["coaches"]),
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        closed=row["closed"],
        version=row["version"],
    )


def _weekly_of(entry: dict[str, Any]) -> Weekly:
    starts_at, ends_at = time.fromisoformat(entry["starts_at"]), time.fromisoformat(entry["ends_at"])
    return Weekly(entry["weekday"], starts_at, ends_at)


def _columns_of(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "version": group.version,
        "club_id": group.club_id,
        "provider_id": group.provider_id,
        "direction": group.direction,
        "price_tiyn": group.price_tiyn,
        "capacity": group.capacity,
        "age_from": group.age_from,
        "age_to": group.age_to,
        "schedule": [
            {
                "weekday": weekly.weekday,
                "starts_at": weekly.starts_at.isoformat("minutes"),
                "ends_at": weekly.ends_at.isoformat("minutes"),
            }
            for weekly in group.schedule
        ],
        "coaches": list(group.coaches),
        "starts_on": group.starts_on,
        "ends_on": group.ends_on,
        "closed": group.closed,
    } | columns_of(group.name)


async def add_group(tx: Transaction, group: Group) -> None:
    """A new group, all seats free from its first day."""
    await tx.execute(sa.insert(groups).values(_columns_of(group) | {"free_from": group.starts_on}))


async def save_group(tx: Transaction, group: Group) -> None:
    """A group's new version; the caller has it locked."""
    await tx.execute(sa.update(groups).where(groups.c.id == group.id).values(_columns_of(group)))


async def find_group(
    tx: Transaction, id_: UUID, *, providers: frozenset[UUID] | None = None, lock: bool = False
) -> Row | None:
    """A group; of these providers only, if they are given."""
    statement = sa.select(groups).where(groups.c.id == id_)
    if providers is not None:
        statement = statement.where(groups.c.provider_id.in_(providers))
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await tx.execute(statement)).mappings().one_or_none()


def _shown() -> sa.Select[Any]:
    waiting = sa.select(sa.func.count()).where(seats.c.group_id == groups.c.id, seats.c.state == "waiting")
    return sa.select(groups, waiting.scalar_subquery().label("waiting"))


def _shown_of(row: Row) -> Shown:
    return Shown(group_of(row), row["free_from"], row["waiting"])


async def show_group(tx: Transaction, id_: UUID) -> Shown | None:
    """A group as people see it."""
    row = (await tx.execute(_shown().where(groups.c.id == id_))).mappings().one_or_none()
    return _shown_of(row) if row else None


async def search_groups(
    tx: Transaction, search: Search, *, after: UUID | None, limit: int
) -> Sequence[Shown]:
    """Groups that take children, in the order in which they were made."""
    statement = _shown().where(~groups.c.closed, groups.c.ends_on >= search.today)
    if search.provider_id is not None:
        statement = statement.where(groups.c.provider_id == search.provider_id)
    if search.direction is not None:
        statement = statement.where(groups.c.direction == search.direction)
    if search.free:
        statement = statement.where(groups.c.free_from.is_not(None))
    if search.text is not None:
        names = (groups.c.name_kk, groups.c.name_ru, groups.c.name_en)
        statement = statement.where(sa.or_(*(name.icontains(search.text, autoescape=True) for name in names)))
    statement = statement.where(groups.c.id > (after or FIRST)).order_by(groups.c.id).limit(limit)
    return [_shown_of(row) for row in (await tx.execute(statement)).mappings()]


async def groups_after(tx: Transaction, after: UUID | None, *, limit: int) -> Sequence[Row]:
    """The next groups in the order of their ids, closed ones included."""
    statement = sa.select(groups).where(groups.c.id > (after or FIRST)).order_by(groups.c.id).limit(limit)
    return (await tx.execute(statement)).mappings().all()


async def planned_months(tx: Transaction, group_id: UUID) -> frozenset[str]:
    """The months of a group that have a plan."""
    rows = await tx.execute(sa.select(group_months.c.month).where(group_months.c.group_id == group_id))
    return frozenset(rows.scalars())


async def add_months(tx: Transaction, months: Sequence[Month]) -> None:
    """The first plans of months, with their lessons."""
    await tx.execute(
        insert(group_months),
        [
            {"group_id": one.group_id, "month": one.month, "version": one.version, "closed": False}
            for one in months
        ],
    )
    rows = [
        {
            "id": lesson.id,
            "group_id": one.group_id,
            "month": one.month,
            "held_on": lesson.meeting.on,
            "starts_at": lesson.meeting.starts_at,
            "ends_at": lesson.meeting.ends_at,
            "canceled": lesson.canceled,
        }
        for one in months
        for lesson in one.lessons
    ]
    if rows:
        await tx.execute(insert(lessons), rows)


async def has_begun(tx: Transaction, group_id: UUID, since: date) -> bool:
    """Whether a lesson from this day on has begun already."""
    found = await tx.execute(
        sa.select(lessons.c.id)
        .where(lessons.c.group_id == group_id, lessons.c.held_on >= since, lessons.c.starts_at <= tx.now)
        .limit(1)
    )
    return found.first() is not None


async def cancel_lessons(tx: Transaction, group_id: UUID, since: date) -> frozenset[str]:
    """Cancel the lessons from this day on; the months whose plans changed, a version newer."""
    canceled = await tx.execute(
        sa.update(lessons)
        .where(lessons.c.group_id == group_id, lessons.c.held_on >= since, ~lessons.c.canceled)
        .values(canceled=True)
        .returning(lessons.c.month)
    )
    months = frozenset(canceled.scalars())
    await tx.execute(
        sa.update(group_months)
        .where(group_months.c.group_id == group_id, group_months.c.month.in_(months))
        .values(version=group_months.c.version + 1)
    )
    return months


async def read_months(
    tx: Transaction, group_ids: Sequence[UUID], *, months: Collection[str] | None = None
) -> list[Month]:
    """The plans of these groups, for these months or all, in the order of groups and months."""
    plans = sa.select(group_months).where(group_months.c.group_id.in_(group_ids))
    planned = sa.select(lessons).where(lessons.c.group_id.in_(group_ids))
    if months is not None:
        plans = plans.where(group_months.c.month.in_(months))
        planned = planned.where(lessons.c.month.in_(months))
    by_month: dict[tuple[UUID, str], list[Lesson]] = {}
    for row in await tx.execute(planned.order_by(lessons.c.starts_at)):
        meeting = Meeting(row.held_on, row.starts_at, row.ends_at)
        lesson = Lesson(row.id, meeting, row.canceled)
        by_month.setdefault((row.group_id, row.month), []).append(lesson)
    return [
        Month(row.group_id, row.month, row.version, tuple(by_month.get((row.group_id, row.month), ())))
        for row in await tx.execute(plans.order_by(group_months.c.group_id, group_months.c.month))
    ]
