"""Payout runs and the orders in them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from shared.database import Transaction
from shared.http import Body, Router, Signed, Tx, WaitQuery
from shared.security import Principal
from wallet.domain.payouts import State
from wallet.repository import payouts as rows
from wallet.usecases import payouts

router = Router()


class NewPayoutRun(Body):
    """Pay what is due from a fund."""

    fund_id: UUID


class OrderView(BaseModel):
    """One order to the bank, in a run."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    provider_id: UUID
    amount_tiyn: int
    items: int
    state: State


class PayoutRunView(BaseModel):
    """What two persons agree on. Another administrator approves `proposal_id` at `/v1/approvals`."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    version: int
    fund_id: UUID
    state: Literal["proposed", "approved", "given_up"]
    proposal_id: Annotated[UUID, Field(description="Another one once an order was changed by a dispute")]
    proposed_by: UUID
    approved_by: UUID | None
    created_at: datetime
    approved_at: datetime | None
    amount_tiyn: int = 0
    payouts: list[OrderView] = []


class ReportView(BaseModel):
    """What the bank said: a status of ISO 20022, and its reason."""

    model_config = ConfigDict(from_attributes=True)

    status: Annotated[str, Field(examples=["ACSC"])]
    code: Annotated[str | None, Field(examples=["AC04"])]
    contradicts: Annotated[bool, Field(description="Against what was final already")]
    read_at: datetime


class PayoutView(OrderView):
    """One order to the bank, and what became of it."""

    version: int
    run_id: UUID
    fund_id: UUID
    iban: str
    name: str
    bin: str
    msg_id: Annotated[str, Field(description="How the bank knows it")]
    code: Annotated[str | None, Field(description="Why it bounced", examples=["account_closed"])]
    created_at: datetime
    submitted_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    final_at: datetime | None
    reports: list[ReportView] = []


@router.post("/v1/payout-runs", status_code=202, tags=["payouts"])
async def start_payout_run(
    body: NewPayoutRun, tx: Tx, principal: Signed, response: Response
) -> PayoutRunView:
    """Take all that is due and can be paid. It is sent once another administrator approves."""
    run = await payouts.start_payout_run(tx, principal, body.fund_id)
    response.headers["Location"] = f"/v1/payout-runs/{run.id}"
    return await _view_run(tx, principal, run.id)


@router.get("/v1/payout-runs/{run_id}", tags=["payouts"])
async def get_payout_run(run_id: UUID, wait: WaitQuery) -> PayoutRunView:
    """A run with its orders."""

    async def read(tx: Transaction, principal: Principal) -> PayoutRunView:
        return await _view_run(tx, principal, run_id)

    return await wait.newer(run_id, read)


@router.get("/v1/payouts/{payout_id}", tags=["payouts"])
async def get_payout(payout_id: UUID, wait: WaitQuery) -> PayoutView:
    """An order, and what the bank said of it."""

    async def read(tx: Transaction, principal: Principal) -> PayoutView:
        view = PayoutView.model_validate(await payouts.read_payout(tx, principal, payout_id))
        reports = await rows.reports_of(tx, payout_id)
        return view.model_copy(update={"reports": [ReportView(**row) for row in reports]})

    return await wait.newer(payout_id, read)


async def _view_run(tx: Transaction, principal: Principal, run_id: UUID) -> PayoutRunView:
    view = PayoutRunView.model_validate(await payouts.read_payout_run(tx, principal, run_id))
    orders = [OrderView.model_validate(order) for order in await rows.payouts_of(tx, run_id)]
    total = sum(order.amount_tiyn for order in orders)
    return view.model_copy(update={"payouts": orders, "amount_tiyn": total})
