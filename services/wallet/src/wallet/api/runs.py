"""Funding runs."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from shared.database import Transaction
from shared.http import Body, Day, Router, Signed, Tx, WaitQuery
from shared.security import Principal
from wallet.usecases import runs

router = Router()


class NewFundingRun(Body):
    """Allot all entitled children their months up to a day, from the first that is not yet allotted."""

    fund_id: UUID
    until: Annotated[Day, Field(description="Last day of the allotments", examples=["2026-12-31"])]
    dry_run: Annotated[bool, Field(strict=True, description="Only compute what it would do")] = False


class FundingRunView(BaseModel):
    """A run and how far it has come. Of a dry run: what it would do."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    version: int
    fund_id: UUID
    until: date
    dry_run: bool
    state: Literal["running", "done"]
    funded: Annotated[int, Field(description="Children")]
    already: Annotated[int, Field(description="Children whose months had all been allotted before")]
    declined: Annotated[int, Field(description="Children for whom the money did not suffice")]
    allotted_tiyn: int
    missing_tiyn: int
    created_by: UUID
    created_at: datetime


@router.post("/v1/funding-runs", status_code=201, tags=["funding runs"])
async def start_funding_run(
    body: NewFundingRun, tx: Tx, principal: Signed, response: Response
) -> FundingRunView:
    """Start a run; the worker does it. Read it with `?wait=` to follow."""
    run_id = await runs.start_run(tx, principal, fund_id=body.fund_id, until=body.until, dry_run=body.dry_run)
    response.headers["Location"] = f"/v1/funding-runs/{run_id}"
    return FundingRunView.model_validate(await runs.read_run(tx, principal, run_id))


@router.get("/v1/funding-runs/{run_id}", tags=["funding runs"])
async def get_funding_run(run_id: UUID, wait: WaitQuery) -> FundingRunView:
    """How far a run has come."""

    async def read(tx: Transaction, principal: Principal) -> FundingRunView:
        return FundingRunView.model_validate(await runs.read_run(tx, principal, run_id))

    return await wait.newer(run_id, read)
