"""The signed log, for the whole world: whoever keeps what it once said sees if it ever says otherwise."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from shared.http import PublicLook, Router
from wallet.domain.proof.merkle import SIZE_MAX
from wallet.domain.proof.notes import in_base64
from wallet.usecases import receipts

router = Router(public=True)
Size = Annotated[int, Query(ge=0, le=SIZE_MAX, description="How many batches a log has")]


class ConsistencyView(BaseModel):
    """The path of RFC 6962, section 2.1.2, from the bottom up."""

    old: int
    new: int
    path: Annotated[list[str], Field(description="SHA-256 hashes in base64")]


@router.get("/v1/log/checkpoint", tags=["log"], response_class=PlainTextResponse)
async def get_checkpoint(tx: PublicLook, size: Size | None = None) -> str:
    """A head of the ledger's log, signed: c2sp.org/tlog-checkpoint. The last, or that of this size."""
    return await receipts.read_head(tx, size)


@router.get("/v1/log/consistency", tags=["log"])
async def get_consistency(old: Size, new: Size, tx: PublicLook) -> ConsistencyView:
    """What shows that the longer log begins with all of the shorter one, unchanged."""
    path = await receipts.read_consistency(tx, old, new)
    return ConsistencyView(old=old, new=new, path=list(map(in_base64, path)))
