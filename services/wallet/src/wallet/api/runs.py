"""Funding runs."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.database import Transaction
from shared.http import Body, Day, Language, Listing, PageQuery, Router, Signed, Tx, WaitQuery
from shared.security import Principal
from shared.texts import LanguageCode, Texts
from wallet.domain.allotting import LeftOut
from wallet.repository.runs import Run
from wallet.usecases import runs

router = Router()


class NewFundingRun(Body):
    """Allot all entitled children their months up to a day, from the first that is not yet allotted."""

    fund_id: UUID
    until: Annotated[Day, Field(description="Last day of the allotments", examples=["2026-12-31"])]
    dry_run: Annotated[bool, Field(strict=True, description="Only compute what it would do")] = False
    children_per_second: Annotated[
        int | None,
        Field(strict=True, ge=1, le=1_000_000, description="At most; without it as fast as it can"),
    ] = None


class ReasonView(BaseModel):
    """Why children were left out, and how many."""

    code: Annotated[LeftOut, Field(examples=["no_money"])]
    text: str
    children: int


class FundingRunView(BaseModel):
    """A run and how far it has come. Of a dry run: what it would do."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    version: int
    fund_id: UUID
    until: date
    dry_run: bool
    state: Literal["running", "paused", "done"]
    children: Annotated[
        int | None, Field(description="Of the program, counted when the run began; null before")
    ]
    reached: Annotated[int, Field(description="Children who were looked at: the funded and the left-out")]
    children_per_second: Annotated[int | None, Field(description="At most; null: as fast as it can")]
    rate: Annotated[float | None, Field(description="Children a second until now, pauses not counted")]
    funded: Annotated[int, Field(description="Children")]
    left_out: list[ReasonView]
    allotted_tiyn: int
    declined_tiyn: Annotated[
        int, Field(description="What those for whom the money did not suffice would have got")
    ]
    missing_tiyn: Annotated[int, Field(description="So much more in the fund, and it would have sufficed")]
    created_by: UUID
    created_at: datetime


class LeftOutView(BaseModel):
    """A child whom the run gave nothing, and why."""

    child_id: UUID
    code: LeftOut
    text: str
    amount_tiyn: Annotated[int, Field(description="What it would have got, had there been the money")]


@router.post("/v1/funding-runs", status_code=201, tags=["funding runs"])
async def start_funding_run(
    body: NewFundingRun, tx: Tx, principal: Signed, language: Language, response: Response
) -> FundingRunView:
    """Start a run; the worker does it. Read it with `?wait=` to follow."""
    run_id = await runs.start_run(tx, principal, runs.Asked(**body.model_dump()))
    response.headers["Location"] = f"/v1/funding-runs/{run_id}"
    return _view(await runs.read_run(tx, principal, run_id), language)


@router.get("/v1/funding-runs/{run_id}", tags=["funding runs"])
async def get_funding_run(run_id: UUID, wait: WaitQuery, language: Language) -> FundingRunView:
    """How far a run has come; in the end its report."""

    async def read(tx: Transaction, principal: Principal) -> FundingRunView:
        return _view(await runs.read_run(tx, principal, run_id), language)

    return await wait.newer(run_id, read)


@router.post("/v1/funding-runs/{run_id}/pause", tags=["funding runs"])
async def pause_funding_run(run_id: UUID, tx: Tx, principal: Signed, language: Language) -> FundingRunView:
    """Let a run rest after the children at hand. Others go on meanwhile."""
    await runs.pause_run(tx, principal, run_id)
    return _view(await runs.read_run(tx, principal, run_id), language)


@router.post("/v1/funding-runs/{run_id}/resume", tags=["funding runs"])
async def resume_funding_run(run_id: UUID, tx: Tx, principal: Signed, language: Language) -> FundingRunView:
    """Let a paused run go on where it was."""
    await runs.resume_run(tx, principal, run_id)
    return _view(await runs.read_run(tx, principal, run_id), language)


@router.get("/v1/funding-runs/{run_id}/left-out", tags=["funding runs"])
async def list_left_out(
    *,
    run_id: UUID,
    tx: Tx,
    principal: Signed,
    language: Language,
    page: PageQuery,
    code: Annotated[LeftOut | None, Query(description="Only those left out for this reason")] = None,
) -> Listing[LeftOutView]:
    """Whom the run gave nothing so far, by reason. Of a dry run only the counts are kept."""
    after = (str(page.after[0]), UUID(str(page.after[1]))) if page.after else None
    found = await runs.list_left_out(tx, principal, run_id, code=code, after=after, limit=page.limit + 1)
    return page.listing(
        found,
        key=lambda row: (row.code, str(row.child_id)),
        view=lambda row: LeftOutView(**row._asdict(), text=_text(row.code, language)),
    )


def _view(run: Run, language: LanguageCode) -> FundingRunView:
    reasons = [
        ReasonView(code=code, text=_text(code, language), children=run.left_out[code])
        for code in LeftOut
        if code in run.left_out
    ]
    shown = {name: getattr(run, name) for name in FundingRunView.model_fields if name != "left_out"}
    return FundingRunView(**shown, left_out=reasons)


def _text(code: LeftOut, language: LanguageCode) -> str:
    return Texts.of("wallet").translate(language, code)
