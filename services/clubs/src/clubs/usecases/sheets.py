"""Close months, and make the next revision of what is closed. What is on a sheet: `domain.sheets`.

Whoever makes a sheet holds the lock of its provider, and for the first one also that of the group's month, so
that no mark is missed. A sheet is made of all that is recorded: making it again changes nothing, and whatever
was interrupted is simply made.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from clubs.domain.places import Place
from clubs.domain.sheets import Revision, Seat, Sheet, closes_at, months_of, revise, settles_at, sheet_of
from clubs.repository import sheets as repository
from clubs.repository.records import read_records
from clubs.repository.sheets import GroupMonths
from clubs.usecases import statements
from shared import deadlines, outbox
from shared.clock import first_day, month_of, next_month
from shared.database import Transaction
from shared.deadlines import Deadline
from shared.errors import NotFoundError
from shared.events.attendance import AttendanceClosed
from shared.security import Principal

MONTH_CLOSES = "month_closes"
SEAT_CLOSES = "seat_closes"


async def expect_closing(tx: Transaction, group_id: UUID) -> None:
    """Note when the next month of a group is to be closed."""
    group = await repository.find_group_months(tx, group_id)
    due = group and _next_closing(group, tx.now)
    if due:
        await deadlines.set(tx, kind=MONTH_CLOSES, subject_id=group_id, due_at=due)


def _next_closing(group: GroupMonths, now: datetime) -> datetime | None:
    """When the first month that is not closed will be; where none is planned, that of the next to be."""
    end = group.ends_on + timedelta(days=1)
    if group.unclosed:
        return closes_at(group.unclosed[0], end)
    month = next_month(group.last_closed) if group.last_closed else month_of(group.starts_on)
    while first_day(month) < end:
        if closes_at(month, end) > now:
            return closes_at(month, end)
        month = next_month(month)  # what nobody planned in time had no lessons
    return None


async def close_months(tx: Transaction, group_id: UUID) -> None:
    """Close the months of a group whose windows are over, and note when the next one is due."""
    group = await repository.find_group_months(tx, group_id)
    if group is None:
        return
    await repository.lock_provider(tx, group.provider_id)
    end = group.ends_on + timedelta(days=1)
    over = [month for month in group.unclosed if closes_at(month, end) <= tx.now]
    await repository.lock_months(tx, group_id, over)
    for month in over:
        await repository.close(tx, group_id, month)
        seats = await repository.seats_of(tx, group_id, month)
        await _make(tx, group.provider_id, group_id, month, seats)
    await statements.make_ready(tx, group.provider_id, over)
    await expect_closing(tx, group_id)


async def expect_settling(tx: Transaction, changed: Sequence[Place]) -> None:
    """Note when seats that changed need sheets by themselves."""
    due = [(place.id, settles_at(place, tx.now)) for place in changed]
    await deadlines.set_all(tx, [Deadline(SEAT_CLOSES, id_, at) for id_, at in due if at is not None])


async def settle_seat(tx: Transaction, enrollment_id: UUID) -> None:
    """Make the sheets of a seat that ended, or came or changed late, as far as their windows are over."""
    found = await repository.find_seat(tx, enrollment_id)
    if found is None:
        return
    provider_id, group_id, _ = found
    await repository.lock_provider(tx, provider_id)
    found = await repository.find_seat(tx, enrollment_id)
    if found is None:
        return
    *_, seat = found
    closed = await repository.closed_months(tx, enrollment_id)
    last = month_of(seat.ends_before - timedelta(days=1))
    over = {month for month in months_of(seat) if closes_at(month, seat.ends_before) <= tx.now}
    # A closed month before the seat's last one says what it said: its days have not changed.
    months = sorted({month for month in over | closed if month not in closed or month >= last})
    await repository.lock_months(tx, group_id, months)
    for month in months:
        await _make(tx, provider_id, group_id, month, [seat])
    due = closes_at(last, seat.ends_before)
    if due > tx.now:
        await deadlines.set(tx, kind=SEAT_CLOSES, subject_id=enrollment_id, due_at=due)


async def revise_closed(
    tx: Transaction, provider_id: UUID, group_id: UUID, month: str, enrollment_id: UUID
) -> None:
    """Make the next revision of a sheet, if there is one at all. The caller holds the provider's lock."""
    if not await repository.latest(tx, month, [enrollment_id]):
        return
    found = await repository.find_seat(tx, enrollment_id)
    if found is not None:
        await _make(tx, provider_id, group_id, month, [found[2]])


async def _make(
    tx: Transaction, provider_id: UUID, group_id: UUID, month: str, seats: Sequence[Seat]
) -> None:
    """Keep, put on the statement and tell whatever is new about these seats."""
    records = await read_records(tx, provider_id, group_id, month, seats)
    before = await repository.latest(tx, month, [seat.enrollment_id for seat in seats])
    made = [revise(sheet_of(records, seat), before.get(seat.enrollment_id)) for seat in seats]
    revisions = [revision for revision in made if revision is not None]
    if not revisions:
        return
    await repository.add(tx, revisions)
    await statements.put_on(tx, provider_id, revisions)
    for revision in revisions:
        tx.touch(revision.sheet.seat.enrollment_id)
        outbox.publish(tx, _closed(revision))


def _closed(revision: Revision) -> AttendanceClosed:
    """What is told is the very text that the digest is of, and these two."""
    head = f'{{"revision":{revision.number},"digest":"{revision.digest}",'
    return AttendanceClosed.model_validate_json(head + revision.text.removeprefix("{"))


async def read_attendance(
    tx: Transaction,
    principal: Principal,
    month: str,
    *,
    child_id: UUID | None = None,
    enrollment_id: UUID | None = None,
) -> list[tuple[Sheet, int | None]]:
    """What is recorded about a child's month now, and the number of its sheet's latest revision."""
    principal.require("guardian", "director", "administrator", "auditor")
    seats = await repository.find_seats(tx, principal, month, child_id=child_id, enrollment_id=enrollment_id)
    if not seats:
        raise NotFoundError
    revisions = await repository.latest(tx, month, [seat.enrollment_id for _, _, seat in seats])
    found = []
    for provider_id, group_id, seat in seats:
        records = await read_records(tx, provider_id, group_id, month, [seat])
        number, _ = revisions.get(seat.enrollment_id, (None, ""))
        found.append((sheet_of(records, seat), number))
    return found
