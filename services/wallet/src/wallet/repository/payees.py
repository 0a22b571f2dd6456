"""Who is paid for a provider: one payee at a time, the earlier ones kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.tables import payees


@dataclass(frozen=True, slots=True)
class Payee:
    """An account of a provider. `proposal_id` tells who proposed and who approved it.

    One that replaced another is paid to from `payable_from` on, the first one at once.
    """

    id: UUID
    provider_id: UUID
    iban: str
    name: str
    bin: str
    proposal_id: UUID
    created_at: datetime
    payable_from: datetime | None
    replaced_at: datetime | None = None


async def lock_payee(tx: Transaction, provider_id: UUID) -> Payee | None:
    """Who is paid now; nobody else can be put in their place before our commit."""
    await tx.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext('payee'), hashtext(:provider))"),
        {"provider": str(provider_id)},
    )
    return await current_payee(tx, provider_id)


async def replace_payee(tx: Transaction, payee: Payee) -> None:
    """From now on this one is paid. The caller has locked the one before."""
    await tx.execute(
        sa.update(payees)
        .where(payees.c.provider_id == payee.provider_id, payees.c.replaced_at.is_(None))
        .values(replaced_at=payee.created_at)
    )
    row = {column.name: getattr(payee, column.name) for column in payees.c}
    await tx.execute(sa.insert(payees).values(row))


async def current_payee(tx: Transaction, provider_id: UUID) -> Payee | None:
    """Who is paid now."""
    query = sa.select(payees).where(payees.c.provider_id == provider_id, payees.c.replaced_at.is_(None))
    row = (await tx.execute(query)).mappings().first()
    return Payee(**row) if row else None
