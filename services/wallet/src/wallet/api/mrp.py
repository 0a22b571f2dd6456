"""The MRP, in which programs may count what they pay for a month."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.http import Listing, PageQuery, Router, Signed, Tx
from wallet.api.programs import ProposalView
from wallet.repository.mrp import list_values
from wallet.usecases import mrp
from wallet.usecases.mrp import NewMrp

router = Router()


class MrpView(BaseModel):
    """The MRP from a day on, until the next value."""

    model_config = ConfigDict(from_attributes=True)

    valid_from: date
    amount_tiyn: Annotated[int, Field(examples=[432_500])]


@router.get("/v1/mrp", tags=["programs"])
async def list_mrp(tx: Tx, _: Signed, page: PageQuery) -> Listing[MrpView]:
    """The MRP by the days from which its values count."""
    after = date.fromisoformat(str(page.after[0])) if page.after else None
    found = await list_values(tx, after=after, limit=page.limit + 1)
    return page.listing(found, key=lambda row: (str(row["valid_from"]),), view=MrpView.model_validate)


@router.post("/v1/mrp", status_code=202, tags=["programs"])
async def propose_mrp(body: NewMrp, tx: Tx, principal: Signed) -> ProposalView:
    """Propose the MRP from a later month on. It counts once another administrator approves."""
    return ProposalView.of(await mrp.propose_mrp(tx, principal, body))
