"""A guardian's "this is not us", from the first word to the decision. What it means for a sheet: `sheets`."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from clubs.domain.sheets import DisputeState, Outcome
from shared.errors import ConflictError, ForbiddenError


class DisputeStandsError(ConflictError):
    """There is one about this child and lesson: it is open, or it was decided."""

    code = "dispute_open"


class CaseClosedError(ConflictError):
    """It was taken back or decided, and that is final."""

    code = "case_closed"


class PartyToTheCaseError(ForbiddenError):
    """Who decides is neither the child's guardian nor works for the provider."""

    code = "party_to_the_case"


@dataclass(frozen=True, slots=True)
class Dispute:
    """One case. `closed_by` took it back, or decided it."""

    id: UUID
    version: int
    enrollment_id: UUID
    child_id: UUID
    lesson_id: UUID
    on: date
    month: str
    group_id: UUID
    provider_id: UUID
    state: DisputeState
    outcome: Outcome | None
    reason: str | None
    opened_by: UUID
    opened_at: datetime
    closed_by: UUID | None
    closed_at: datetime | None


def check_open(dispute: Dispute) -> None:
    """Only an open case can be taken back or decided."""
    if dispute.state != "open":
        raise CaseClosedError


def check_none_stands(standing: DisputeState | None) -> None:
    """One open dispute at a time; once decided, never again."""
    if standing is not None:
        raise DisputeStandsError("dispute_decided" if standing == "decided" else "dispute_open")


def check_no_party(dispute: Dispute, *, children: frozenset[UUID], providers: frozenset[UUID]) -> None:
    """Whoever decides has no part in it, whatever other roles they have."""
    if dispute.child_id in children or dispute.provider_id in providers:
        raise PartyToTheCaseError
