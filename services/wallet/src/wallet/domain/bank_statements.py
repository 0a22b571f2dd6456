"""What the bank paid on a day, read from its statement (`camt.053`), and which items an order was for.

Read as from a stranger, like its reports: no entities, and a statement that cannot be understood whole says
nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped] # ships no types
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types

from wallet.domain.bank_messages import CURRENCY, ID_LENGTH_MAX, UnreadableError
from wallet.domain.items import Item

_ROOT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.[0-9]{2}\}Document")
_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,2}))?")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PURPOSE = re.compile(rf"Order ({_UUID}): ([0-9]{{1,9}}) items from fund ({_UUID})")
_TEXT_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A payment that left our account on this day."""

    end_to_end_id: str
    day: date
    amount_tiyn: int
    iban: str
    purpose: str


class Purpose(NamedTuple):
    """What we wrote into an order about itself."""

    payout_id: UUID
    items: int
    fund_id: UUID

    @classmethod
    def of(cls, text: str) -> "Purpose | None":
        """None if we did not write this."""
        found = _PURPOSE.fullmatch(text)
        return cls(UUID(found[1]), int(found[2]), UUID(found[3])) if found else None

    @classmethod
    def written(cls, payout_id: UUID, items: int, fund_id: UUID) -> str:
        """As it stands in an order."""
        return f"Order {payout_id}: {items} items from fund {fund_id}"


def read_statement(document: bytes, day: date) -> list[Line]:
    """The payments of this day. Fees and what came in are left out: they have no id of ours.

    Raises:
        UnreadableError: it is half, foreign, of another day, or has a payment that says too little.
    """
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise UnreadableError(type(error).__name__) from None
    if not _ROOT.fullmatch(root.tag):
        raise UnreadableError("another document")
    namespace = root.tag.removesuffix("Document")
    return list(_lines(root, namespace, day))


def _lines(root: Element, namespace: str, day: date) -> Iterator[Line]:
    for entry in root.iter(f"{namespace}Ntry"):
        if _text(entry, namespace, "CdtDbtInd") != "DBIT" or _text(entry, namespace, "Sts/Cd") != "BOOK":
            continue
        transfers = entry.findall(_path(namespace, "NtryDtls/TxDtls"))
        ids = [_text(one, namespace, "Refs/EndToEndId") for one in transfers]
        if not any(ids):
            continue
        if len(transfers) != 1 or _text(entry, namespace, "BookgDt/Dt") != day.isoformat():
            raise UnreadableError("an entry of several payments, or of another day")
        yield _line(entry, transfers[0], namespace, day)


def _line(entry: Element, transfer: Element, namespace: str, day: date) -> Line:
    amount = entry.find(_path(namespace, "Amt"))
    told = _AMOUNT.fullmatch((amount.text or "").strip()) if amount is not None else None
    if amount is None or told is None or amount.get("Ccy") != CURRENCY:
        raise UnreadableError("no amount")
    end_to_end_id = _text(transfer, namespace, "Refs/EndToEndId")
    if len(end_to_end_id) > ID_LENGTH_MAX:
        raise UnreadableError("an id that is too long")
    return Line(
        end_to_end_id=end_to_end_id,
        day=day,
        amount_tiyn=int(told[1]) * 100 + int((told[2] or "").ljust(2, "0")),
        iban=_text(transfer, namespace, "RltdPties/CdtrAcct/Id/IBAN"),
        purpose=_text(transfer, namespace, "RmtInf/Ustrd"),
    )


def _text(part: Element, namespace: str, path: str) -> str:
    return part.findtext(_path(namespace, path), "").strip()[:_TEXT_LENGTH_MAX]


def _path(namespace: str, path: str) -> str:
    return "/".join(f"{namespace}{step}" for step in path.split("/"))


def items_of_line(items: Sequence[Item], line: Line, count: int) -> Sequence[Item] | None:
    """The items that a lost order was for, if there is no doubt: a run takes all that is due on its day.

    They are of one fund and one provider. None if these are not as many, or not as much.
    """
    due = [item for item in items if item.due_on <= line.day]
    same = len(due) == count and sum(item.amount_tiyn for item in due) == line.amount_tiyn
    return due if same else None
