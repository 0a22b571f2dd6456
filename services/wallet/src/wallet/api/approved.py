"""Money that moves only if two persons agree: returns to the budget, repayments, corrections."""

from uuid import UUID

from shared.http import Router, Signed, Tx
from wallet.api.programs import ProposalView
from wallet.usecases import approved
from wallet.usecases.approved import NewCorrection, NewRepayment, NewReturn

router = Router()


@router.post("/v1/funds/{fund_id}/returns", status_code=202, tags=["funds"])
async def propose_return(fund_id: UUID, body: NewReturn, tx: Tx, principal: Signed) -> ProposalView:
    """Propose that money goes back to the budget. It does once another administrator approves."""
    return ProposalView.of(await approved.propose_return(tx, principal, fund_id, body))


@router.post("/v1/funds/{fund_id}/repayments", status_code=202, tags=["funds"])
async def propose_repayment(fund_id: UUID, body: NewRepayment, tx: Tx, principal: Signed) -> ProposalView:
    """Propose that a provider repaid what was claimed. It counts once another administrator approves."""
    return ProposalView.of(await approved.propose_repayment(tx, principal, fund_id, body))


@router.post("/v1/funds/{fund_id}/corrections", status_code=202, tags=["funds"])
async def propose_correction(fund_id: UUID, body: NewCorrection, tx: Tx, principal: Signed) -> ProposalView:
    """Propose one posting that puts an operation right. It is made once another administrator approves."""
    return ProposalView.of(await approved.propose_correction(tx, principal, fund_id, body))
