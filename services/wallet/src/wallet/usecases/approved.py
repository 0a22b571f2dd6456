"""Money that moves only if two persons agree: back to the budget, repaid by a provider, or put right.

It is decided when it is proposed, so that nobody is asked for nothing, and again when it is approved.
"""

from datetime import date
from typing import Annotated, Literal, Self, TypeVar
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.errors import ConflictError
from shared.security import Principal
from wallet.domain.accounts import Kind
from wallet.domain.operations import (
    Approval,
    Approved,
    Correct,
    Declined,
    Identity,
    Recover,
    Result,
    Return,
)
from wallet.usecases.funds import read_fund
from wallet.usecases.plans import Line, Money, Plan
from wallet.usecases.post import post, rehearse
from wallet.usecases.programs import require_administrator

ORIGIN = "proposal"
Own = Literal["bank", "fund", "returned", "allotment"]

BankReference = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z][0-9A-Za-z/?:().,'+ -]{0,34}$"),
    Field(description="Of the bank's line; entered once for each fund", examples=["PP-2026-00417"]),
]


class NewReturn(Plan):
    """Money that goes back to the budget. The bank is told elsewhere: this names its order."""

    source: Annotated[
        Literal["returned", "fund"],
        Field(description="fund: what was never spent; only once the fund's last day of capture is over"),
    ] = "returned"
    amount_tiyn: Money
    bank_reference: BankReference


class ReturnPlan(NewReturn):
    """What is approved."""

    fund_id: UUID

    def command(self, id_: UUID, approval: Approval) -> Return:
        """As the ledger is asked."""
        source: Literal[Kind.FUND, Kind.RETURNED] = Kind.FUND if self.source == "fund" else Kind.RETURNED
        identity = Identity(ORIGIN, "return", str(approval.proposal_id))
        return Return(id_, identity, approval, self.fund_id, source, self.amount_tiyn, self.bank_reference)


class NewRepayment(Plan):
    """A provider repaid what was claimed back of it."""

    provider_id: UUID
    amount_tiyn: Money
    bank_reference: BankReference


class RepaymentPlan(NewRepayment):
    """What is approved."""

    fund_id: UUID

    def command(self, id_: UUID, approval: Approval) -> Recover:
        """As the ledger is asked."""
        return Recover(
            id=id_,
            identity=Identity(ORIGIN, "recover", str(approval.proposal_id)),
            approval=approval,
            fund_id=self.fund_id,
            provider_id=self.provider_id,
            amount_tiyn=self.amount_tiyn,
            bank_reference=self.bank_reference,
        )


class NewCorrection(Plan):
    """One posting that puts right what an operation did."""

    debit: Annotated[Own, Field(description="Where the money is", examples=["allotment"])]
    credit: Annotated[Own, Field(description="Where it belongs", examples=["fund"])]
    amount_tiyn: Money
    operation_id: Annotated[UUID, Field(description="The operation that was wrong")]
    reason: Line
    child_id: Annotated[UUID | None, Field(description="Of an allotment")] = None
    expires_on: Annotated[date | None, Field(description="Of an allotment: its last day")] = None

    @model_validator(mode="after")
    def _names_its_allotment(self) -> Self:
        named = self.child_id is not None, self.expires_on is not None
        if named != ("allotment" in {self.debit, self.credit},) * 2:
            raise ValueError("child_id and expires_on belong to an allotment, and only there")
        return self


class CorrectionPlan(NewCorrection):
    """What is approved."""

    fund_id: UUID

    def command(self, id_: UUID, approval: Approval) -> Correct:
        """As the ledger is asked."""
        return Correct(
            id=id_,
            identity=Identity(ORIGIN, "correct", str(approval.proposal_id)),
            approval=approval,
            fund_id=self.fund_id,
            debit=Kind(self.debit),
            credit=Kind(self.credit),
            amount_tiyn=self.amount_tiyn,
            corrects=self.operation_id,
            reason=self.reason,
            child_id=self.child_id,
            expires_on=self.expires_on,
        )


AnyPlan = ReturnPlan | RepaymentPlan | CorrectionPlan
AgreedPlan = TypeVar("AgreedPlan", ReturnPlan, RepaymentPlan, CorrectionPlan)


async def propose_return(tx: Transaction, principal: Principal, fund_id: UUID, wanted: NewReturn) -> Proposal:
    """One administrator of the fund's region proposes, another approves."""
    return await _propose(tx, principal, RETURN, ReturnPlan(fund_id=fund_id, **wanted.model_dump()))


async def propose_repayment(
    tx: Transaction, principal: Principal, fund_id: UUID, wanted: NewRepayment
) -> Proposal:
    """One administrator of the fund's region proposes, another approves."""
    return await _propose(tx, principal, REPAYMENT, RepaymentPlan(fund_id=fund_id, **wanted.model_dump()))


async def propose_correction(
    tx: Transaction, principal: Principal, fund_id: UUID, wanted: NewCorrection
) -> Proposal:
    """One administrator of the fund's region proposes, another approves."""
    return await _propose(tx, principal, CORRECTION, CorrectionPlan(fund_id=fund_id, **wanted.model_dump()))


async def _propose(
    tx: Transaction, principal: Principal, kind: ApprovalKind[AgreedPlan], plan: AgreedPlan
) -> Proposal:
    principal.require("administrator")
    fund = await read_fund(tx, plan.fund_id)
    require_administrator(principal, fund.region_id)
    nobody_yet = Approval(new_id(), principal.person_id, principal.person_id)
    _require_done(await rehearse(tx, plan.command(new_id(), nobody_yet)))
    return await propose(tx, principal, kind, plan, scope_id=fund.region_id)


async def _execute(tx: Transaction, proposal: Proposal, plan: AnyPlan) -> UUID:
    if proposal.decided_by is None:
        raise TypeError("a proposal is executed when somebody has decided it")
    approval = Approval(proposal.id, proposal.proposed_by, proposal.decided_by)
    command: Approved = plan.command(new_id(), approval)
    (result,) = await post(tx, [command])
    _require_done(result)
    return command.id


def _require_done(result: Result) -> None:
    """What cannot be done leaves the proposal as it is: nothing of this transaction stays."""
    if isinstance(result, Declined):
        raise ConflictError(result.code, missing_tiyn=result.missing_tiyn)


RETURN = ApprovalKind("budget_return", ReturnPlan, ("administrator",), _execute)
REPAYMENT = ApprovalKind("repayment", RepaymentPlan, ("administrator",), _execute)
CORRECTION = ApprovalKind("correction", CorrectionPlan, ("administrator",), _execute)
