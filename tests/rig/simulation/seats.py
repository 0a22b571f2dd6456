"""Storage of clubs, first half: groups with their plans, and seats."""
# ruff: noqa: ARG001 - a stand-in takes what it stands for takes

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast
from uuid import UUID

from clubs.domain.groups import Group
from clubs.domain.places import Book, Place
from clubs.repository import groups, providers, seats
from clubs.repository.groups import Lesson, Month
from clubs.repository.providers import Row, columns_of
from clubs.repository.seats import Standing
from rig.simulation.replacing import instead_of
from rig.simulation.store import Store, store_of
from shared.clock import civil_date
from shared.database import Transaction
from shared.security import Principal

TAKING = frozenset({"offered", "reserved", "freed"})


@dataclass(frozen=True, slots=True)
class Seat:
    """A row of `seats`."""

    group_id: UUID
    place: Place


@dataclass(frozen=True, slots=True)
class PlannedMonth:
    """A row of `group_months` with its lessons."""

    month: Month
    closed: bool = False


@instead_of(providers.find_club)
async def find_club(tx: Transaction, id_: UUID, *, providers_: frozenset[UUID] | None = None) -> Row | None:
    return cast("Row | None", store_of(tx).rows("clubs").get(id_))


@instead_of(providers.staff_of)
async def staff_of(tx: Transaction, provider_id: UUID, role: str) -> frozenset[UUID]:
    return frozenset()


def _row(group: Group) -> dict[str, Any]:
    schedule = [
        {
            "weekday": one.weekday,
            "starts_at": one.starts_at.isoformat("minutes"),
            "ends_at": one.ends_at.isoformat("minutes"),
        }
        for one in group.schedule
    ]
    names = ("id", "version", "club_id", "provider_id", "direction", "price_tiyn", "capacity", "age_from")
    rest = ("age_to", "coaches", "starts_on", "ends_on", "closed")
    fields = {name: getattr(group, name) for name in (*names, *rest)}
    return fields | columns_of(group.name) | {"schedule": schedule}


@instead_of(groups.add_group)
async def add_group(tx: Transaction, group: Group) -> None:
    store_of(tx).put("groups", group.id, _row(group))


@instead_of(groups.save_group)
async def save_group(tx: Transaction, group: Group) -> None:
    store_of(tx).put("groups", group.id, _row(group))


@instead_of(groups.find_group)
async def find_group(
    tx: Transaction, id_: UUID, *, providers: frozenset[UUID] | None = None, lock: bool = False
) -> Row | None:
    row = store_of(tx).rows("groups").get(id_)
    mine = row is not None and (providers is None or row["provider_id"] in providers)
    return cast("Row", row) if mine else None


@instead_of(groups.planned_months)
async def planned_months(tx: Transaction, group_id: UUID) -> frozenset[str]:
    return frozenset(month for of, month in store_of(tx).rows("group_months") if of == group_id)


@instead_of(groups.add_months)
async def add_months(tx: Transaction, months: Sequence[Month]) -> None:
    for one in months:
        store_of(tx).put("group_months", (one.group_id, one.month), PlannedMonth(one))
        for lesson in one.lessons:
            store_of(tx).put("lessons", lesson.id, (one.group_id, one.month))


@instead_of(groups.has_begun)
async def has_begun(tx: Transaction, group_id: UUID, since: date) -> bool:
    return any(
        lesson.meeting.on >= since and lesson.meeting.starts_at <= tx.now
        for one in months_of(store_of(tx), group_id)
        for lesson in one.month.lessons
    )


@instead_of(groups.cancel_lessons)
async def cancel_lessons(tx: Transaction, group_id: UUID, since: date) -> frozenset[str]:
    changed = set()
    for one in months_of(store_of(tx), group_id):
        lessons = tuple(_canceled(lesson, since) for lesson in one.month.lessons)
        if lessons != one.month.lessons:
            month = replace(one.month, lessons=lessons, version=one.month.version + 1)
            store_of(tx).put("group_months", (group_id, month.month), replace(one, month=month))
            changed.add(month.month)
    return frozenset(changed)


def _canceled(lesson: Lesson, since: date) -> Lesson:
    return replace(lesson, canceled=lesson.canceled or lesson.meeting.on >= since)


@instead_of(groups.read_months)
async def read_months(
    tx: Transaction, group_ids: Sequence[UUID], *, months: Collection[str] | None = None
) -> list[Month]:
    found = [one.month for id_ in sorted(group_ids) for one in months_of(store_of(tx), id_)]
    return [one for one in found if months is None or one.month in months]


def months_of(store: Store, group_id: UUID) -> list[PlannedMonth]:
    """The plans of a group, in order."""
    rows = store.rows("group_months")
    return [rows[key] for key in sorted(key for key in rows if key[0] == group_id)]


def book_of(store: Store, group_id: UUID) -> Book:
    """All that anybody ever had in a group."""
    row = store.rows("groups")[group_id]
    book = Book(row["capacity"], row["starts_on"], row["ends_on"], row["closed"])
    of_group = (one.place for one in store.rows("seats").values() if one.group_id == group_id)
    return book.with_places(of_group)


@instead_of(seats.lock_books)
async def lock_books(
    tx: Transaction, group_ids: Collection[UUID], *, about: Collection[UUID], since: date
) -> dict[UUID, Book]:
    store = store_of(tx)
    known = store.rows("groups")
    books: dict[UUID, Book] = {}
    for id_ in sorted(set(group_ids) & known.keys()):
        row = known[id_]
        book = Book(row["capacity"], row["starts_on"], row["ends_on"], row["closed"])
        found = (one.place for one in store.rows("seats").values() if one.group_id == id_)
        books[id_] = book.with_places([one for one in found if one.id in about or _is_read(one, since)])
    return books


def _is_read(place: Place, since: date) -> bool:
    taking = place.state in TAKING and place.ends_before is not None and place.ends_before > since
    return place.state == "waiting" or taking


@instead_of(seats.save_books)
async def save_books(tx: Transaction, before: Mapping[UUID, Book], after: Mapping[UUID, Book]) -> list[Place]:
    changed = [
        (group_id, place)
        for group_id, book in after.items()
        for id_, place in book.places.items()
        if before[group_id].places.get(id_) is not place
    ]
    for group_id, place in changed:
        store_of(tx).put("seats", place.id, Seat(group_id, place))
    for group_id, book in after.items():
        book.free_from(civil_date(tx.now))
        store_of(tx).put("checked_groups", group_id, tx.now)
    return [place for _, place in changed]


@instead_of(seats.find_offer)
async def find_offer(
    tx: Transaction, offer_id: UUID, *, children: frozenset[UUID] | None = None
) -> tuple[UUID, UUID] | None:
    for one in store_of(tx).rows("seats").values():
        offer, child_id = one.place.offer, one.place.request.child_id
        if offer is not None and offer.id == offer_id and (children is None or child_id in children):
            return one.group_id, one.place.id
    return None


@instead_of(seats.find_standing)
async def find_standing(tx: Transaction, enrollment_id: UUID, principal: Principal) -> Standing | None:
    found = store_of(tx).rows("seats").get(enrollment_id)
    return Standing(found.group_id, found.place, None) if found else None
