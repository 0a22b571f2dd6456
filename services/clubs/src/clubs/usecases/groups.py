"""Open a group, plan its lessons month by month, find groups, close one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from clubs.domain.groups import (
    Group,
    GroupClosedError,
    Names,
    Weekly,
    check_closing,
    check_group,
    next_planning,
)
from clubs.domain.seats import close, finish
from clubs.repository import groups as repository
from clubs.repository import providers
from clubs.repository.groups import Month, Search, Shown, group_of
from clubs.usecases import seats, sheets
from clubs.usecases.planning import describe_month, plan, plan_from
from clubs.usecases.providers import names_of
from shared import deadlines, outbox
from shared.clock import civil_date, civil_moment, month_of
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.events import clubs as events
from shared.security import Principal

PLANNING_DUE = "months_due"
GROUP_OVER = "group_over"
REPUBLISHED_AT_ONCE = 50
"""How many groups one transaction of a republication tells again: each has months of lessons."""


@dataclass(frozen=True, slots=True)
class NewGroup:
    """What a director says of a new group."""

    club_id: UUID
    name: Names
    price_tiyn: int
    capacity: int
    age_from: int
    age_to: int
    schedule: tuple[Weekly, ...]
    coaches: tuple[UUID, ...]
    starts_on: date
    ends_on: date


async def open_group(tx: Transaction, principal: Principal, new: NewGroup) -> UUID:
    """A new group of a club of the director's, with the lessons of its first months."""
    principal.require("director")
    club = await providers.find_club(tx, new.club_id, providers_=principal.scopes("director"))
    if club is None:
        raise NotFoundError
    group = Group(
        id=new_id(),
        club_id=new.club_id,
        provider_id=club["provider_id"],
        direction=club["direction"],
        name=new.name,
        price_tiyn=new.price_tiyn,
        capacity=new.capacity,
        age_from=new.age_from,
        age_to=new.age_to,
        schedule=new.schedule,
        coaches=new.coaches,
        starts_on=new.starts_on,
        ends_on=new.ends_on,
    )
    coaches = await providers.staff_of(tx, group.provider_id, "coach")
    check_group(group, today=civil_date(tx.now), coaches=coaches)
    await repository.add_group(tx, group)
    outbox.publish(tx, describe_group(group))
    await _plan(tx, group)
    await sheets.expect_closing(tx, group.id)
    over = civil_moment(group.ends_on + timedelta(days=1))
    await deadlines.set(tx, kind=GROUP_OVER, subject_id=group.id, due_at=over)
    return group.id


async def plan_months(tx: Transaction, group_id: UUID) -> None:
    """Plan what is due of a group's months, and note when the next one is."""
    row = await repository.find_group(tx, group_id, lock=True)
    if row is not None:
        await _plan(tx, group_of(row))


async def _plan(tx: Transaction, group: Group) -> None:
    today = civil_date(tx.now)
    await plan_from(tx, group, today)
    due = next_planning(group, today=today)
    if due is not None:
        await deadlines.set(tx, kind=PLANNING_DUE, subject_id=group.id, due_at=due)


async def read_group(tx: Transaction, group_id: UUID) -> Shown:
    """A group, open or closed: public."""
    shown = await repository.show_group(tx, group_id)
    if shown is None:
        raise NotFoundError
    return shown


async def find_groups(tx: Transaction, search: Search, *, after: UUID | None, limit: int) -> Sequence[Shown]:
    """Groups that take children: public."""
    return await repository.search_groups(tx, search, after=after, limit=limit)


async def read_lessons(tx: Transaction, group_id: UUID, month: str) -> Month:
    """What is left of the plan of a group's month: public. A month without a plan yet is missing."""
    plans = await repository.read_months(tx, [group_id], months=[month])
    if not plans:
        raise NotFoundError
    return replace(plans[0], lessons=plans[0].left)


async def close_group(tx: Transaction, principal: Principal, group_id: UUID, on: date) -> None:
    """The group ends before `on`: seats are withdrawn, the queue is refused, later lessons are canceled."""
    principal.require("director")
    row = await repository.find_group(tx, group_id, providers=principal.scopes("director"), lock=True)
    if row is None:
        raise NotFoundError
    group = group_of(row)
    check_closing(on, now=tx.now, begun=await repository.has_begun(tx, group_id, on))
    if group.closed and on > group.ends_on:
        raise GroupClosedError
    if group.starts_on < on <= group.ends_on:
        await plan(tx, group, [month_of(on)])  # whole: once it is cut, nobody knows its other days any more
    book = await seats.change(tx, group_id, None, lambda book, _: close(book, on))
    group = replace(group, ends_on=book.last_day, closed=True, version=group.version + 1)
    await repository.save_group(tx, group)
    outbox.publish(tx, describe_group(group))
    changed = await repository.cancel_lessons(tx, group_id, on)
    await sheets.expect_closing(tx, group_id)
    for month in await repository.read_months(tx, [group_id], months=changed):
        outbox.publish(tx, describe_month(month))


async def finish_group(tx: Transaction, group_id: UUID) -> None:
    """The group's last day is over: whoever still waits, waits for nothing."""
    row = await repository.find_group(tx, group_id, lock=True)
    if row is not None and civil_date(tx.now) > row["ends_on"]:
        await seats.change(tx, group_id, None, lambda book, _: finish(book))


def describe_group(group: Group) -> events.GroupDescribed:
    """The group's full state, as others project it."""
    return events.GroupDescribed(
        group_id=group.id,
        version=group.version,
        club_id=group.club_id,
        provider_id=group.provider_id,
        name=names_of(group.name),
        direction=group.direction,
        price_tiyn=group.price_tiyn,
        capacity=group.capacity,
        age_from=group.age_from,
        age_to=group.age_to,
        schedule=tuple(
            events.WeeklyLesson(weekday=weekly.weekday, starts_at=weekly.starts_at, ends_at=weekly.ends_at)
            for weekly in group.schedule
        ),
        coaches=group.coaches,
        starts_on=group.starts_on,
        ends_on=group.ends_on,
        closed=group.closed,
    )


async def republish_groups(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell the next groups again; the last one's id, None when all are told."""
    rows = await repository.groups_after(tx, after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        outbox.publish(tx, describe_group(group_of(row)))
    return rows[-1]["id"] if rows else None


async def republish_group_months(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell the plans of the next groups again; the last group's id, None when all are told."""
    rows = await repository.groups_after(tx, after, limit=REPUBLISHED_AT_ONCE)
    for month in await repository.read_months(tx, [row["id"] for row in rows]):
        outbox.publish(tx, describe_month(month))
    return rows[-1]["id"] if rows else None
