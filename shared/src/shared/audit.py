"""Who did what to which thing, and why: written in the same transaction as the act, and never changed.

Insert-only: the runtime role has no UPDATE or DELETE here. No personal data but the opaque ids of people. The
endpoint that shows them is `shared.http.auditing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database import Transaction, new_id, plumbing
from shared.security import Principal

audit_entries = sa.Table(
    "audit_entries",
    plumbing,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor_id", sa.Uuid, index=True),
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object_kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.Uuid, nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("details", JSONB, nullable=False),
    sa.Column("correlation_id", sa.Uuid, nullable=False),
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. `actor_id` is None if the system did it by itself; `at` is business time, UTC."""

    id: UUID
    at: datetime
    actor_id: UUID | None
    roles: tuple[str, ...]
    action: str
    object_kind: str
    object_id: UUID
    reason: str | None
    details: Mapping[str, Any]
    correlation_id: UUID


async def record(
    tx: Transaction,
    principal: Principal | None,
    action: str,
    object_kind: str,
    object_id: UUID,
    *,
    reason: str | None = None,
    **details: str | int | None,
) -> None:
    """Note an act; None for what the system does by itself. `details` are codes, ids and amounts."""
    await tx.execute(
        sa.insert(audit_entries).values(
            id=new_id(),
            at=tx.now,
            actor_id=principal and principal.person_id,
            roles=sorted({grant.role for grant in principal.grants}) if principal else [],
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            reason=reason,
            details=details,
            correlation_id=tx.cause.correlation_id,
        )
    )


async def latest(
    tx: Transaction, *, limit: int, before: UUID | None, actor_id: UUID | None, object_id: UUID | None
) -> Sequence[AuditEntry]:
    """Entries from the newest to the oldest, starting below `before`."""
    query = sa.select(audit_entries).order_by(audit_entries.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_entries.c.id < before)
    if actor_id is not None:
        query = query.where(audit_entries.c.actor_id == actor_id)
    if object_id is not None:
        query = query.where(audit_entries.c.object_id == object_id)
    rows = await tx.execute(query)
    return [AuditEntry(**{**row, "roles": tuple(row["roles"])}) for row in rows.mappings()]
