"""Control totals of a month for those who oversee its funds."""

from uuid import UUID

from shared.database import Transaction
from shared.security import Principal
from wallet.repository.ledger import Row, controls


async def control_totals(
    tx: Transaction, principal: Principal, month: str, *, after: UUID | None, limit: int
) -> list[Row]:
    """Operations by count and amount, fund by fund."""
    principal.require("administrator", "auditor")
    scopes = sorted(principal.scopes("administrator", "auditor"))
    return await controls.totals(tx, scopes, month, after=after, limit=limit)
