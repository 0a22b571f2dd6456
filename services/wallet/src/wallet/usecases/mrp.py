"""The MRP of the years to come, entered by two persons once the law says it. A value is never changed."""

from shared import clock
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction
from shared.errors import ConflictError
from shared.security import Principal
from wallet.repository import mrp
from wallet.usecases.plans import Money, MonthStart, Plan


class NewMrp(Plan):
    """The MRP from a day on that is still to come."""

    valid_from: MonthStart
    amount_tiyn: Money


async def propose_mrp(tx: Transaction, principal: Principal, plan: NewMrp) -> Proposal:
    """It is the same for the whole country: any two administrators enter it."""
    principal.require("administrator")
    _check_day(tx, plan)
    return await propose(tx, principal, MRP, plan)


def _check_day(tx: Transaction, plan: NewMrp) -> None:
    """Asked when it is proposed, and again when it is approved: its day may have come in between."""
    if plan.valid_from <= clock.civil_date(tx.now):
        raise ConflictError("valid_from_passed")


async def _enter_mrp(tx: Transaction, _: Proposal, plan: NewMrp) -> None:
    _check_day(tx, plan)
    if not await mrp.insert_value(tx, plan.valid_from, plan.amount_tiyn):
        raise ConflictError("valid_from_taken")


MRP = ApprovalKind("mrp", NewMrp, ("administrator",), _enter_mrp)
