"""Control totals of a month, fund by fund: to be held against what clubs and enrollment count."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events.envelope import Month
from shared.http import Listing, PageQuery, Router, Signed, Tx
from wallet.usecases.ledger.controls import control_totals

router = Router()


class ControlTotalsView(BaseModel):
    """What a fund has to do with the lessons of a month."""

    model_config = ConfigDict(from_attributes=True)

    fund_id: UUID
    holds: Annotated[int, Field(description="Ever made for the month, open or not")]
    held_tiyn: Annotated[int, Field(description="What they reserved at first")]
    open_holds: int
    still_held_tiyn: int
    enrollment_months: Annotated[int, Field(description="How many enrollments it was charged for")]
    items: Annotated[int, Field(description="Payable items that were made of them")]
    charged_tiyn: Annotated[int, Field(description="What these were at first")]
    refunded_tiyn: Annotated[int, Field(description="Lowered before it was paid")]
    claimed_tiyn: Annotated[int, Field(description="Claimed back after it was paid")]
    settled_tiyn: Annotated[int, Field(description="Paid by the bank")]


@router.get("/v1/control-totals", tags=["ledger"])
async def list_control_totals(
    month: Month, tx: Tx, principal: Signed, page: PageQuery
) -> Listing[ControlTotalsView]:
    """Of the funds that you oversee. By the month of the lessons, whenever it was posted."""
    after = UUID(str(page.after[0])) if page.after else None
    found = await control_totals(tx, principal, month, after=after, limit=page.limit + 1)
    return page.listing(found, key=lambda row: (str(row["fund_id"]),), view=ControlTotalsView.model_validate)
