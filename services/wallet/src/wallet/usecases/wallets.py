"""Reading a child's wallet: its guardians, administrators and auditors; for all others it does not exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping

from shared.database import Transaction
from shared.errors import NotFoundError
from shared.security import Principal
from wallet.repository import views


@dataclass(frozen=True, slots=True)
class Wallet:
    """What is in a wallet. Version 0: nothing has ever been."""

    version: int
    purses: Sequence[RowMapping]


async def read_wallet(tx: Transaction, principal: Principal, child_id: UUID) -> Wallet:
    """A guardian sees an empty wallet where there is none yet."""
    version = await visible_version(tx, principal, child_id)
    return Wallet(version, await views.purses(tx, child_id))


async def list_movements(
    tx: Transaction, principal: Principal, child_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[RowMapping]:
    """What was done with the money, the newest first."""
    await visible_version(tx, principal, child_id)
    return await views.movements(tx, child_id, before=before, limit=limit)


async def visible_version(tx: Transaction, principal: Principal, child_id: UUID) -> int:
    """Which state the wallet is in, for whoever may see it."""
    version = await views.wallet_version(tx, child_id)
    guarded = child_id in principal.scopes("guardian")
    if not guarded and (version is None or not principal.has("administrator", "auditor")):
        raise NotFoundError
    return version or 0
