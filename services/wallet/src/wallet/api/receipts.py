"""Receipts: the proof that an operation is in the signed ledger, for those whom it concerns."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from shared.http import Language, Router, Signed, Tx
from wallet import printing
from wallet.domain.proof import receipts as receipt
from wallet.usecases import receipts

router = Router()


class IncludedView(BaseModel):
    """A leaf, and the path of RFC 6962, section 2.1.1, from it to the root."""

    leaf: Annotated[str, Field(description="What is sealed, in base64")]
    place: int
    path: list[str]


class ReceiptView(BaseModel):
    """All it takes to prove an operation, besides the log's verifier key."""

    receipt: Annotated[int, Field(description="The version of this form", examples=[1])]
    operation: Annotated[IncludedView, Field(description="In the tree of its batch")]
    batch: Annotated[IncludedView, Field(description="In the log")]
    checkpoint: Annotated[str, Field(description="The log's head, signed (c2sp.org/tlog-checkpoint)")]


@router.get("/v1/receipts/{operation_id}", tags=["receipts"], response_model=ReceiptView)
async def get_receipt(operation_id: UUID, tx: Tx, principal: Signed) -> Response:
    """The proof that an operation is in the signed ledger. It can be checked without us."""
    found = await receipts.read_receipt(tx, principal, operation_id)
    return Response(receipt.write(found), media_type="application/json")


@router.get(
    "/v1/receipts/{operation_id}/pdf",
    tags=["receipts"],
    response_class=Response,
    responses={200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_printed_receipt(operation_id: UUID, tx: Tx, principal: Signed, language: Language) -> Response:
    """The same to be printed and kept, with the proof attached to the file."""
    found = await receipts.read_receipt(tx, principal, operation_id)
    content = await asyncio.to_thread(printing.printed, found, language)
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="receipt-{operation_id}.pdf"'},
    )
