"""What guardians and providers ask for: to enroll, to cancel, to end."""

from datetime import date
from uuid import UUID

from enrollment import repository
from enrollment.domain.admission import Wish, refusal
from enrollment.domain.calendar import Unplanned
from enrollment.domain.decider import Cancel, End
from enrollment.domain.enrollment import Enrollment, State
from enrollment.repository.enrollments import Request
from enrollment.usecases.happenings import Happening, happen, refused
from shared import outbox
from shared.clock import civil_date
from shared.database import Transaction, new_id
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.enrollment import SeatRequested
from shared.security import Principal

INVALID = frozenset({"starts_in_past", "starts_outside_group", "ends_in_past"})
"""What is wrong with the request itself, whatever the state of things."""


async def enroll(
    tx: Transaction, principal: Principal, *, child_id: UUID, group_id: UUID, starts_on: date
) -> Enrollment:
    """Ask clubs for a seat, if nothing that is known already stands against it."""
    if child_id not in principal.scopes("guardian"):
        raise NotFoundError
    child = await repository.people.lock_child(tx, child_id)
    known = (await repository.groups.known(tx, [group_id])).get(group_id)
    if child is None or known is None:
        raise NotFoundError
    wish = Wish(known.group, starts_on, child.iin.birth_date, civil_date(tx.now))
    others = (await repository.enrollments.commitments(tx, [child_id]))[child_id]
    _refuse(refusal(wish, others, known.plan))
    enrollment = Enrollment(
        id=new_id(),
        child_id=child_id,
        group_id=group_id,
        state=State.REQUESTED,
        version=1,
        attempt=1,
        starts_on=starts_on,
    )
    await repository.enrollments.add(tx, enrollment, Request(principal.person_id, tx.now))
    outbox.publish(
        tx,
        SeatRequested(
            child_id=child_id,
            enrollment_id=enrollment.id,
            group_id=group_id,
            attempt=enrollment.attempt,
            starts_on=starts_on,
            priority=child.identity.priority,
            requested_at=tx.now,
        ),
    )
    return enrollment


async def cancel(tx: Transaction, principal: Principal, enrollment_id: UUID) -> Enrollment:
    """Take it back before it is confirmed."""
    found = await repository.enrollments.find(tx, principal, enrollment_id)
    if found is None or found.child_id not in principal.scopes("guardian"):
        raise NotFoundError
    [outcome] = await happen(tx, [Happening(tx, enrollment_id, Cancel())])
    _refuse(refused(outcome))
    return await _again(tx, principal, enrollment_id)


async def end(tx: Transaction, principal: Principal, enrollment_id: UUID, on: date) -> Enrollment:
    """Leave on a day, which is the first without the child; asked by a guardian or by the provider."""
    found = await repository.enrollments.find(tx, principal, enrollment_id)
    if found is None or not principal.has("guardian", "director"):
        raise NotFoundError
    by_guardian = found.child_id in principal.scopes("guardian")
    known = (await repository.groups.known(tx, [found.group_id]))[found.group_id]
    if not by_guardian and known.group.provider_id not in principal.scopes("director"):
        raise NotFoundError
    code = "ended_by_guardian" if by_guardian else "ended_by_provider"
    [outcome] = await happen(tx, [Happening(tx, enrollment_id, End(on, code))])
    _refuse(refused(outcome))
    return await _again(tx, principal, enrollment_id)


async def _again(tx: Transaction, principal: Principal, enrollment_id: UUID) -> Enrollment:
    found = await repository.enrollments.find(tx, principal, enrollment_id)
    if found is None:
        raise NotFoundError
    return found


def _refuse(code: str | Unplanned | None) -> None:
    if isinstance(code, Unplanned):
        raise ConflictError("group_not_planned_yet", month=code.month)
    if code in INVALID:
        raise InvalidError(code)
    if code is not None:
        raise ConflictError(code)
