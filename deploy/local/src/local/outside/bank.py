"""The sandbox bank: takes orders in `pain.001`, answers in `pain.002`, and misbehaves as it is told.

How it behaves is decided when an order is taken, and kept with it. Its day is the business day, which
development moves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import asyncpg
from defusedxml import DefusedXmlException  # type: ignore[import-untyped] # ships no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from local.outside.vault import Payment, Vault
from shared.clock import civil_date

_ORDER = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"
_REPORT = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
_BUSINESS_TIME = "SELECT clock_timestamp() + (SELECT shift FROM development.clock)"

Behavior = Literal["accept", "reject", "twice", "late", "never", "halves", "slow", "cut"]
Today = Callable[[], Awaitable[date]]


class Behave(BaseModel):
    """How the next orders are treated: those for this account, or all that nothing else is said about."""

    iban: Annotated[str | None, Field(pattern=r"^KZ[0-9]{5}[0-9A-Z]{13}$")] = None
    behavior: Annotated[
        Behavior,
        Field(
            description="accept: goes on, then settled; reject: account closed; twice: settled, told twice;"
            " late: silent until the day after; never: taken and forgotten; halves: the first answer is cut"
            " in the middle; slow: answers the order after `seconds`; cut: takes it and hangs up"
        ),
    ]
    seconds: Annotated[float, Field(ge=0, le=600, description="Of slow")] = 0
    taken: Annotated[bool, Field(description="Orders that it has already, too")] = False


def business_day(database_url: str | None) -> Today:
    """The civil day of the system whose database this is; without one, the real day."""

    async def today() -> date:
        if database_url is None:
            return civil_date(datetime.now(UTC))
        connection = await asyncpg.connect(database_url, timeout=5)
        try:
            return civil_date(await connection.fetchval(_BUSINESS_TIME))
        finally:
            await connection.close()

    return today


def routes(vault: Vault, today: Today) -> APIRouter:
    router = APIRouter(prefix="/bank", tags=["bank"])

    @router.post("/payments", status_code=202)
    async def take(request: Request) -> Response:
        payment = _read_order(await request.body(), await today(), vault)
        if not vault.take(payment):
            raise HTTPException(409, "an order of this id was taken before")
        _, seconds = vault.behavior(payment.iban)
        if payment.behavior == "slow":
            await asyncio.sleep(seconds)
        if payment.behavior == "cut":
            request.scope["hang_up"]()
        return Response(status_code=202)

    @router.get("/payments/{msg_id}/reports")
    async def reports(msg_id: str) -> dict[str, list[str]]:
        payment = vault.ask(msg_id)
        if payment is None or payment.behavior == "never":
            raise HTTPException(404, {"code": "msg_id_unknown", "msg_id": msg_id})
        return {"reports": _reports(payment, await today())}

    @router.get("/payments")
    async def payments() -> dict[str, list[dict[str, Any]]]:
        shown = ({**payment._asdict(), "document": payment.document.decode()} for payment in vault.payments())
        return {"items": list(shown)}

    @router.put("/behavior", status_code=204)
    async def behave(order: Behave) -> None:
        vault.behave(order.iban, order.behavior, order.seconds)
        if order.taken:
            vault.change_mind(order.iban, order.behavior)

    return router


def _read_order(document: bytes, today: date, vault: Vault) -> Payment:
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        raise HTTPException(400, "no XML that can be read") from None
    payment = "CstmrCdtTrfInitn/PmtInf"
    execute_on = _text(root, f"{payment}/ReqdExctnDt/Dt")
    iban = _text(root, f"{payment}/CdtTrfTxInf/CdtrAcct/Id/IBAN")
    behavior, _ = vault.behavior(iban)
    return Payment(
        msg_id=_text(root, "CstmrCdtTrfInitn/GrpHdr/MsgId"),
        end_to_end_id=_text(root, f"{payment}/CdtTrfTxInf/PmtId/EndToEndId"),
        iban=iban,
        amount=_text(root, f"{payment}/CdtTrfTxInf/Amt/InstdAmt"),
        taken_on=today.isoformat(),
        late=execute_on < today.isoformat(),
        behavior=behavior,
        document=document,
    )


def _text(root: Element, path: str) -> str:
    found = root.find("/".join(f"{_ORDER}{step}" for step in path.split("/")))
    if found is None or not found.text:
        raise HTTPException(400, f"no {path}")
    return found.text


def _reports(payment: Payment, today: date) -> list[str]:
    """All that the bank has to say of it by now."""
    in_progress, settled = _report(payment, "ACSP"), _report(payment, "ACSC")
    first = payment.asked == 1
    if payment.late:
        return [_report(payment, "RJCT", "DT01")]
    match payment.behavior:
        case "reject":
            told = [_report(payment, "RJCT", "AC04")]
        case "twice":
            told = [settled, settled]
        case "late" if today.isoformat() <= payment.taken_on:
            told = []
        case "halves":
            told = [settled[: len(settled) // 2] if first else settled]
        case _:
            told = [in_progress] if first else [in_progress, settled]
    return told


def _report(payment: Payment, status: str, reason: str | None = None) -> str:
    root = Element("Document", xmlns=_REPORT)
    told = SubElement(root, "CstmrPmtStsRpt")
    header = SubElement(told, "GrpHdr")
    SubElement(header, "MsgId").text = uuid4().hex
    SubElement(header, "CreDtTm").text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    group = SubElement(told, "OrgnlGrpInfAndSts")
    SubElement(group, "OrgnlMsgId").text = payment.msg_id
    SubElement(group, "OrgnlMsgNmId").text = "pain.001.001.09"
    part = SubElement(told, "OrgnlPmtInfAndSts")
    SubElement(part, "OrgnlPmtInfId").text = payment.msg_id
    transfer = SubElement(part, "TxInfAndSts")
    SubElement(transfer, "OrgnlEndToEndId").text = payment.end_to_end_id
    SubElement(transfer, "TxSts").text = status
    if reason:
        why = SubElement(SubElement(transfer, "StsRsnInf"), "Rsn")
        SubElement(why, "Cd").text = reason
    return tostring(root, encoding="unicode")
