"""The ends of a trace: the budget line with its deposits, and the bank order with its run and its answers."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from wallet.usecases.plans import PublicNames


class ApprovedView(BaseModel):
    """What two persons decided: who proposed it, who approved it, and when."""

    proposed_by: UUID | None
    approved_by: UUID | None
    approved_at: datetime | None


class BudgetLineView(ApprovedView):
    """A fund, as the line of a budget that it is."""

    id: UUID
    program_id: UUID
    program_name: PublicNames
    region_id: UUID
    funder: PublicNames
    name: PublicNames
    mode: Annotated[str, Field(examples=["ahead"])]
    budget_tiyn: int
    last_capture_on: date


class TracedDepositView(BaseModel):
    """Money that came in."""

    operation_id: UUID
    batch_id: int
    posted_at: datetime
    amount_tiyn: int
    entered_by: UUID | None


class AgreedView(ApprovedView):
    """What two persons agreed on about the fund's money, and what it did."""

    operation_id: UUID
    kind: Annotated[str, Field(examples=["return"], description="return, recover or correct")]
    text: str
    batch_id: int
    posted_at: datetime
    debit: Annotated[str, Field(description="Where the money was", examples=["returned"])]
    credit: Annotated[str, Field(description="Where it went", examples=["bank"])]
    amount_tiyn: int
    provider_id: Annotated[UUID | None, Field(description="Who repaid")]
    bank_reference: str | None
    corrects: Annotated[UUID | None, Field(description="The operation that was wrong")]
    reason: str | None


class TotalsView(BaseModel):
    """Where the money is.

    Received = free + allotted + payable + in payout + paid + returned + given back; receivable = claimed.
    """

    received_tiyn: Annotated[int, Field(description="Deposits and repayments")]
    free_tiyn: int
    allotted_free_tiyn: int
    allotted_held_tiyn: int
    payable_tiyn: int
    in_payout_tiyn: int
    paid_tiyn: int
    returned_tiyn: Annotated[int, Field(description="Nobody may spend it; it waits to go back")]
    given_back_tiyn: Annotated[int, Field(description="To the budget")]
    receivable_tiyn: int
    claimed_tiyn: int
    allotments: Annotated[int, Field(description="How many: by child and last day")]


class PayeeOfOrderView(ApprovedView):
    """Who gets the money, as it was when the order was made."""

    name: str
    bin: str
    iban: str


class RunOfOrderView(ApprovedView):
    """The run that the order is part of."""

    id: UUID
    state: Annotated[str, Field(examples=["approved"])]
    proposal_id: UUID
    proposed_at: datetime


class TracedOrderView(BaseModel):
    """An order to the bank."""

    id: UUID
    provider_id: UUID
    fund_id: UUID
    msg_id: str
    end_to_end_id: str
    amount_tiyn: int
    items: int
    state: Annotated[str, Field(examples=["settled"])]
    code: Annotated[str | None, Field(description="Why it bounced")]
    attempts: int
    created_at: datetime
    submitted_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    final_at: datetime | None
    payee: PayeeOfOrderView


class BankReportView(BaseModel):
    """Something that the bank said of an order."""

    status: Annotated[str, Field(examples=["ACSC"])]
    code: str | None
    contradicts: Annotated[bool, Field(description="Against what was final already")]
    read_at: datetime


class AnsweredOrderView(TracedOrderView):
    """An order, its run, and the bank's answers."""

    run: RunOfOrderView
    reports: list[BankReportView]
