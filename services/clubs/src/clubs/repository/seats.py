"""Seats: books read under the locks of their groups and written back at once; and what people see."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from clubs.domain.places import Book, Offer, Place, Request, Turn
from clubs.repository.providers import Row
from clubs.tables import groups, seats
from shared.clock import civil_date
from shared.database import Transaction
from shared.security import Principal

# One statement for all changed seats. A seat never moves to another group: such a row is left alone, and
# then the count is wrong.
_SAVE = """
INSERT INTO seats (enrollment_id, version, group_id, child_id, attempt, wished_on, priority, requested_at,
                   state, starts_on, ends_before, offer_id, offer_until, code)
SELECT * FROM unnest(
    $1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::integer[], $6::date[], $7::integer[],
    $8::timestamptz[], $9::text[], $10::date[], $11::date[], $12::uuid[], $13::timestamptz[], $14::text[]
)
ON CONFLICT (enrollment_id) DO UPDATE SET
    version = excluded.version, attempt = excluded.attempt, wished_on = excluded.wished_on,
    priority = excluded.priority, requested_at = excluded.requested_at, state = excluded.state,
    starts_on = excluded.starts_on, ends_before = excluded.ends_before, offer_id = excluded.offer_id,
    offer_until = excluded.offer_until, code = excluded.code
WHERE seats.group_id = excluded.group_id
"""

_SAVE_FREE_FROM = """
UPDATE groups SET free_from = new.free_from
FROM unnest($1::uuid[], $2::date[]) AS new (id, free_from)
WHERE groups.id = new.id AND groups.free_from IS DISTINCT FROM new.free_from
"""


class SeatOfAnotherGroupError(Exception):
    """An enrollment that has a place in one group cannot ask for one in another."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an enrollment has, as people see it."""

    group_id: UUID
    place: Place
    number: int | None
    """The place in the queue, while it waits."""


async def lock_books(
    tx: Transaction, group_ids: Collection[UUID], *, about: Collection[UUID], since: date
) -> dict[UUID, Book]:
    """Lock these groups in the order of their ids, then read their seats; unknown groups are left out.

    A book has whoever waits, and whoever takes a seat on `since` or later; besides, the enrollments that it
    is `about`, whatever they have.
    """
    locked = await tx.execute(
        sa.select(groups.c.id, groups.c.capacity, groups.c.starts_on, groups.c.ends_on, groups.c.closed)
        .where(groups.c.id.in_(group_ids))
        .order_by(groups.c.id)
        .with_for_update(key_share=True)
    )
    books = {row.id: Book(row.capacity, row.starts_on, row.ends_on, row.closed) for row in locked}
    taking = sa.and_(seats.c.state.in_(("offered", "reserved", "freed")), seats.c.ends_before > since)
    rows = await tx.execute(
        sa.select(seats).where(
            seats.c.group_id.in_(books),
            sa.or_(seats.c.state == "waiting", taking, seats.c.enrollment_id.in_(about)),
        )
    )
    places: dict[UUID, list[Place]] = {id_: [] for id_ in books}
    for row in rows.mappings():
        places[row["group_id"]].append(_place_of(row))
    return {id_: book.with_places(places[id_]) for id_, book in books.items()}


async def save_books(tx: Transaction, before: Mapping[UUID, Book], after: Mapping[UUID, Book]) -> list[Place]:
    """Write what has changed in books that are locked; the places that did."""
    changed = [
        (group_id, place)
        for group_id, book in after.items()
        for id_, place in book.places.items()
        if before[group_id].places.get(id_) is not place
    ]
    driver = await tx.driver()
    if changed:
        rows = [_columns_of(group_id, place) for group_id, place in changed]
        done = await driver.execute(_SAVE, *(list(column) for column in zip(*rows, strict=True)))
        if done != f"INSERT 0 {len(rows)}":
            raise SeatOfAnotherGroupError
    ids = [id_ for id_, book in after.items() if book is not before[id_]]
    today = civil_date(tx.now)  # days gone by are not all read, and free to nobody
    await driver.execute(_SAVE_FREE_FROM, ids, [after[id_].free_from(today) for id_ in ids])
    return [place for _, place in changed]


def _place_of(row: Row) -> Place:
    request = Request(
        enrollment_id=row["enrollment_id"],
        child_id=row["child_id"],
        attempt=row["attempt"],
        wished_on=row["wished_on"],
        priority=row["priority"],
        requested_at=row["requested_at"],
    )
    offer = Offer(row["offer_id"], row["offer_until"]) if row["offer_id"] else None
    return Place(
        request=request,
        state=row["state"],
        version=row["version"],
        starts_on=row["starts_on"],
        ends_before=row["ends_before"],
        offer=offer,
        code=row["code"],
    )


def _columns_of(group_id: UUID, place: Place) -> tuple[Any, ...]:
    request, offer = place.request, place.offer
    return (
        request.enrollment_id,
        place.version,
        group_id,
        request.child_id,
        request.attempt,
        request.wished_on,
        request.priority,
        request.requested_at,
        place.state,
        place.starts_on,
        place.ends_before,
        offer.id if offer else None,
        offer.until if offer else None,
        place.code,
    )


def _turn(rows: sa.FromClause) -> tuple[sa.ColumnElement[Any], ...]:
    """The published order of the queue, as `Place.turn` has it."""
    return (-rows.c.priority, rows.c.requested_at, rows.c.enrollment_id)


async def find_offer(
    tx: Transaction, offer_id: UUID, *, children: frozenset[UUID] | None = None
) -> tuple[UUID, UUID] | None:
    """The group and the enrollment of an offer; to one of these children only, if they are given."""
    statement = sa.select(seats.c.group_id, seats.c.enrollment_id).where(seats.c.offer_id == offer_id)
    if children is not None:
        statement = statement.where(seats.c.child_id.in_(children))
    row = (await tx.execute(statement)).one_or_none()
    return (row.group_id, row.enrollment_id) if row else None


async def find_standing(tx: Transaction, enrollment_id: UUID, principal: Principal) -> Standing | None:
    """What an enrollment has, for its guardians, the director of its group and administrators."""
    ahead = seats.alias("ahead")
    number = (
        sa.select(sa.func.count() + 1)
        .where(
            ahead.c.group_id == seats.c.group_id,
            ahead.c.state == "waiting",
            sa.tuple_(*_turn(ahead)) < sa.tuple_(*_turn(seats)),
        )
        .scalar_subquery()
    )
    statement = (
        sa.select(seats, sa.case((seats.c.state == "waiting", number)).label("number"))
        .join(groups, groups.c.id == seats.c.group_id)
        .where(seats.c.enrollment_id == enrollment_id)
    )
    if not principal.has("administrator"):
        statement = statement.where(
            sa.or_(
                seats.c.child_id.in_(principal.scopes("guardian")),
                groups.c.provider_id.in_(principal.scopes("director")),
            )
        )
    row = (await tx.execute(statement)).mappings().one_or_none()
    return Standing(row["group_id"], _place_of(row), row["number"]) if row else None


async def read_roster(
    tx: Transaction, group_id: UUID, *, today: date, after: UUID | None, limit: int
) -> Sequence[Standing]:
    """Who has, or is offered, a seat in a group today or later."""
    statement = sa.select(seats).where(
        seats.c.group_id == group_id,
        seats.c.state.in_(("offered", "reserved", "freed")),
        seats.c.ends_before > today,
        seats.c.starts_on < seats.c.ends_before,
    )
    if after is not None:
        statement = statement.where(seats.c.enrollment_id > after)
    rows = await tx.execute(statement.order_by(seats.c.enrollment_id).limit(limit))
    return [Standing(group_id, _place_of(row), None) for row in rows.mappings()]


async def read_queue(
    tx: Transaction, group_id: UUID, *, after: Turn | None, limit: int
) -> Sequence[Standing]:
    """Who waits for a seat in a group, in the published order, from the turn after this one."""
    waiting = (
        sa.select(seats, sa.func.row_number().over(order_by=_turn(seats)).label("number"))
        .where(seats.c.group_id == group_id, seats.c.state == "waiting")
        .subquery()
    )
    statement = sa.select(waiting).order_by(waiting.c.number).limit(limit)
    if after is not None:
        statement = statement.where(sa.tuple_(*_turn(waiting)) > sa.tuple_(*map(sa.literal, after)))
    rows = await tx.execute(statement)
    return [Standing(group_id, _place_of(row), row["number"]) for row in rows.mappings()]
