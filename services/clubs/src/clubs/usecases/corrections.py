"""Correct a mark after closing: a coach proposes it with a reason, a director (another person) approves."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from clubs.domain.lessons import (
    ChildWithoutSeatError,
    HeldLesson,
    MonthOpenError,
    Said,
    Seated,
    check_begun,
)
from clubs.repository import lessons as repository
from clubs.repository.sheets import lock_provider
from clubs.usecases import sheets
from shared import audit
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction
from shared.errors import NotFoundError
from shared.security import Principal, principal_of


class Correction(BaseModel):
    """What is to be written instead of what coaches said."""

    model_config = ConfigDict(frozen=True)

    lesson_id: UUID
    child_id: UUID
    present: bool
    reason: str


async def propose_correction(tx: Transaction, principal: Principal, wanted: Correction) -> Proposal:
    """Propose it, as a coach of the provider. While the month is open, the lesson is just marked again."""
    principal.require("coach")
    lesson = await repository.find_lesson(tx, wanted.lesson_id, providers=principal.scopes("coach"))
    if lesson is None:
        raise NotFoundError
    check_begun(lesson, tx.now)
    await _closed_seat(tx, lesson, wanted.child_id)
    return await propose(tx, principal, CORRECTION, wanted, scope_id=lesson.provider_id)


async def _correct(tx: Transaction, proposal: Proposal, wanted: Correction) -> UUID:
    """The proposer's new mark, and the next revision."""
    lesson = await repository.find_lesson(tx, wanted.lesson_id)
    if lesson is None or proposal.decided_by is None:
        raise NotFoundError
    await lock_provider(tx, lesson.provider_id)
    seat = await _closed_seat(tx, lesson, wanted.child_id)
    said = Said(wanted.child_id, wanted.present)
    await repository.add_marks(
        tx, lesson.id, [(said, seat)], source="coach", person_id=proposal.proposed_by, corrects=True
    )
    director = await principal_of(tx, proposal.decided_by)
    await audit.record(
        tx,
        director,
        "correct",
        "lesson",
        lesson.id,
        reason=wanted.reason,
        enrollment_id=str(seat.enrollment_id),
        proposal_id=str(proposal.id),
    )
    await sheets.revise_closed(tx, lesson.provider_id, lesson.group_id, lesson.month, seat.enrollment_id)
    return seat.enrollment_id


async def _closed_seat(tx: Transaction, lesson: HeldLesson, child_id: UUID) -> Seated:
    seat = (await repository.seated(tx, lesson, [child_id])).get(child_id)
    if seat is None:
        raise ChildWithoutSeatError
    if not seat.closed:
        raise MonthOpenError
    return seat


CORRECTION = ApprovalKind("correction", Correction, ("director",), _correct)
