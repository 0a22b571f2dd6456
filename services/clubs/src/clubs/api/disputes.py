"""Disputes, and the cases that they are until they are decided."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from clubs.domain.disputes import Dispute
from clubs.domain.sheets import DisputeState, Outcome
from clubs.usecases import disputes as usecases
from shared.http import Body, Listing, PageQuery, Router, Signed, Text, Tx

router = Router()


class NewDispute(Body):
    """The child was not at this lesson as it is claimed."""

    child_id: UUID
    lesson_id: UUID


class Decision(Body):
    """Whether the lesson is to count, and why."""

    decision: Outcome
    reason: Text


class StepView(BaseModel):
    """Something that happened to a case."""

    state: DisputeState
    at: datetime
    by: Literal["guardian", "administrator"]


class CaseView(BaseModel):
    """A case: where it stands, since when, and who acts next."""

    id: UUID
    version: int
    kind: Literal["dispute"] = "dispute"
    state: DisputeState
    since: datetime
    next: Annotated[Literal["administrator"] | None, Field(description="Who has to act; null: nobody")]
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID
    provider_id: UUID
    lesson_id: UUID
    on: date
    outcome: Outcome | None
    reason: Annotated[str | None, Field(description="Of the decision")]
    history: list[StepView]


@router.post("/v1/disputes", status_code=201, tags=["cases"])
async def open_dispute(body: NewDispute, tx: Tx, principal: Signed, response: Response) -> CaseView:
    """Say "this is not us" about a lesson. For the child's guardians."""
    dispute = await usecases.open_dispute(tx, principal, child_id=body.child_id, lesson_id=body.lesson_id)
    response.headers["Location"] = f"/v1/cases/{dispute.id}"
    return _view(dispute)


@router.post("/v1/disputes/{dispute_id}/withdraw", tags=["cases"])
async def withdraw_dispute(dispute_id: UUID, tx: Tx, principal: Signed) -> CaseView:
    """Take it back. For the child's guardians, while it is open."""
    return _view(await usecases.withdraw(tx, principal, dispute_id))


@router.get("/v1/cases", tags=["cases"])
async def find_cases(
    tx: Tx, principal: Signed, page: PageQuery, state: DisputeState | None = None
) -> Listing[CaseView]:
    """The newest first: of one's children, of one's provider; administrators and auditors see all."""
    before = UUID(str(page.after[0])) if page.after else None
    found = await usecases.find_cases(tx, principal, state=state, before=before, limit=page.limit + 1)
    return page.listing(found, key=lambda dispute: (str(dispute.id),), view=_view)


@router.get("/v1/cases/{case_id}", tags=["cases"])
async def read_case(case_id: UUID, tx: Tx, principal: Signed) -> CaseView:
    """A case. For the child's guardians, the provider's director, administrators, auditors."""
    return _view(await usecases.read_case(tx, principal, case_id))


@router.post("/v1/cases/{case_id}/decide", tags=["cases"])
async def decide_case(case_id: UUID, body: Decision, tx: Tx, principal: Signed) -> CaseView:
    """Decide it, for good. For administrators who have no part in it."""
    return _view(await usecases.decide(tx, principal, case_id, outcome=body.decision, reason=body.reason))


def _view(dispute: Dispute) -> CaseView:
    history = [StepView(state="open", at=dispute.opened_at, by="guardian")]
    if dispute.closed_at is not None:
        by: Literal["guardian", "administrator"] = (
            "administrator" if dispute.state == "decided" else "guardian"
        )
        history.append(StepView(state=dispute.state, at=dispute.closed_at, by=by))
    return CaseView(
        id=dispute.id,
        version=dispute.version,
        state=dispute.state,
        since=history[-1].at,
        next="administrator" if dispute.state == "open" else None,
        child_id=dispute.child_id,
        enrollment_id=dispute.enrollment_id,
        group_id=dispute.group_id,
        provider_id=dispute.provider_id,
        lesson_id=dispute.lesson_id,
        on=dispute.on,
        outcome=dispute.outcome,
        reason=dispute.reason,
        history=history,
    )
