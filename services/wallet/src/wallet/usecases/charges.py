"""Reading what a month costs and why, lesson by lesson; and when a provider gets it, and what holds it up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared import clock
from shared.database import Transaction
from shared.errors import NotFoundError
from shared.security import Principal
from wallet.domain.charging import PricedVerdict, price_in_parts
from wallet.domain.items import Stage
from wallet.repository import charges
from wallet.repository.frozen import read_verdicts


@dataclass(frozen=True, slots=True)
class ReadCharge:
    """The latest charge of a month, with the part of each lesson.

    Of a disputed lesson the part is what was captured for it before, or what is still held.
    """

    row: dict[str, Any]
    lessons: list[PricedVerdict]


@dataclass(frozen=True, slots=True)
class ReadItem:
    """What is owed, what it waits for (None: for nothing), and how late it is."""

    row: dict[str, Any]
    reason: str | None
    days_late: int


async def read_charge(tx: Transaction, principal: Principal, enrollment_id: UUID, month: str) -> ReadCharge:
    """For the child's guardians, the provider's directors, administrators and auditors."""
    row = await charges.find_charge(tx, principal, enrollment_id, month)
    if row is None:
        raise NotFoundError
    undisputed = min(row["captured_tiyn"], row["cost_tiyn"])
    disputed = row["captured_tiyn"] - undisputed + row["disputed_tiyn"]
    verdicts = read_verdicts(row["verdicts"])
    return ReadCharge(dict(row), price_in_parts(verdicts, cost_tiyn=undisputed, disputed_tiyn=disputed))


async def list_items(
    tx: Transaction, principal: Principal, provider_id: UUID, month: str, *, after: UUID | None, limit: int
) -> Sequence[ReadItem]:
    """For the provider's directors, administrators and auditors; for others the provider does not exist."""
    principal.require("director", "administrator", "auditor")
    if not principal.has("administrator", "auditor") and provider_id not in principal.scopes("director"):
        raise NotFoundError
    rows = await charges.items_of_provider(tx, provider_id, month, after=after, limit=limit)
    return [_read_item(dict(row), tx.now) for row in rows]


def _read_item(row: dict[str, Any], now: datetime) -> ReadItem:
    over = row["stage"] in (Stage.SETTLED, Stage.VOID)
    days_late = 0 if over else max((clock.civil_date(now) - row["due_on"]).days, 0)
    return ReadItem(row, _reason(row, now), days_late)


def _reason(row: dict[str, Any], now: datetime) -> str | None:
    """What it waits for next; a dispute outweighs everything else."""
    if row["frozen"]:
        return "frozen"
    if row["stage"] == Stage.DUE:
        return _why_not_paid(row, now)
    if row["stage"] == Stage.IN_RUN:
        return "waits_for_approval" if row["run_state"] == "proposed" else "waits_for_bank"
    return _WAITS_FOR.get(row["stage"])


def _why_not_paid(row: dict[str, Any], now: datetime) -> str:
    """No account, too early, too new an account, not sealed; otherwise only that nobody started a run."""
    if not row["has_payee"]:
        return "no_payee"
    if clock.civil_date(now) < row["due_on"]:
        return "not_due_yet"
    if row["payable_from"] is not None and now < row["payable_from"]:
        return "payee_is_new"
    return "not_sealed" if row["unsealed"] else "waits_for_run"


_WAITS_FOR = {
    Stage.CHARGED: "not_signed",
    Stage.SUBMITTING: "at_the_bank",
    Stage.SENT: "at_the_bank",
}
