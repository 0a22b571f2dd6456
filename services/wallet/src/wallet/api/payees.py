"""Whom a provider's money goes to."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.http import Body, Router, Signed, Tx
from wallet.api.programs import ProposalView
from wallet.usecases import payees
from wallet.usecases.payees import Name, PayeePlan

router = Router()


class NewPayee(Body):
    """The account that the provider wants to be paid to."""

    iban: Annotated[
        str,
        Field(pattern="^KZ[0-9]{5}[0-9A-Z]{13}$", examples=["KZ64722S000001234567"], description="No spaces"),
    ]
    name: Annotated[Name, Field(description="Of the organization, as its bank knows it")]
    bin: Annotated[str, Field(pattern="^[0-9]{12}$", examples=["100140000003"])]


class PayeeView(BaseModel):
    """Who is paid now. `proposal_id` leads to who proposed and who approved it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider_id: UUID
    iban: str
    name: str
    bin: str
    proposal_id: UUID
    created_at: datetime
    payable_from: Annotated[
        datetime | None, Field(description="Until then payouts wait, because it replaced another account")
    ]


@router.post("/v1/providers/{provider_id}/payee", status_code=202, tags=["payouts"])
async def propose_payee(provider_id: UUID, body: NewPayee, tx: Tx, principal: Signed) -> ProposalView:
    """Propose an account. It is paid to once an administrator approves."""
    plan = PayeePlan(provider_id=provider_id, iban=body.iban, name=body.name, bin=body.bin)
    return ProposalView.of(await payees.propose_payee(tx, principal, plan))


@router.get("/v1/providers/{provider_id}/payee", tags=["payouts"])
async def get_payee(provider_id: UUID, tx: Tx, principal: Signed) -> PayeeView:
    """Who is paid now."""
    return PayeeView.model_validate(await payees.read_payee(tx, principal, provider_id))
