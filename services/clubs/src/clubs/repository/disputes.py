"""Disputes, and who may see them. Written under the lock of the provider (`sheets.lock_provider`)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from clubs.domain.disputes import Dispute
from clubs.domain.sheets import DisputeState, Outcome
from clubs.tables import disputes, lessons
from shared.database import Transaction
from shared.security import Principal


def _select() -> sa.Select[Any]:
    return sa.select(disputes, lessons.c.held_on, lessons.c.month).join(
        lessons, lessons.c.id == disputes.c.lesson_id
    )


def _dispute_of(row: sa.RowMapping) -> Dispute:
    named = {name: value for name, value in row.items() if name != "held_on"}
    return Dispute(on=row["held_on"], **named)


def _visible_to(principal: Principal) -> sa.ColumnElement[bool]:
    """Guardians see those of their children, directors those of their providers."""
    if principal.has("administrator", "auditor"):
        return sa.true()
    return sa.or_(
        disputes.c.child_id.in_(principal.scopes("guardian")),
        disputes.c.provider_id.in_(principal.scopes("director")),
    )


async def standing(tx: Transaction, lesson_id: UUID, child_id: UUID) -> DisputeState | None:
    """The state of the dispute about a child and lesson that was not taken back, if there is one."""
    found = await tx.execute(
        sa.select(disputes.c.state).where(
            disputes.c.lesson_id == lesson_id,
            disputes.c.child_id == child_id,
            disputes.c.state != "withdrawn",
        )
    )
    state: DisputeState | None = found.scalar_one_or_none()
    return state


async def add_dispute(
    tx: Transaction,
    *,
    id_: UUID,
    enrollment_id: UUID,
    child_id: UUID,
    lesson_id: UUID,
    group_id: UUID,
    provider_id: UUID,
    person_id: UUID,
) -> None:
    """A guardian says that it was not so."""
    await tx.execute(
        sa.insert(disputes).values(
            id=id_,
            version=1,
            enrollment_id=enrollment_id,
            child_id=child_id,
            lesson_id=lesson_id,
            group_id=group_id,
            provider_id=provider_id,
            state="open",
            opened_by=person_id,
            opened_at=tx.now,
        )
    )


async def find_dispute(
    tx: Transaction, id_: UUID, principal: Principal, *, children: frozenset[UUID] | None = None
) -> Dispute | None:
    """A case that this person may see; of these children only, if they are given."""
    query = _select().where(disputes.c.id == id_)
    query = query.where(_visible_to(principal) if children is None else disputes.c.child_id.in_(children))
    row = (await tx.execute(query)).mappings().one_or_none()
    return _dispute_of(row) if row else None


async def find_disputes(
    tx: Transaction,
    principal: Principal,
    *,
    state: DisputeState | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Dispute]:
    """The cases that this person may see, the newest first."""
    query = _select().where(_visible_to(principal))
    if state is not None:
        query = query.where(disputes.c.state == state)
    if before is not None:
        query = query.where(disputes.c.id < before)
    rows = await tx.execute(query.order_by(disputes.c.id.desc()).limit(limit))
    return [_dispute_of(row) for row in rows.mappings()]


async def close_dispute(
    tx: Transaction,
    dispute: Dispute,
    *,
    state: DisputeState,
    person_id: UUID,
    outcome: Outcome | None = None,
    reason: str | None = None,
) -> None:
    """It is taken back, or decided."""
    await tx.execute(
        sa.update(disputes)
        .where(disputes.c.id == dispute.id)
        .values(
            version=disputes.c.version + 1,
            state=state,
            outcome=outcome,
            reason=reason,
            closed_by=person_id,
            closed_at=tx.now,
        )
    )
