"""Storage of clubs, second half: what is recorded of lessons, disputes, sheets and statements."""
# ruff: noqa: ARG001 - a stand-in takes what it stands for takes

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from clubs.domain import sheets as domain
from clubs.domain.disputes import Dispute
from clubs.domain.lessons import HeldLesson, Reporter, Said, Seated, Source, happened
from clubs.domain.sheets import DisputeState, Mark, Outcome, Records, Revision, Standing
from clubs.repository import disputes, lessons, records, sheets
from clubs.repository.sheets import GroupMonths
from rig.simulation.replacing import instead_of
from rig.simulation.seats import PlannedMonth, months_of
from rig.simulation.store import Store, store_of
from shared.clock import first_day, next_month
from shared.database import Transaction
from shared.security import Principal

SEATED = frozenset({"reserved", "freed"})


class _Report(NamedTuple):
    lesson_id: UUID
    source: Reporter
    took_place: bool


class _Marked(NamedTuple):
    lesson_id: UUID
    enrollment_id: UUID
    mark: Mark


class _Kept(NamedTuple):
    """A row of `sheets`."""

    number: int
    digest: str


def _took_place(store: Store, lesson_id: UUID) -> bool:
    by_coach = [
        one.took_place
        for one in store.rows("reports").values()
        if one.lesson_id == lesson_id and one.source == "coach"
    ]
    seen = any(
        one.lesson_id == lesson_id and one.mark.source == "device" and one.mark.present
        for one in store.rows("marks").values()
    )
    return happened(coach_says=by_coach[-1] if by_coach else None, device_saw_somebody=seen)


@instead_of(lessons.lock_month_of)
async def lock_month_of(tx: Transaction, lesson_id: UUID) -> None:
    """One transaction at a time."""


@instead_of(lessons.find_lesson)
async def find_lesson(
    tx: Transaction, lesson_id: UUID, *, providers: frozenset[UUID] | None = None
) -> HeldLesson | None:
    store = store_of(tx)
    key = store.rows("lessons").get(lesson_id)
    if key is None:
        return None
    planned: PlannedMonth = store.rows("group_months")[key]
    lesson = next(one for one in planned.month.lessons if one.id == lesson_id)
    provider_id = store.rows("groups")[key[0]]["provider_id"]
    if lesson.canceled or (providers is not None and provider_id not in providers):
        return None
    return HeldLesson(
        id=lesson_id,
        group_id=key[0],
        provider_id=provider_id,
        month=key[1],
        on=lesson.meeting.on,
        starts_at=lesson.meeting.starts_at,
        took_place=_took_place(store, lesson_id),
        month_closed=planned.closed,
    )


def _seats_on(store: Store, lesson: HeldLesson) -> list[domain.Seat]:
    return [seat for seat in _seats(store, lesson.group_id) if seat.starts_on <= lesson.on < seat.ends_before]


def _seats(store: Store, group_id: UUID) -> list[domain.Seat]:
    places = (one.place for one in store.rows("seats").values() if one.group_id == group_id)
    found = [seat for place in places if (seat := _seat(place)) is not None]
    return sorted(found, key=lambda seat: seat.enrollment_id)


def _seat(place: Any) -> domain.Seat | None:  # noqa: ANN401 - a place of the store
    if place.state not in SEATED:
        return None
    return domain.Seat(place.id, place.request.child_id, place.starts_on, place.ends_before)


def _revisions(store: Store, enrollment_id: UUID, month: str) -> list[_Kept]:
    found: list[_Kept] = store.rows("sheets").get((enrollment_id, month), [])
    return found


@instead_of(lessons.seated)
async def seated(tx: Transaction, lesson: HeldLesson, children: Collection[UUID]) -> dict[UUID, Seated]:
    store = store_of(tx)
    return {
        seat.child_id: Seated(
            seat.child_id, seat.enrollment_id, bool(_revisions(store, seat.enrollment_id, lesson.month))
        )
        for seat in reversed(_seats_on(store, lesson))
        if seat.child_id in children
    }


@instead_of(lessons.is_on_a_sheet)
async def is_on_a_sheet(tx: Transaction, lesson: HeldLesson) -> bool:
    store = store_of(tx)
    on_day = _seats_on(store, lesson)
    return any(_revisions(store, seat.enrollment_id, lesson.month) for seat in on_day)


@instead_of(lessons.confirmed)
async def confirmed(tx: Transaction, lesson_id: UUID, enrollment_id: UUID, person_id: UUID) -> bool:
    return any(
        (one.lesson_id, one.enrollment_id, one.mark.person_id, one.mark.source)
        == (lesson_id, enrollment_id, person_id, "guardian")
        for one in store_of(tx).rows("marks").values()
    )


@instead_of(lessons.add_report)
async def add_report(
    tx: Transaction, lesson_id: UUID, *, source: Reporter, person_id: UUID, took_place: bool
) -> None:
    store_of(tx).put("reports", store_of(tx).number(), _Report(lesson_id, source, took_place))


@instead_of(lessons.add_marks)
async def add_marks(
    tx: Transaction,
    lesson_id: UUID,
    children: Iterable[tuple[Said, Seated]],
    *,
    source: Source,
    person_id: UUID,
    corrects: bool = False,
) -> None:
    for said, seat in children:
        mark = Mark(source, person_id, said.present, tx.now, corrects)
        store_of(tx).put("marks", store_of(tx).number(), _Marked(lesson_id, seat.enrollment_id, mark))


@instead_of(records.read_records)
async def read_records(
    tx: Transaction, provider_id: UUID, group_id: UUID, month: str, whose: Sequence[domain.Seat]
) -> Records:
    store = store_of(tx)
    enrollments = {seat.enrollment_id for seat in whose}
    planned: PlannedMonth | None = store.rows("group_months").get((group_id, month))
    left = planned.month.left if planned else ()
    of_month = [
        domain.Lesson(one.id, one.meeting.on, one.meeting.starts_at, took_place=False) for one in left
    ]
    ids = {one.id for one in of_month}
    marks: dict[tuple[UUID, UUID], list[Mark]] = {}
    for one in store.rows("marks").values():
        if one.enrollment_id in enrollments and one.lesson_id in ids:
            marks.setdefault((one.enrollment_id, one.lesson_id), []).append(one.mark)
    return Records(
        group_id=group_id,
        provider_id=provider_id,
        month=month,
        lessons=[
            replace(one, took_place=_took_place(store, one.id))
            for one in sorted(of_month, key=lambda one: (one.on, one.id))
        ],
        marks=marks,
        disputes={
            (one.enrollment_id, one.lesson_id): Standing(one.id, one.outcome)
            for one in store.rows("disputes").values()
            if one.enrollment_id in enrollments and one.lesson_id in ids and one.state != "withdrawn"
        },
    )


@instead_of(disputes.standing)
async def standing(tx: Transaction, lesson_id: UUID, child_id: UUID) -> DisputeState | None:
    found = [
        one.state
        for one in store_of(tx).rows("disputes").values()
        if (one.lesson_id, one.child_id) == (lesson_id, child_id) and one.state != "withdrawn"
    ]
    return found[0] if found else None


@instead_of(disputes.add_dispute)
async def add_dispute(
    tx: Transaction,
    *,
    id_: UUID,
    enrollment_id: UUID,
    child_id: UUID,
    lesson_id: UUID,
    group_id: UUID,
    provider_id: UUID,
    person_id: UUID,
) -> None:
    lesson = await find_lesson(tx, lesson_id)
    if lesson is None:
        raise LookupError(lesson_id)
    dispute = Dispute(
        id=id_,
        version=1,
        enrollment_id=enrollment_id,
        child_id=child_id,
        lesson_id=lesson_id,
        on=lesson.on,
        month=lesson.month,
        group_id=group_id,
        provider_id=provider_id,
        state="open",
        outcome=None,
        reason=None,
        opened_by=person_id,
        opened_at=tx.now,
        closed_by=None,
        closed_at=None,
    )
    store_of(tx).put("disputes", id_, dispute)


@instead_of(disputes.find_dispute)
async def find_dispute(
    tx: Transaction, id_: UUID, principal: Principal, *, children: frozenset[UUID] | None = None
) -> Dispute | None:
    found: Dispute | None = store_of(tx).rows("disputes").get(id_)
    return found if found and (children is None or found.child_id in children) else None


@instead_of(disputes.close_dispute)
async def close_dispute(
    tx: Transaction,
    dispute: Dispute,
    *,
    state: DisputeState,
    person_id: UUID,
    outcome: Outcome | None = None,
    reason: str | None = None,
) -> None:
    closed = replace(
        dispute,
        version=dispute.version + 1,
        state=state,
        outcome=outcome,
        reason=reason,
        closed_by=person_id,
        closed_at=tx.now,
    )
    store_of(tx).put("disputes", dispute.id, closed)


@instead_of(sheets.lock_provider)
async def lock_provider(tx: Transaction, provider_id: UUID) -> None:
    """One transaction at a time."""


@instead_of(sheets.lock_months)
async def lock_months(tx: Transaction, group_id: UUID, months: Collection[str]) -> None:
    """One transaction at a time."""


@instead_of(sheets.find_group_months)
async def find_group_months(tx: Transaction, group_id: UUID) -> GroupMonths | None:
    group = store_of(tx).rows("groups").get(group_id)
    if group is None:
        return None
    months = months_of(store_of(tx), group_id)
    return GroupMonths(
        provider_id=group["provider_id"],
        starts_on=group["starts_on"],
        ends_on=group["ends_on"],
        unclosed=tuple(one.month.month for one in months if not one.closed),
        last_closed=max((one.month.month for one in months if one.closed), default=None),
    )


@instead_of(sheets.close)
async def close(tx: Transaction, group_id: UUID, month: str) -> None:
    planned = store_of(tx).rows("group_months")[group_id, month]
    store_of(tx).put("group_months", (group_id, month), replace(planned, closed=True))


@instead_of(sheets.seats_of)
async def seats_of(tx: Transaction, group_id: UUID, month: str) -> list[domain.Seat]:
    since, until = first_day(month), first_day(next_month(month))
    return [
        seat
        for seat in _seats(store_of(tx), group_id)
        if seat.starts_on < seat.ends_before and seat.starts_on < until and seat.ends_before > since
    ]


@instead_of(sheets.find_seat)
async def find_seat(tx: Transaction, enrollment_id: UUID) -> tuple[UUID, UUID, domain.Seat] | None:
    found = store_of(tx).rows("seats").get(enrollment_id)
    seat = _seat(found.place) if found else None
    if found is None or seat is None:
        return None
    return store_of(tx).rows("groups")[found.group_id]["provider_id"], found.group_id, seat


@instead_of(sheets.latest)
async def latest(tx: Transaction, month: str, enrollments: Collection[UUID]) -> dict[UUID, tuple[int, str]]:
    store = store_of(tx)
    return {id_: kept[-1] for id_ in enrollments if (kept := _revisions(store, id_, month))}


@instead_of(sheets.closed_months)
async def closed_months(tx: Transaction, enrollment_id: UUID) -> frozenset[str]:
    return frozenset(month for of, month in store_of(tx).rows("sheets") if of == enrollment_id)


@instead_of(sheets.add)
async def add(tx: Transaction, revisions: Iterable[Revision]) -> None:
    store = store_of(tx)
    for one in revisions:
        key = one.sheet.seat.enrollment_id, one.sheet.month
        kept = _revisions(store, *key)
        store.put("sheets", key, [*kept, _Kept(one.number, one.digest)])
