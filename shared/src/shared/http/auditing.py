"""`GET /v1/audit-entries`, of every service, for auditors."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared import audit
from shared.http.access import Signed, Tx
from shared.http.paging import Listing, PageQuery
from shared.http.routing import Router

router = Router()


class AuditEntryView(BaseModel):
    """Who did what to which thing."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    actor_id: UUID | None
    roles: list[str]
    action: str
    object_kind: str
    object_id: UUID
    reason: str | None
    details: dict[str, Any]
    correlation_id: UUID


@router.get("/v1/audit-entries", tags=["audit"])
async def list_audit_entries(
    tx: Tx, principal: Signed, page: PageQuery, actor_id: UUID | None = None, object_id: UUID | None = None
) -> Listing[AuditEntryView]:
    """Acts, the newest first."""
    principal.require("auditor")
    rows = await audit.latest(
        tx,
        limit=page.limit + 1,
        before=UUID(str(page.after[0])) if page.after else None,
        actor_id=actor_id,
        object_id=object_id,
    )
    return page.listing(rows, key=lambda row: (str(row.id),), view=AuditEntryView.model_validate)
