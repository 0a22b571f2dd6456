"""What clubs and the wallet answer, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from enrollment import repository
from enrollment.domain.admission import Commitment, obstacle
from enrollment.domain.calendar import Unplanned, first_month
from enrollment.domain.decider import SeatReserved
from enrollment.repository.groups import KnownGroup
from enrollment.usecases.happenings import Happening, happen
from enrollment.usecases.recalling import Asked
from shared import deadlines
from shared.consumer import NotYet
from shared.database import Transaction
from shared.deadlines import Deadline

DEADLINES_PER_STATEMENT = 5_000


async def take(tx: Transaction, happenings: Sequence[Happening]) -> list[NotYet | None]:
    """Let answers have their effect; only a missing fact makes one wait."""
    outcomes = await happen(tx, happenings)
    return [outcome if isinstance(outcome, NotYet) else None for outcome in outcomes]


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that clubs keep. `tx` carries the cause."""

    tx: Transaction
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID
    attempt: int
    starts_on: date


async def reserve(tx: Transaction, seats: Sequence[Seat]) -> list[NotYet | None]:
    """There are seats: ask for the money of the first month, unless something stands against it by now.

    What becomes of one seat of a child bears on its next one: those are judged one after the other.
    """
    await repository.people.lock_children(tx, {seat.child_id for seat in seats})
    known = await repository.groups.known(tx, {seat.group_id for seat in seats})
    answers: list[NotYet | None] = []
    for run in _each_child_once(seats):
        commitments = await repository.enrollments.commitments(tx, [seat.child_id for seat in run])
        judged = [_judge(seat, known.get(seat.group_id), commitments[seat.child_id]) for seat in run]
        taken = iter(await take(tx, [one for one in judged if isinstance(one, Happening)]))
        answers += [one if isinstance(one, NotYet) else next(taken) for one in judged]
    return answers


def _each_child_once(seats: Sequence[Seat]) -> Iterator[list[Seat]]:
    """Runs of consecutive seats in which no child comes twice."""
    run: dict[UUID, Seat] = {}
    for seat in seats:
        if seat.child_id in run:
            yield list(run.values())
            run = {}
        run[seat.child_id] = seat
    yield list(run.values())


def _judge(seat: Seat, known: KnownGroup | None, commitments: Sequence[Commitment]) -> Happening | NotYet:
    if known is None:
        return NotYet("group_described")
    month = first_month(known.plan, seat.starts_on)
    if isinstance(month, Unplanned):
        return NotYet("group_month_planned")
    others = [one for one in commitments if one.enrollment_id != seat.enrollment_id]
    against = obstacle(known.group, seat.starts_on, others)
    reserved = SeatReserved(seat.attempt, seat.starts_on, month, against)
    asked = Asked(
        seat.tx, seat.enrollment_id, seat.child_id, seat.group_id, seat.attempt, starts_on=seat.starts_on
    )
    return Happening(seat.tx, seat.enrollment_id, reserved, asked=asked)


async def money_came(
    tx: Transaction, *, program_id: UUID | None = None, child_ids: Sequence[UUID] | None = None
) -> None:
    """Have months without money asked again, by deadlines that are due now: paced like all requests."""
    waiting = await repository.enrollments.waiting_for_money(tx, program_id=program_id, child_ids=child_ids)
    for start in range(0, len(waiting), DEADLINES_PER_STATEMENT):
        part = waiting[start : start + DEADLINES_PER_STATEMENT]
        await deadlines.set_all(tx, [Deadline("money_came", id_, tx.now) for id_ in part])
