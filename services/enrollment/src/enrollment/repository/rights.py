"""Entitlements of children, and the grants of administrators and auditors."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from enrollment.domain.rights import Entitlement, PersonalGrant
from enrollment.tables import entitlements
from shared.database import Transaction
from shared.security.principal import grants

OWN_ROLES = ("administrator", "auditor")


async def find_entitlement(tx: Transaction, child_id: UUID, program_id: UUID) -> Entitlement | None:
    """The entitlement of a child in a program. The child is locked by the caller."""
    row = (
        await tx.execute(sa.select(entitlements).filter_by(child_id=child_id, program_id=program_id))
    ).mappings()
    found = row.first()
    return Entitlement(**found) if found else None


async def add_entitlement(tx: Transaction, entitlement: Entitlement) -> None:
    """Write a new one."""
    await tx.execute(sa.insert(entitlements).values(_entitlement_columns(entitlement)))


async def save_entitlement(tx: Transaction, entitlement: Entitlement) -> None:
    """Write the next version of one."""
    await tx.execute(
        sa.update(entitlements).filter_by(id=entitlement.id).values(_entitlement_columns(entitlement))
    )


async def entitlements_after(tx: Transaction, after: UUID | None, *, limit: int) -> Sequence[Entitlement]:
    """The next ones in the order of their ids."""
    query = sa.select(entitlements).order_by(entitlements.c.id).limit(limit)
    if after is not None:
        query = query.where(entitlements.c.id > after)
    return [Entitlement(**row) for row in (await tx.execute(query)).mappings()]


async def lock_grant(tx: Transaction, grant_id: UUID) -> PersonalGrant | None:
    """A grant of ours, locked and read after that."""
    mine = sa.and_(grants.c.id == grant_id, grants.c.role.in_(OWN_ROLES))
    await tx.execute(sa.select(grants.c.id).where(mine).with_for_update())
    row = (await tx.execute(sa.select(grants).where(mine))).mappings().first()
    return PersonalGrant(**row) if row else None


async def has_administrators(tx: Transaction) -> bool:
    """Whether anybody was ever made an administrator. Locks the question until the commit."""
    await tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('first administrators', 0))"))
    found = await tx.execute(sa.select(grants.c.id).where(grants.c.role == "administrator").limit(1))
    return found.first() is not None


async def grants_after(tx: Transaction, after: UUID | None, *, limit: int) -> Sequence[PersonalGrant]:
    """The next grants of ours in the order of their ids."""
    query = sa.select(grants).where(grants.c.role.in_(OWN_ROLES)).order_by(grants.c.id).limit(limit)
    if after is not None:
        query = query.where(grants.c.id > after)
    return [PersonalGrant(**row) for row in (await tx.execute(query)).mappings()]


def _entitlement_columns(entitlement: Entitlement) -> dict[str, UUID | date | int]:
    return {column.name: getattr(entitlement, column.name) for column in entitlements.columns}
