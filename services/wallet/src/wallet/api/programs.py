"""Programs, funds and deposits."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Response
from pydantic import BaseModel, ConfigDict, Field

from shared import clock
from shared.approvals import Proposal
from shared.http import Body, Listing, PageQuery, Router, Signed, Tx
from wallet.repository import programs as rows
from wallet.repository.programs import FundRow, ProgramRow
from wallet.repository.rules import list_versions
from wallet.usecases import funds, programs, rules
from wallet.usecases.funds import FundPlan
from wallet.usecases.plans import Money, PublicNames
from wallet.usecases.programs import ProgramPlan
from wallet.usecases.rules import NewRules

router = Router()


class ProposalView(BaseModel):
    """It waits for another person: see `GET /v1/approvals`."""

    id: UUID
    kind: str
    state: Annotated[str, Field(examples=["open"])]
    version: int

    @classmethod
    def of(cls, proposal: Proposal) -> "ProposalView":
        """What the proposer needs to know."""
        return cls(id=proposal.id, kind=proposal.kind, state=proposal.state, version=proposal.version)


class RulesFields(BaseModel):
    """What a version of the rules says."""

    model_config = ConfigDict(from_attributes=True)

    directions: list[str]
    monthly_rate_tiyn: Annotated[
        int | None, Field(examples=[1_875_000], description="Null if the rate is counted in MRP")
    ]
    monthly_rate_mrp_thousandths: Annotated[
        int | None, Field(description="The rate in thousandths of the MRP of the day of the first lesson")
    ]
    clubs_per_child_max: int
    month_cap_tiyn: int | None
    year_cap_tiyn: int | None
    restore_days: int
    asks_from_day: int
    grace_ends_on_day: int
    declined_percent_max: int
    evidence: dict[str, Any]
    charge: dict[str, Any]


class RulesVersionView(RulesFields):
    """The rules of a program from a day on, until the next version."""

    version: int
    valid_from: date


class ProgramView(RulesFields):
    """A program, with the rules in force."""

    id: UUID
    version: int
    region_id: UUID
    name: PublicNames
    place: int
    starts_on: date
    ends_on: date
    rules_version: int


class WholeProgramView(ProgramView):
    """A program, with the rules in force and all versions of them, past and to come."""

    versions: list[RulesVersionView]


class FundView(BaseModel):
    """A fund, with where its money is: received = free + allotted (and not returned) + returned."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    version: int
    program_id: UUID
    region_id: UUID
    funder: PublicNames
    name: PublicNames
    mode: Annotated[str, Field(examples=["ahead"])]
    budget_tiyn: int
    monthly_tiyn: int | None
    last_capture_on: date
    received_tiyn: int
    free_tiyn: int
    returned_tiyn: int


class NewDeposit(Body):
    """Money of the funder that arrived at the bank."""

    amount_tiyn: Annotated[Money, Field(examples=[500_000_000])]


class DepositView(BaseModel):
    """A deposit that is in the ledger."""

    id: UUID
    fund_id: UUID
    amount_tiyn: int


@router.post("/v1/programs", status_code=202, tags=["programs"])
async def propose_program(body: ProgramPlan, tx: Tx, principal: Signed) -> ProposalView:
    """Propose a program. It exists once another administrator of the region approves."""
    return ProposalView.of(await programs.propose_program(tx, principal, body))


@router.get("/v1/programs", tags=["programs"])
async def list_programs(tx: Tx, _: Signed, page: PageQuery) -> Listing[ProgramView]:
    """All programs, with the rules in force."""
    after = UUID(str(page.after[0])) if page.after else None
    found = await rows.list_programs(tx, clock.civil_date(tx.now), after=after, limit=page.limit + 1)
    return page.listing(found, key=_key, view=ProgramView.model_validate)


@router.get("/v1/programs/{program_id}", tags=["programs"])
async def get_program(program_id: UUID, tx: Tx, _: Signed) -> WholeProgramView:
    """A program, with the rules in force and all versions of them."""
    program = ProgramView.model_validate(await programs.read_program(tx, program_id))
    versions = [RulesVersionView.model_validate(dict(row)) for row in await list_versions(tx, program_id)]
    return WholeProgramView(**program.model_dump(), versions=versions)


@router.post("/v1/programs/{program_id}/rules", status_code=202, tags=["programs"])
async def propose_rules(program_id: UUID, body: NewRules, tx: Tx, principal: Signed) -> ProposalView:
    """Propose the rules from a later month on. They count once another administrator approves."""
    return ProposalView.of(await rules.propose_rules(tx, principal, program_id, body))


@router.post("/v1/funds", status_code=202, tags=["funds"])
async def propose_fund(body: FundPlan, tx: Tx, principal: Signed) -> ProposalView:
    """Propose a fund. It exists once another administrator of the region approves."""
    return ProposalView.of(await funds.propose_fund(tx, principal, body))


@router.get("/v1/funds", tags=["funds"])
async def list_funds(tx: Tx, _: Signed, page: PageQuery) -> Listing[FundView]:
    """All funds, with where their money is."""
    after = UUID(str(page.after[0])) if page.after else None
    found = await rows.list_funds(tx, after=after, limit=page.limit + 1)
    return page.listing(found, key=_key, view=FundView.model_validate)


@router.get("/v1/funds/{fund_id}", tags=["funds"])
async def get_fund(fund_id: UUID, tx: Tx, _: Signed) -> FundView:
    """A fund, with where its money is."""
    return FundView.model_validate(await funds.read_fund(tx, fund_id))


@router.post("/v1/funds/{fund_id}/deposits", status_code=201, tags=["funds"])
async def deposit(
    *,
    fund_id: UUID,
    body: NewDeposit,
    tx: Tx,
    principal: Signed,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=255, include_in_schema=False)],
) -> DepositView:
    """Enter a deposit. One key of one person is one deposit, for as long as the ledger lives."""
    key = idempotency_key.strip('"')
    deposit_id = await funds.deposit(tx, principal, fund_id, body.amount_tiyn, key)
    response.headers["Location"] = f"/v1/funds/{fund_id}"
    return DepositView(id=deposit_id, fund_id=fund_id, amount_tiyn=body.amount_tiyn)


def _key(row: ProgramRow | FundRow) -> tuple[str]:
    return (str(row.id),)
