"""What happens by itself: months are asked for, the grace ends, the last day comes."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel

from enrollment import repository
from enrollment.domain.decider import AskAgain, Decision, GraceOver, LastDayOver, MonthDue
from enrollment.domain.reviews import Review, verdict
from enrollment.usecases.happenings import Happening, happen
from shared import deadlines
from shared.approvals import ApprovalKind, Proposal, propose
from shared.clock import civil_date
from shared.database import Transaction, new_id
from shared.deadlines import Deadline
from shared.events.envelope import Month
from shared.security import Principal

UNANSWERED_MAX = 500
"""Requests for later months in flight: a wave never makes people's own requests wait long."""
PACE = timedelta(seconds=10)
SYSTEM = Principal(UUID(int=0), frozenset())
"""Who proposes what nobody in person asked for."""


async def ask_due_month(tx: Transaction, enrollment_id: UUID) -> None:
    """The next month is due."""
    if not await _too_many(tx, "month_due", enrollment_id):
        await happen(tx, [Happening(tx, enrollment_id, MonthDue(), fired="month_due")])


async def ask_again(tx: Transaction, enrollment_id: UUID, *, because: str) -> None:
    """Money came, or the grace is about to end."""
    if await _too_many(tx, because, enrollment_id):
        return
    [outcome] = await happen(tx, [Happening(tx, enrollment_id, AskAgain(), fired=because)])
    if because == "money_came" and isinstance(outcome, Decision) and _was_waiting(outcome):
        # The answer on its way may be a no from before the money came: ask again once it is here.
        await deadlines.set(tx, kind=because, subject_id=enrollment_id, due_at=tx.now + PACE)


def _was_waiting(decision: Decision) -> bool:
    """Whether nothing could be asked because an earlier request has no answer yet."""
    return decision.enrollment.waits_for_an_answer and not decision.effects


async def _too_many(tx: Transaction, kind: str, enrollment_id: UUID) -> bool:
    if await repository.enrollments.unanswered(tx, at_most=UNANSWERED_MAX) < UNANSWERED_MAX:
        return False
    await deadlines.set(tx, kind=kind, subject_id=enrollment_id, due_at=tx.now + PACE)
    return True


async def end_of_grace(tx: Transaction, enrollment_id: UUID) -> None:
    """No money came in time: the enrollment ends, unless too many of its program would."""
    enrollment = (await repository.enrollments.lock(tx, [enrollment_id])).get(enrollment_id)
    month = enrollment.unfunded if enrollment else None
    if enrollment is None or enrollment.program_id is None or month is None:
        return
    over = month.grace_ends_on is not None and civil_date(tx.now) > month.grace_ends_on
    if over and not await _may_end(tx, enrollment.program_id, month.month):
        return
    await happen(tx, [Happening(tx, enrollment_id, GraceOver(), fired="grace_over")])


async def _may_end(tx: Transaction, program_id: UUID, month: str) -> bool:
    """The verdict on this month of the program: made for the first who comes, proposed once if it waits."""
    review = await repository.reviews.find(tx, program_id, month)
    if review is None:
        program = (await repository.groups.find_programs(tx, [program_id]))[program_id]
        unfunded, enrolled = await repository.reviews.count(tx, program_id, month)
        decided = verdict(
            unfunded=unfunded, enrolled=enrolled, declined_percent_max=program.declined_percent_max
        )
        review = Review(new_id(), program_id, month, decided, unfunded, enrolled)
        await repository.reviews.add(tx, review)
        if decided == "wait":
            await _ask_administrators(tx, review, program.region_id)
    return review.verdict == "end"


async def _ask_administrators(tx: Transaction, review: Review, region_id: UUID) -> None:
    unfunded, enrolled = await repository.reviews.count(tx, review.program_id, review.month)
    wanted = EndUnfunded(
        program_id=review.program_id, month=review.month, unfunded=unfunded, enrolled=enrolled
    )
    proposal = await propose(tx, SYSTEM, END_UNFUNDED, wanted, scope_id=region_id)
    await repository.reviews.ask(tx, review.id, proposal.id)
    await deadlines.set(tx, kind="review_lapses", subject_id=review.id, due_at=proposal.expires_at)


async def ask_administrators_again(tx: Transaction, review_id: UUID) -> None:
    """Nobody decided in time: ask anew while there is something to decide. A no is a decision."""
    review = await repository.reviews.lock(tx, review_id)
    if review is None or review.verdict == "end" or await repository.reviews.is_rejected(tx, review):
        return
    if await repository.reviews.unfunded(tx, review.program_id, review.month):
        program = (await repository.groups.find_programs(tx, [review.program_id]))[review.program_id]
        await _ask_administrators(tx, review, program.region_id)


async def end_on_last_day(tx: Transaction, enrollment_id: UUID) -> None:
    """The first day without the child has come."""
    await happen(tx, [Happening(tx, enrollment_id, LastDayOver(), fired="enrollment_ends")])


class EndUnfunded(BaseModel):
    """Whether the enrollments of a program that have no money for a month are to end; with the figures."""

    program_id: UUID
    month: Month
    unfunded: int
    enrolled: int


async def _end_unfunded(tx: Transaction, proposal: Proposal, wanted: EndUnfunded) -> UUID:
    """Each ends by a deadline of its own, which is due now; whoever got money meanwhile does not."""
    await repository.reviews.decide_to_end(tx, wanted.program_id, wanted.month)
    unfunded = await repository.reviews.unfunded(tx, wanted.program_id, wanted.month)
    for start in range(0, len(unfunded), UNANSWERED_MAX):
        part = unfunded[start : start + UNANSWERED_MAX]
        await deadlines.set_all(tx, [Deadline("grace_over", id_, tx.now) for id_ in part])
    return proposal.id


END_UNFUNDED = ApprovalKind("end_unfunded", EndUnfunded, ("administrator",), _end_unfunded)
