"""Funds come into being by two persons; money arrives in them by deposits."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared import audit, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.clubs import Names
from shared.events.wallet import FundDeposited, FundDescribed
from shared.security import Principal
from wallet.domain.operations import Declined, Deposit, Deposited, Identity, Mismatched
from wallet.repository import programs
from wallet.repository.programs import FundRow
from wallet.usecases.plans import Money, Plan, PublicNames
from wallet.usecases.post import post
from wallet.usecases.programs import REPUBLISHED_AT_ONCE, read_program, require_administrator


class FundPlan(Plan):
    """A fund to be: one budget line of one funder in a program and a region."""

    program_id: UUID
    region_id: UUID
    funder: PublicNames
    name: PublicNames
    mode: Annotated[
        Literal["ahead", "on_hold"],
        Field(description="ahead: allotted by funding runs; on_hold: drawn when money is held"),
    ]
    budget_tiyn: Annotated[Money, Field(description="Deposits never exceed it")]
    monthly_tiyn: Annotated[
        Money | None, Field(description="Of mode ahead: what a run allots for a child and a month")
    ] = None
    last_capture_on: Annotated[date, Field(description="Lessons after this day are not paid from it")]

    @model_validator(mode="after")
    def _of_its_mode(self) -> Self:
        if (self.monthly_tiyn is None) != (self.mode == "on_hold"):
            raise ValueError("monthly_tiyn belongs to mode ahead, and only there")
        return self


async def propose_fund(tx: Transaction, principal: Principal, plan: FundPlan) -> Proposal:
    """One administrator of the region proposes, another approves."""
    require_administrator(principal, plan.region_id)
    await _check_program(tx, plan)
    return await propose(tx, principal, FUND, plan, scope_id=plan.region_id)


async def _check_program(tx: Transaction, plan: FundPlan) -> None:
    program = await read_program(tx, plan.program_id)
    if plan.last_capture_on < program.starts_on:
        raise InvalidError("fund_ends_before_program")


async def _create_fund(tx: Transaction, _: Proposal, plan: FundPlan) -> UUID:
    await _check_program(tx, plan)
    fund_id = new_id()
    await programs.insert_fund(tx, {"id": fund_id, "version": 1, **plan.model_dump()})
    outbox.publish(tx, _described(await read_fund(tx, fund_id)))
    return fund_id


FUND = ApprovalKind("fund", FundPlan, ("administrator",), _create_fund)


async def read_fund(tx: Transaction, fund_id: UUID) -> FundRow:
    """The fund, with where its money is."""
    fund = await programs.find_fund(tx, fund_id)
    if fund is None:
        raise NotFoundError
    return fund


async def deposit(tx: Transaction, principal: Principal, fund_id: UUID, amount: int, key: str) -> UUID:
    """Money of the funder arrived. The same key of the same person is the same deposit, for ever."""
    principal.require("administrator")
    fund = await read_fund(tx, fund_id)
    require_administrator(principal, fund.region_id, fund.program_id)
    command = Deposit(new_id(), Identity(f"person/{principal.person_id}", "deposit", key), fund_id, amount)
    (result,) = await post(tx, [command])
    match result:
        case Mismatched():
            raise ConflictError("deposit_key_used")
        case Declined(code, missing):
            raise ConflictError(code, missing_tiyn=missing)
    if not isinstance(result, Deposited):
        raise TypeError(type(result).__name__)
    if result.operation_id == command.id:
        await _tell_deposit(tx, principal, fund, command)
    return result.operation_id


async def _tell_deposit(tx: Transaction, principal: Principal, fund: FundRow, made: Deposit) -> None:
    amount = made.amount_tiyn
    outbox.publish(tx, FundDeposited(program_id=fund.program_id, fund_id=fund.id, amount_tiyn=amount))
    operation = str(made.id)
    await audit.record(tx, principal, "deposit", "fund", fund.id, operation_id=operation, amount_tiyn=amount)


async def republish_funds(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of funds again; the last one's id, None at the end."""
    rows = await programs.list_funds(tx, after=after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        outbox.publish(tx, _described(row))
    return rows[-1].id if rows else None


def _described(row: FundRow) -> FundDescribed:
    return FundDescribed(
        fund_id=row.id,
        version=row.version,
        program_id=row.program_id,
        name=Names(**row.name),
        mode="ahead" if row.mode == "ahead" else "on_hold",
        last_capture_on=row.last_capture_on,
    )
