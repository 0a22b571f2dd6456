"""Storage of enrollment: enrollments with their months, children, and what clubs and the wallet have told."""
# ruff: noqa: ARG001 - a stand-in takes what it stands for takes

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from enrollment.domain.admission import Commitment, Group, WeeklyLesson
from enrollment.domain.calendar import ProgramDays
from enrollment.domain.enrollment import OVER, Enrollment, MonthState, State
from enrollment.domain.people import Child, Identity, SealedIin
from enrollment.domain.reviews import Review
from enrollment.repository import enrollments, groups, people, reviews
from enrollment.repository.enrollments import Request
from enrollment.repository.groups import KnownGroup, Program
from rig.simulation.replacing import instead_of
from rig.simulation.store import Store, store_of
from shared.database import Transaction
from shared.events.clubs import GroupDescribed, GroupMonthPlanned
from shared.events.enrollment import PlannedLesson
from shared.events.wallet import ProgramDescribed
from shared.security import Principal

BORN = date(2016, 3, 1)


class BrokenConstraintError(AssertionError):
    """What a constraint of the real table would have refused."""


def add_child(store: Store, child_id: UUID, priority: int) -> None:
    """A child whose guardian is verified; enrollment looks at its age and priority only."""
    sealed = SealedIin(b"", b"", BORN)
    identity = Identity("", "", None, None, None, priority)
    store.put("children", child_id, Child(child_id, sealed, identity, version=1))


@instead_of(people.lock_child)
async def lock_child(tx: Transaction, child_id: UUID) -> Child | None:
    found: Child | None = store_of(tx).rows("children").get(child_id)
    return found


@instead_of(people.lock_children)
async def lock_children(tx: Transaction, ids: Collection[UUID]) -> None:
    """One transaction at a time: nobody else is there."""


@instead_of(enrollments.add)
async def add(tx: Transaction, enrollment: Enrollment, request: Request) -> None:
    store_of(tx).put("enrollments", enrollment.id, enrollment)


@instead_of(enrollments.lock)
async def lock(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Enrollment]:
    rows = store_of(tx).rows("enrollments")
    return {id_: rows[id_] for id_ in sorted(ids) if id_ in rows}


@instead_of(enrollments.save_all)
async def save_all(tx: Transaction, changes: Sequence[tuple[Enrollment, Enrollment]]) -> None:
    for before, after in changes:
        if sum(one.state is MonthState.ASKED for one in after.months) > 1:
            raise BrokenConstraintError(f"two months of {after.id} are asked for at once")
        if after.version <= before.version:
            raise BrokenConstraintError(f"{after.id} changed and stayed version {after.version}")
        store_of(tx).put("enrollments", after.id, after)


@instead_of(enrollments.commitments)
async def commitments(tx: Transaction, child_ids: Collection[UUID]) -> dict[UUID, list[Commitment]]:
    known = store_of(tx).rows("groups")
    found: dict[UUID, list[Commitment]] = {child_id: [] for child_id in child_ids}
    for one in store_of(tx).rows("enrollments").values():
        if one.child_id in found and one.state not in OVER and one.group_id in known:
            group = known[one.group_id][1]
            last_day = min(group.ends_on, (one.ends_on or date.max) - timedelta(days=1))
            found[one.child_id].append(
                Commitment(one.id, one.group_id, one.state, group.schedule, one.starts_on, last_day)
            )
    return found


@instead_of(enrollments.find)
async def find(tx: Transaction, principal: Principal, enrollment_id: UUID) -> Enrollment | None:
    found: Enrollment | None = store_of(tx).rows("enrollments").get(enrollment_id)
    if found is None or found.child_id in principal.scopes("guardian"):
        return found
    group = store_of(tx).rows("groups")[found.group_id][1]
    return found if group.provider_id in principal.scopes("director") else None


@instead_of(enrollments.waiting_for_money)
async def waiting_for_money(
    tx: Transaction, *, program_id: UUID | None = None, child_ids: Collection[UUID] | None = None
) -> Sequence[UUID]:
    entitled = store_of(tx).rows("entitled")
    needy = {MonthState.UNFUNDED, MonthState.ASKED}
    return [
        one.id
        for one in store_of(tx).rows("enrollments").values()
        if one.state is State.CONFIRMED
        and any(month.state in needy for month in one.months)
        and (program_id is None or (one.child_id, program_id) in entitled)
        and (child_ids is None or one.child_id in child_ids)
    ]


@instead_of(enrollments.unanswered)
async def unanswered(tx: Transaction, *, at_most: int) -> int:
    rows = store_of(tx).rows("enrollments").values()
    asked = sum(month.state is MonthState.ASKED for one in rows for month in one.months)
    return min(at_most, asked)


@instead_of(groups.describe_group)
async def describe_group(tx: Transaction, event: GroupDescribed) -> None:
    group = Group(
        id=event.group_id,
        provider_id=event.provider_id,
        direction=event.direction,
        price_tiyn=event.price_tiyn,
        age_from=event.age_from,
        age_to=event.age_to,
        schedule=tuple(WeeklyLesson(one.weekday, one.starts_at, one.ends_at) for one in event.schedule),
        starts_on=event.starts_on,
        ends_on=event.ends_on,
        closed=event.closed,
    )
    _describe(tx, "groups", event.group_id, event.version, group)


@instead_of(groups.plan_month)
async def plan_month(tx: Transaction, event: GroupMonthPlanned) -> None:
    lessons = tuple(PlannedLesson(lesson_id=one.lesson_id, on=one.on) for one in event.lessons)
    _describe(tx, "group_months", (event.group_id, event.month), event.version, lessons)


@instead_of(groups.describe_program)
async def describe_program(tx: Transaction, event: ProgramDescribed) -> None:
    days = ProgramDays(event.asks_from_day, event.grace_ends_on_day)
    program = Program(event.program_id, event.region_id, days, event.declined_percent_max)
    _describe(tx, "programs", event.program_id, event.version, program)


def _describe(tx: Transaction, table: str, key: object, version: int, row: object) -> None:
    known: tuple[int, Any] | None = store_of(tx).rows(table).get(key)
    if known is None or version >= known[0]:
        store_of(tx).put(table, key, (version, row))


@instead_of(groups.known)
async def known(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, KnownGroup]:
    rows, months = store_of(tx).rows("groups"), store_of(tx).rows("group_months")
    return {
        id_: KnownGroup(
            rows[id_][1], {month: lessons for (of, month), (_, lessons) in months.items() if of == id_}
        )
        for id_ in set(ids) & rows.keys()
    }


@instead_of(groups.find_programs)
async def find_programs(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Program]:
    rows = store_of(tx).rows("programs")
    return {id_: rows[id_][1] for id_ in set(ids) & rows.keys()}


@instead_of(reviews.find)
async def find_review(tx: Transaction, program_id: UUID, month: str) -> Review | None:
    found: Review | None = store_of(tx).rows("reviews").get((program_id, month))
    return found


@instead_of(reviews.add)
async def add_review(tx: Transaction, review: Review) -> None:
    store_of(tx).put("reviews", (review.program_id, review.month), review)


@instead_of(reviews.count)
async def count(tx: Transaction, program_id: UUID, month: str) -> tuple[int, int]:
    of_program = [one for one in store_of(tx).rows("enrollments").values() if one.program_id == program_id]
    states = [found.state for one in of_program if (found := one.month(month))]
    return states.count(MonthState.UNFUNDED), len(states)
