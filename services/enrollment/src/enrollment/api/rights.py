"""Entitlements of children, and grants of administrators and auditors."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from enrollment.usecases import rights as usecases
from enrollment.usecases.rights import NewGrant
from shared.http import Body, Day, Router, Signed, Tx, Whole
from shared.http.approving import ProposalView

router = Router()


class NewEntitlement(Body):
    """What a program may pay for a child: a verdict, never its grounds."""

    program_id: UUID
    until: Annotated[Day, Field(description="Last day", examples=["2027-05-25"])]
    coefficient_percent: Annotated[
        Whole, Field(ge=1, le=1000, description="100 is the plain rate", examples=[100])
    ] = 100


class EntitlementView(BaseModel):
    """What a program may pay for a child."""

    id: UUID
    child_id: UUID
    program_id: UUID
    starts_on: date
    until: date
    coefficient_percent: int
    version: int


class GrantProposal(Body):
    """A role for a person over a region or a program."""

    person_id: UUID
    role: Literal["administrator", "auditor"]
    scope_kind: Literal["region", "program"]
    scope_id: UUID


@router.post("/v1/children/{child_id}/entitlements", status_code=201, tags=["rights"])
async def entitle(
    child_id: UUID, body: NewEntitlement, tx: Tx, principal: Signed, response: Response
) -> EntitlementView:
    """Entitle a child to be paid for by a program, or change on which terms."""
    entitlement = await usecases.entitle(
        tx,
        principal,
        child_id=child_id,
        program_id=body.program_id,
        until=body.until,
        coefficient_percent=body.coefficient_percent,
    )
    response.headers["Location"] = f"/v1/children/{child_id}"
    return EntitlementView(
        id=entitlement.id,
        child_id=entitlement.child_id,
        program_id=entitlement.program_id,
        starts_on=entitlement.starts_on,
        until=entitlement.until,
        coefficient_percent=entitlement.coefficient_percent,
        version=entitlement.version,
    )


@router.post("/v1/grants", status_code=202, tags=["rights"])
async def propose_grant(body: GrantProposal, tx: Tx, principal: Signed) -> ProposalView:
    """Propose a role for somebody else; another administrator approves."""
    wanted = NewGrant(
        person_id=body.person_id, role=body.role, scope_kind=body.scope_kind, scope_id=body.scope_id
    )
    return ProposalView.model_validate(await usecases.propose_grant(tx, principal, wanted))


@router.post("/v1/grants/{grant_id}/end", status_code=202, tags=["rights"])
async def propose_grant_end(grant_id: UUID, tx: Tx, principal: Signed) -> ProposalView:
    """Propose that a role end; another administrator approves."""
    return ProposalView.model_validate(await usecases.propose_grant_end(tx, principal, grant_id))
