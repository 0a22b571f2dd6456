"""What goes to the bank and what comes back: `pain.001.001.09` written, `pain.002` read.

Nobody here calls the bank. What it sends is read as from a stranger: no entities, no other namespaces, one
answer to one order or none at all.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException  # type: ignore[import-untyped] # ships no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types
from schwifty import IBAN

if TYPE_CHECKING:
    from xmlschema import XMLSchema

_ORDER = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_REPORT_ROOT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.[0-9]{2}\}Document")
CURRENCY = "KZT"
ID_LENGTH_MAX = 35
REPORT_LENGTH_MAX = 200_000
"""A report on one order has a few kilobytes."""


class Outcome(StrEnum):
    """What a status of the bank means for the order."""

    ACCEPTED = "accepted"
    """The bank has it and goes on with it."""
    SETTLED = "settled"
    REJECTED = "rejected"


_OUTCOMES = {
    **dict.fromkeys(("ACTC", "ACCP", "ACSP", "PDNG"), Outcome.ACCEPTED),
    **dict.fromkeys(("ACSC", "ACCC"), Outcome.SETTLED),
    "RJCT": Outcome.REJECTED,
}
_REASON = re.compile(r"[A-Z0-9]{4}")


@dataclass(frozen=True, slots=True)
class Party:
    """Who pays or is paid: an organization of Kazakhstan with its account."""

    name: str
    bin: str
    iban: str


@dataclass(frozen=True, slots=True)
class BankOrder:
    """One payment. Its ids are known to us only: the bank recognizes the order by them."""

    msg_id: str
    end_to_end_id: str
    written_at: datetime
    execute_on: date
    """The civil day it is sent on; a bank that gets it later refuses it."""
    amount_tiyn: int
    payer: Party
    payee: Party
    purpose: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the bank says of one order."""

    msg_id: str
    end_to_end_id: str | None
    status: str
    outcome: Outcome
    reason: str | None
    """A code of ISO 20022, such as AC04; only if it looks like one."""


class UnwritableError(ValueError):
    """No valid order can be made of this."""


class UnreadableError(ValueError):
    """No report on one order, whatever else it may be."""


def write_order(order: BankOrder) -> bytes:
    """The order as the bank gets it, valid against its schema. The same order always gives the same bytes.

    Raises:
        UnwritableError: there is no valid order with this content.
    """
    root = Element("Document", xmlns=_ORDER)
    initiation = SubElement(root, "CstmrCdtTrfInitn")
    amount = f"{order.amount_tiyn // 100}.{order.amount_tiyn % 100:02}"
    header = SubElement(initiation, "GrpHdr")
    _add(header, "MsgId", order.msg_id)
    _add(header, "CreDtTm", f"{order.written_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    _add(header, "NbOfTxs", "1")
    _add(header, "CtrlSum", amount)
    _add_organization(SubElement(header, "InitgPty"), order.payer)
    payment = SubElement(initiation, "PmtInf")
    _add(payment, "PmtInfId", order.msg_id)
    _add(payment, "PmtMtd", "TRF")
    _add(payment, "NbOfTxs", "1")
    _add(payment, "CtrlSum", amount)
    _add(payment, "ReqdExctnDt/Dt", order.execute_on.isoformat())
    _add_organization(SubElement(payment, "Dbtr"), order.payer)
    _add(payment, "DbtrAcct/Id/IBAN", order.payer.iban)
    _add(payment, "DbtrAgt/FinInstnId/BICFI", bank_of(order.payer.iban))
    transfer = SubElement(payment, "CdtTrfTxInf")
    _add(transfer, "PmtId/EndToEndId", order.end_to_end_id)
    _add(transfer, "Amt/InstdAmt", amount).set("Ccy", CURRENCY)
    _add(transfer, "CdtrAgt/FinInstnId/BICFI", bank_of(order.payee.iban))
    _add_organization(SubElement(transfer, "Cdtr"), order.payee)
    _add(transfer, "CdtrAcct/Id/IBAN", order.payee.iban)
    _add(transfer, "RmtInf/Ustrd", order.purpose)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    if error := next(order_schema().iter_errors(written), None):
        raise UnwritableError(f"invalid at {error.path}")  # its text quotes the content
    return written


def bank_of(iban: str) -> str:
    """The BIC of the bank that keeps this account."""
    bic = IBAN(iban).bic
    if bic is None:
        raise UnwritableError("no bank has this code")
    return str(bic)


def read_report(document: str) -> Report:
    """Read what the bank sent about one order.

    Raises:
        UnreadableError: it is half, foreign, contradicts itself, or says what we do not know.
    """
    if len(document) > REPORT_LENGTH_MAX:
        raise UnreadableError("too long")
    try:
        root: Element = fromstring(document.encode(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise UnreadableError(type(error).__name__) from None  # its text may quote the content
    if not _REPORT_ROOT.fullmatch(root.tag):
        raise UnreadableError("another document")
    namespace = root.tag.removesuffix("Document")
    group = _only(root, namespace, "CstmrPmtStsRpt/OrgnlGrpInfAndSts")
    if group is None:
        raise UnreadableError("about no order")
    transfer = _only(root, namespace, "CstmrPmtStsRpt/OrgnlPmtInfAndSts/TxInfAndSts")
    payment = _only(root, namespace, "CstmrPmtStsRpt/OrgnlPmtInfAndSts")
    # The most exact word of the bank is the one about the transfer itself.
    told = [
        (part, status)
        for part, name in ((transfer, "TxSts"), (payment, "PmtInfSts"), (group, "GrpSts"))
        if part is not None and (status := _text(part, namespace, name))
    ]
    if not told or told[0][1] not in _OUTCOMES:
        raise UnreadableError("no status that we know")
    part, status = told[0]
    msg_id = _id(_text(group, namespace, "OrgnlMsgId"))
    if msg_id is None:
        raise UnreadableError("no id of a message")
    return Report(
        msg_id=msg_id,
        end_to_end_id=None if transfer is None else _id(_text(transfer, namespace, "OrgnlEndToEndId")),
        status=status,
        outcome=_OUTCOMES[status],
        reason=_reason(part, namespace),
    )


def _reason(part: Element, namespace: str) -> str | None:
    reasons = part.findall(_path(namespace, "StsRsnInf/Rsn/Cd"))
    codes = [found.text for found in reasons if found.text and _REASON.fullmatch(found.text)]
    return codes[0] if codes else None


def _only(root: Element, namespace: str, path: str) -> Element | None:
    found = root.findall(_path(namespace, path))
    if len(found) > 1:
        raise UnreadableError("about several orders")
    return found[0] if found else None


def _text(part: Element, namespace: str, path: str) -> str | None:
    found = _only(part, namespace, path)
    return found.text.strip() if found is not None and found.text else None


def _id(text: str | None) -> str | None:
    if text is not None and len(text) > ID_LENGTH_MAX:
        raise UnreadableError("an id that is too long")
    return text


def _path(namespace: str, path: str) -> str:
    return "/".join(f"{namespace}{step}" for step in path.split("/"))


def _add(parent: Element, path: str, text: str) -> Element:
    """The text at the end of a path of new elements; the last of them."""
    for step in path.split("/"):
        parent = SubElement(parent, step)
    parent.text = text
    return parent


def _add_organization(parent: Element, party: Party) -> None:
    _add(parent, "Nm", party.name)
    identification = SubElement(SubElement(SubElement(parent, "Id"), "OrgId"), "Othr")
    _add(identification, "Id", party.bin)
    _add(identification, "SchmeNm/Prtry", "BIN")


@cache
def order_schema() -> "XMLSchema":
    """Read once, in a second: the schema of ISO 20022, as sepaxml ships it."""
    from xmlschema import XMLSchema  # noqa: PLC0415 - a quarter of that second, and few processes write orders

    return XMLSchema(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd"))
