"""`/v1/approvals` of every service: what waits for a second person, and their decision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.approvals import ApprovalKind, Approvals, State
from shared.http.access import Signed, Tx
from shared.http.content import Body, Text
from shared.http.paging import Listing, PageQuery
from shared.http.routing import Router


class ProposalView(BaseModel):
    """Something one person wants done, and what became of it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: str
    payload: dict[str, Any]
    state: State
    version: int
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    made_id: UUID | None


class Rejection(Body):
    """Why not."""

    reason: Text


def approvals_router(kinds: Sequence[ApprovalKind[Any]]) -> Router:
    """The endpoints over a service's kinds of proposals."""
    approvals = Approvals(kinds)
    router = Router()

    @router.get("/v1/approvals", tags=["approvals"])
    async def list_approvals(tx: Tx, principal: Signed, page: PageQuery) -> Listing[ProposalView]:
        """What you proposed or may decide, the newest first."""
        before = UUID(str(page.after[0])) if page.after else None
        rows = await approvals.visible(tx, principal, limit=page.limit + 1, before=before)
        return page.listing(rows, key=lambda row: (str(row.id),), view=ProposalView.model_validate)

    @router.post("/v1/approvals/{proposal_id}/approve", tags=["approvals"])
    async def approve(proposal_id: UUID, tx: Tx, principal: Signed) -> ProposalView:
        """Approve and do it. Not one's own."""
        return ProposalView.model_validate(await approvals.approve(tx, principal, proposal_id))

    @router.post("/v1/approvals/{proposal_id}/reject", tags=["approvals"])
    async def reject(proposal_id: UUID, body: Rejection, tx: Tx, principal: Signed) -> ProposalView:
        """Turn it down, with a reason."""
        return ProposalView.model_validate(await approvals.reject(tx, principal, proposal_id, body.reason))

    return router
