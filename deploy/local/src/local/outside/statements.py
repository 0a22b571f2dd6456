"""The statements of the sandbox bank: what it paid on a day, in `camt.053`."""

from datetime import date
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types
from fastapi import APIRouter, HTTPException, Response

from local.outside.bank import Today
from local.outside.vault import Payment, Vault

_STATEMENT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_PURPOSE = ".//{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}Ustrd"


def routes(vault: Vault, today: Today) -> APIRouter:
    router = APIRouter(prefix="/bank", tags=["bank"])

    @router.get("/statements/{day}")
    async def statement(day: date) -> Response:
        """What it paid on a day that is over. What it refused or forgot is not on it."""
        if day >= await today():
            raise HTTPException(404, {"code": "day_not_over"})
        paid = [one for one in vault.payments() if one.taken_on == day.isoformat() and _pays(one)]
        return Response(_statement(day, paid), media_type="application/xml")

    return router


def _pays(payment: Payment) -> bool:
    return not payment.late and payment.behavior not in ("reject", "never")


def _statement(day: date, paid: list[Payment]) -> bytes:
    root = Element("Document", xmlns=_STATEMENT)
    told = SubElement(root, "BkToCstmrStmt")
    _put(told, "GrpHdr/MsgId", uuid4().hex)
    statement = SubElement(told, "Stmt")
    _put(statement, "Id", day.isoformat())
    for payment in paid:
        entry = SubElement(statement, "Ntry")
        _put(entry, "Amt", payment.amount).set("Ccy", "KZT")
        _put(entry, "CdtDbtInd", "DBIT")
        _put(entry, "Sts/Cd", "BOOK")
        _put(entry, "BookgDt/Dt", day.isoformat())
        transfer = SubElement(SubElement(entry, "NtryDtls"), "TxDtls")
        references = SubElement(transfer, "Refs")
        _put(references, "MsgId", payment.msg_id)
        _put(references, "EndToEndId", payment.end_to_end_id)
        _put(transfer, "RltdPties/CdtrAcct/Id/IBAN", payment.iban)
        _put(transfer, "RmtInf/Ustrd", _purpose(payment))
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _purpose(payment: Payment) -> str:
    order: Element = fromstring(payment.document, forbid_dtd=True)
    return order.findtext(_PURPOSE, "")


def _put(parent: Element, path: str, text: str) -> Element:
    """The text at the end of a path of new elements; the last of them."""
    for step in path.split("/"):
        parent = SubElement(parent, step)
    parent.text = text
    return parent
