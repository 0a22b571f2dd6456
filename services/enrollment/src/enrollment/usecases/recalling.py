"""Enrollments that clubs answer and nobody here knows: a restore forgot the request, and kept its answer.

A request leaves only once it is committed, so whoever is answered did ask. What clubs say suffices to ask
for the money again: the wallet gives a repeated request its first answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import structlog

from enrollment import repository
from enrollment.domain.enrollment import Enrollment, State
from enrollment.repository.enrollments import Request
from shared import outbox
from shared.clock import civil_date
from shared.consumer import NotYet
from shared.database import Transaction
from shared.events.enrollment import Canceled

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer of clubs tells of the request. `tx` carries the cause."""

    tx: Transaction
    enrollment_id: UUID
    child_id: UUID
    group_id: UUID
    attempt: int
    starts_on: date | None
    """Not known of who waits: told with the seat."""


async def recall(tx: Transaction, lost: Sequence[Asked]) -> dict[UUID, Enrollment | NotYet]:
    """Write these as requested again, in the name of a guardian. A child that is not known stays unknown.

    A child that was enrolled in the same group anew keeps that: the lost enrollment is told to be canceled.
    It waits while the wallet has to say whether the other one, which may be recalled too, comes to anything.
    """
    await repository.people.lock_children(tx, {one.child_id for one in lost})
    guardians = await repository.people.guardians(tx, {one.child_id for one in lost})
    recalled: dict[UUID, Enrollment | NotYet] = {}
    for one in lost:
        if one.enrollment_id in recalled or not guardians.get(one.child_id):
            continue
        commitments = (await repository.enrollments.commitments(tx, [one.child_id]))[one.child_id]
        states = {other.state for other in commitments if other.group_id == one.group_id}
        if State.FUNDING in states:
            recalled[one.enrollment_id] = NotYet("enrollment_funded")
        elif states:
            _give_up(one)
        else:
            recalled[one.enrollment_id] = await _write(tx, one, guardians[one.child_id][0])
    return recalled


def _give_up(one: Asked) -> None:
    canceled = Canceled(child_id=one.child_id, enrollment_id=one.enrollment_id, group_id=one.group_id)
    outbox.publish(one.tx, canceled)


async def _write(tx: Transaction, one: Asked, guardian: UUID) -> Enrollment:
    enrollment = Enrollment(
        id=one.enrollment_id,
        child_id=one.child_id,
        group_id=one.group_id,
        state=State.REQUESTED,
        version=1,
        attempt=one.attempt,
        starts_on=one.starts_on or civil_date(tx.now),
    )
    await repository.enrollments.add(tx, enrollment, Request(guardian, tx.now))
    log.warning("enrollment_recalled", enrollment_id=str(enrollment.id))
    return enrollment
