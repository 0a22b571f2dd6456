"""A fund's month: its report, and its lock."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events.envelope import Month
from shared.http import Body, Language, Router, Signed, Tx
from shared.texts import LanguageCode, Texts
from wallet.api.programs import ProposalView
from wallet.domain.accounts import Kind
from wallet.usecases.ledger import months
from wallet.usecases.ledger.months import MonthToLock, Movement

router = Router()


class PlaceView(BaseModel):
    """All accounts of a fund of one kind: opening + in - out = closing."""

    model_config = ConfigDict(from_attributes=True)

    kind: Kind
    opening_tiyn: int
    in_tiyn: int
    out_tiyn: int
    closing_tiyn: int


class MonthMovementView(BaseModel):
    """What moved from one kind of accounts to another."""

    name: Annotated[str, Field(examples=["captured"])]
    text: Annotated[str, Field(description="The same in the language of Accept-Language")]
    debited: Kind
    credited: Kind
    corrects_month: Annotated[str | None, Field(description="The locked month that it is about")]
    operations: int
    amount_tiyn: int


class MonthLockView(BaseModel):
    """Who locked it. A lock is of its month and all before it."""

    model_config = ConfigDict(extra="ignore")

    month: str
    last_batch_id: int
    proposed_by: UUID
    approved_by: UUID
    locked_at: datetime


class MonthReportView(BaseModel):
    """A fund's month. Once it is locked itself, its report stays what it is."""

    fund_id: UUID
    month: str
    lock: Annotated[MonthLockView | None, Field(description="The first that includes the month")]
    places: list[PlaceView]
    movements: list[MonthMovementView]
    holds: Annotated[int, Field(description="Made in the month; to reserve moves nothing between accounts")]
    held_tiyn: Annotated[int, Field(description="What these reserved at first")]


class NewMonthLock(Body):
    """Which month, with all before it."""

    month: Month


@router.get("/v1/funds/{fund_id}/report", tags=["ledger"])
async def report_month(
    fund_id: UUID, month: Month, tx: Tx, principal: Signed, language: Language
) -> MonthReportView:
    """What a fund had, what moved, and what was left in a month. What a charge moves is about its month."""
    found = await months.report_month(tx, principal, fund_id, month)
    return MonthReportView(
        fund_id=fund_id,
        month=month,
        lock=MonthLockView.model_validate(found.lock) if found.lock else None,
        places=[PlaceView.model_validate(one) for one in found.report.places],
        movements=[_movement(one, language) for one in found.report.movements],
        holds=found.report.holds,
        held_tiyn=found.report.held_tiyn,
    )


def _movement(movement: Movement, language: LanguageCode) -> MonthMovementView:
    return MonthMovementView(
        name=movement.name,
        text=Texts.of("wallet").translate(language, f"movement.{movement.name}"),
        debited=movement.debited,
        credited=movement.credited,
        corrects_month=movement.corrects_month,
        operations=movement.operations,
        amount_tiyn=movement.amount_tiyn,
    )


@router.post("/v1/funds/{fund_id}/month-locks", status_code=202, tags=["ledger"])
async def lock_month(fund_id: UUID, body: NewMonthLock, tx: Tx, principal: Signed) -> ProposalView:
    """Lock a month that is over, with all before it. What is posted for it later counts when it is posted."""
    wanted = MonthToLock(fund_id=fund_id, month=body.month)
    return ProposalView.of(await months.propose_lock(tx, principal, wanted))
