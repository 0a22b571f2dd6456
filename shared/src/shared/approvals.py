"""Two persons: what one proposes, another approves, and it happens once, in the approver's transaction.

A service says which kinds there are, who may decide them, and what to do. The endpoints are
`shared.http.approving`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSONB

from shared import audit
from shared.database import Transaction, new_id, plumbing
from shared.errors import ConflictError, NotFoundError
from shared.security import Principal, Role

OPEN_FOR = timedelta(days=7)
State = Literal["open", "approved", "rejected", "expired", "executed"]
Payload = TypeVar("Payload", bound=BaseModel)

proposals = sa.Table(
    "proposals",
    plumbing,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("scope_id", sa.Uuid),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("proposed_by", sa.Uuid, nullable=False),
    sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("decided_by", sa.Uuid),
    sa.Column("decided_at", sa.DateTime(timezone=True)),
    sa.Column("reason", sa.Text),
    sa.Column("made_id", sa.Uuid),
    sa.CheckConstraint(
        "state IN ('open', 'approved', 'rejected', 'expired', 'executed')", name="state_is_known"
    ),
    sa.CheckConstraint("decided_by <> proposed_by", name="two_persons"),
    sa.Index("ix_proposals_kind_id", "kind", "id"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something one person wants done. `made_id` is what came of it, once executed."""

    id: UUID
    kind: str
    scope_id: UUID | None
    payload: Mapping[str, Any]
    state: State
    version: int
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    made_id: UUID | None


@dataclass(frozen=True, slots=True)
class ApprovalKind(Generic[Payload]):
    """What can be proposed, who may decide it (in the proposal's scope, if it has one), and how it is done.

    `execute` runs in the transaction that approves, with `decided_by` set, and returns the id of what it
    made. If it raises, nothing happened and the proposal stays open.
    """

    name: str
    payload: type[Payload]
    roles: tuple[Role, ...]
    execute: Callable[[Transaction, Proposal, Payload], Awaitable[UUID | None]]

    def may_decide(self, principal: Principal, scope_id: UUID | None) -> bool:
        """Whether this person has the role, over the thing in question."""
        return principal.has(*self.roles) if scope_id is None else scope_id in principal.scopes(*self.roles)


class Approvals:
    """The kinds of one service."""

    def __init__(self, kinds: Sequence[ApprovalKind[Any]]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    async def visible(
        self, tx: Transaction, principal: Principal, *, limit: int, before: UUID | None
    ) -> Sequence[Proposal]:
        """What this person proposed or may decide, the newest first."""
        query = sa.select(proposals).where(self._visible_to(principal)).order_by(proposals.c.id.desc())
        if before is not None:
            query = query.where(proposals.c.id < before)
        rows = await tx.execute(query.limit(limit))
        return [_proposal(tx, row) for row in rows.mappings()]

    def _visible_to(self, principal: Principal) -> sa.ColumnElement[bool]:
        mine = proposals.c.proposed_by == principal.person_id
        decidable = [
            sa.and_(
                proposals.c.kind == kind.name,
                sa.or_(
                    proposals.c.scope_id.is_(None) if principal.has(*kind.roles) else sa.false(),
                    proposals.c.scope_id.in_(principal.scopes(*kind.roles)),
                ),
            )
            for kind in self._kinds.values()
        ]
        return sa.or_(mine, *decidable)

    async def approve(self, tx: Transaction, principal: Principal, proposal_id: UUID) -> Proposal:
        """Approve and execute it, once."""
        proposal = await self._lock_open(tx, principal, proposal_id)
        kind = self._kinds[proposal.kind]
        await _decide(tx, principal, proposal, state="executed", reason=None)
        decided = await _read(tx, proposal_id)
        made_id = await kind.execute(tx, decided, kind.payload.model_validate(decided.payload))
        await tx.execute(sa.update(proposals).filter_by(id=proposal_id).values(made_id=made_id))
        await audit.record(tx, principal, "approve", kind.name, proposal_id)
        return await _read(tx, proposal_id)

    async def reject(self, tx: Transaction, principal: Principal, proposal_id: UUID, reason: str) -> Proposal:
        """Turn it down, for good."""
        proposal = await self._lock_open(tx, principal, proposal_id)
        await _decide(tx, principal, proposal, state="rejected", reason=reason)
        await audit.record(tx, principal, "reject", proposal.kind, proposal_id, reason=reason)
        return await _read(tx, proposal_id)

    async def _lock_open(self, tx: Transaction, principal: Principal, proposal_id: UUID) -> Proposal:
        """The proposal, locked, if this person may decide it now. Of two at once one waits."""
        await tx.execute(sa.select(proposals.c.id).filter_by(id=proposal_id).with_for_update())
        row = (await tx.execute(sa.select(proposals).filter_by(id=proposal_id))).mappings().first()
        if row is None or row["kind"] not in self._kinds:
            raise NotFoundError
        proposal = _proposal(tx, row)
        mine = proposal.proposed_by == principal.person_id
        if not (mine or self._kinds[proposal.kind].may_decide(principal, proposal.scope_id)):
            raise NotFoundError
        if proposal.state != "open":
            raise ConflictError("proposal_not_open", state=proposal.state)
        if mine:
            raise ConflictError("second_person_required")
        return proposal


async def propose(
    tx: Transaction,
    principal: Principal,
    kind: ApprovalKind[Payload],
    payload: Payload,
    *,
    scope_id: UUID | None = None,
) -> Proposal:
    """Write down what is wanted. Whether this person may propose it was the caller's to check."""
    proposal_id = new_id()
    await tx.execute(
        sa.insert(proposals).values(
            id=proposal_id,
            kind=kind.name,
            scope_id=scope_id,
            payload=payload.model_dump(mode="json"),
            state="open",
            version=1,
            proposed_by=principal.person_id,
            proposed_at=tx.now,
            expires_at=tx.now + OPEN_FOR,
        )
    )
    await audit.record(tx, principal, "propose", kind.name, proposal_id)
    return await _read(tx, proposal_id)


async def _decide(
    tx: Transaction, principal: Principal, proposal: Proposal, *, state: State, reason: str | None
) -> None:
    await tx.execute(
        sa.update(proposals)
        .filter_by(id=proposal.id)
        .values(
            state=state,
            version=proposal.version + 1,
            decided_by=principal.person_id,
            decided_at=tx.now,
            reason=reason,
        )
    )
    tx.touch(proposal.id)


async def _read(tx: Transaction, proposal_id: UUID) -> Proposal:
    row = (await tx.execute(sa.select(proposals).filter_by(id=proposal_id))).mappings().one()
    return _proposal(tx, row)


def _proposal(tx: Transaction, row: sa.RowMapping) -> Proposal:
    """As it is now: an open one whose time is over has expired, without anybody having to write that."""
    proposal = Proposal(**row)
    if proposal.state == "open" and proposal.expires_at <= tx.now:
        return Proposal(**{**row, "state": "expired"})
    return proposal
