"""A guardian disputes a lesson, may take it back, and an administrator who is no party to it decides."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from clubs.domain.disputes import Dispute, check_no_party, check_none_stands, check_open
from clubs.domain.lessons import ChildWithoutSeatError, check_begun
from clubs.domain.sheets import DisputeState, Outcome
from clubs.repository import disputes as repository
from clubs.repository import lessons
from clubs.repository.sheets import lock_provider
from clubs.usecases import sheets
from shared import audit, outbox
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.events.attendance import DisputeDecided, DisputeOpened
from shared.security import Principal


async def open_dispute(tx: Transaction, principal: Principal, *, child_id: UUID, lesson_id: UUID) -> Dispute:
    """A guardian says that the child was not at the lesson as it is claimed."""
    principal.require("guardian")
    if child_id not in principal.scopes("guardian"):
        raise NotFoundError
    lesson = await lessons.find_lesson(tx, lesson_id)
    if lesson is None:
        raise NotFoundError
    check_begun(lesson, tx.now)
    await lock_provider(tx, lesson.provider_id)
    seat = (await lessons.seated(tx, lesson, [child_id])).get(child_id)
    if seat is None:
        raise ChildWithoutSeatError
    check_none_stands(await repository.standing(tx, lesson_id, child_id))
    id_ = new_id()
    await repository.add_dispute(
        tx,
        id_=id_,
        enrollment_id=seat.enrollment_id,
        child_id=child_id,
        lesson_id=lesson_id,
        group_id=lesson.group_id,
        provider_id=lesson.provider_id,
        person_id=principal.person_id,
    )
    dispute = await read_case(tx, principal, id_)
    outbox.publish(tx, DisputeOpened(dispute_id=id_, **_what(dispute)))
    await _revise(tx, dispute)
    return dispute


async def withdraw(tx: Transaction, principal: Principal, dispute_id: UUID) -> Dispute:
    """A guardian takes it back: as if it had never been said."""
    principal.require("guardian")
    dispute = await _lock(tx, principal, dispute_id, children=principal.scopes("guardian"))
    await repository.close_dispute(tx, dispute, state="withdrawn", person_id=principal.person_id)
    outbox.publish(tx, DisputeDecided(dispute_id=dispute_id, **_what(dispute), outcome="withdrawn"))
    await _revise(tx, dispute)
    return await read_case(tx, principal, dispute_id)


async def decide(
    tx: Transaction, principal: Principal, dispute_id: UUID, *, outcome: Outcome, reason: str
) -> Dispute:
    """An administrator decides, for good, whether the lesson is to count."""
    principal.require("administrator")
    dispute = await _lock(tx, principal, dispute_id)
    await repository.close_dispute(
        tx, dispute, state="decided", person_id=principal.person_id, outcome=outcome, reason=reason
    )
    await audit.record(tx, principal, "decide", "dispute", dispute_id, outcome=outcome)
    outbox.publish(tx, DisputeDecided(dispute_id=dispute_id, **_what(dispute), outcome=outcome))
    await _revise(tx, dispute)
    return await read_case(tx, principal, dispute_id)


async def _lock(
    tx: Transaction, principal: Principal, dispute_id: UUID, *, children: frozenset[UUID] | None = None
) -> Dispute:
    """The case, if it is open and this person may close it, with the lock of its provider."""
    found = await repository.find_dispute(tx, dispute_id, principal, children=children)
    if found is None:
        raise NotFoundError
    if children is None:
        check_no_party(
            found,
            children=principal.scopes("guardian"),
            providers=principal.scopes("director", "coach"),
        )
    await lock_provider(tx, found.provider_id)
    dispute = await read_case(tx, principal, dispute_id)
    check_open(dispute)
    return dispute


async def _revise(tx: Transaction, dispute: Dispute) -> None:
    tx.touch(dispute.id)
    await sheets.revise_closed(
        tx, dispute.provider_id, dispute.group_id, dispute.month, dispute.enrollment_id
    )


def _what(dispute: Dispute) -> dict[str, Any]:
    return {
        "child_id": dispute.child_id,
        "enrollment_id": dispute.enrollment_id,
        "group_id": dispute.group_id,
        "provider_id": dispute.provider_id,
        "lesson_id": dispute.lesson_id,
        "on": dispute.on,
    }


async def read_case(tx: Transaction, principal: Principal, dispute_id: UUID) -> Dispute:
    """A case: for the child's guardians, the provider's director, administrators, auditors."""
    principal.require("guardian", "director", "administrator", "auditor")
    dispute = await repository.find_dispute(tx, dispute_id, principal)
    if dispute is None:
        raise NotFoundError
    return dispute


async def find_cases(
    tx: Transaction,
    principal: Principal,
    *,
    state: DisputeState | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Dispute]:
    """The cases that this person may see, the newest first."""
    principal.require("guardian", "director", "administrator", "auditor")
    return await repository.find_disputes(tx, principal, state=state, before=before, limit=limit)
