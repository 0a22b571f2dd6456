"""What clubs and the wallet answer, and what follows from it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from enrollment import repository
from enrollment.domain.admission import obstacle
from enrollment.domain.calendar import Unplanned, first_month
from enrollment.domain.decider import SeatReserved
from enrollment.usecases.happenings import Happening, happen
from shared import deadlines
from shared.consumer import NotYet
from shared.database import Transaction
from shared.deadlines import Deadline

DEADLINES_PER_STATEMENT = 5_000


async def take(tx: Transaction, happenings: Sequence[Happening]) -> list[NotYet | None]:
    """Let answers have their effect; only a missing fact makes one wait."""
    outcomes = await happen(tx, happenings)
    return [outcome if isinstance(outcome, NotYet) else None for outcome in outcomes]


async def reserve(
    tx: Transaction, *, child_id: UUID, enrollment_id: UUID, group_id: UUID, attempt: int, starts_on: date
) -> NotYet | None:
    """There is a seat: ask for the money of the first month, unless something stands against it by now."""
    await repository.people.lock_child(tx, child_id)
    known = (await repository.groups.known(tx, [group_id])).get(group_id)
    if known is None:
        return NotYet("group_described")
    month = first_month(known.plan, starts_on)
    if isinstance(month, Unplanned):
        return NotYet("group_month_planned")
    others = await repository.enrollments.commitments(tx, child_id, besides=enrollment_id)
    seat = SeatReserved(attempt, starts_on, month, obstacle(known.group, starts_on, others))
    [answer] = await take(tx, [Happening(tx, enrollment_id, seat)])
    return answer


async def money_came(
    tx: Transaction, *, program_id: UUID | None = None, child_ids: Sequence[UUID] | None = None
) -> None:
    """Have months without money asked again, by deadlines that are due now: paced like all requests."""
    waiting = await repository.enrollments.waiting_for_money(tx, program_id=program_id, child_ids=child_ids)
    for start in range(0, len(waiting), DEADLINES_PER_STATEMENT):
        part = waiting[start : start + DEADLINES_PER_STATEMENT]
        await deadlines.set_all(tx, [Deadline("money_came", id_, tx.now) for id_ in part])
