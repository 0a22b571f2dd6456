"""Reading the ledger as history: balances of any moment, months of funds, and every single posting.

Whom it is shown to is asked here: administrators and auditors of a fund's region or program. For all others,
and of a fund that is not there, it is not found.
"""

from typing import Any
from uuid import UUID

from shared.database import Transaction
from shared.errors import NotFoundError
from shared.security import Principal
from wallet.repository.traces import orders


async def visible_fund(tx: Transaction, principal: Principal, fund_id: UUID) -> dict[str, Any]:
    """The fund with its number, if this person oversees it."""
    principal.require("administrator", "auditor")
    fund = await orders.find_fund(tx, fund_id, principal.scopes("administrator", "auditor"))
    if fund is None:
        raise NotFoundError
    return fund
