"""A fund's month: what there was, what moved, what is left; and its lock, by two persons.

A lock includes all months before its own. What is posted for a locked month later (a late revision) counts in
the month of its posting, and says which month it corrects: a report that two persons agreed on never changes.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from shared import clock
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction
from shared.errors import ConflictError
from shared.events.envelope import Month
from shared.security import Principal
from shared.settled import UNKNOWN, Settled
from wallet.domain.accounts import ASSETS, Kind
from wallet.repository.ledger import months
from wallet.repository.ledger.balances import AsOf, Moved
from wallet.repository.ledger.months import MonthMoved
from wallet.usecases.ledger import visible_fund
from wallet.usecases.ledger.balances import by_kind
from wallet.usecases.plans import Plan

LOOKS_MAX = 100
LOOK_SECONDS = 0.02
"""A batch takes some hundredths of a second to be written."""

MOVEMENTS: Final[Mapping[tuple[Kind, Kind], str]] = {
    (Kind.BANK, Kind.FUND): "deposited",
    (Kind.FUND, Kind.ALLOTMENT): "allotted",
    (Kind.ALLOTMENT, Kind.FUND): "given_back",
    (Kind.ALLOTMENT, Kind.PAYABLE): "captured",
    (Kind.PAYABLE, Kind.ALLOTMENT): "refunded",
    (Kind.ALLOTMENT, Kind.RETURNED): "expired",
    (Kind.PAYABLE, Kind.PAYOUT): "sent",
    (Kind.PAYOUT, Kind.PAYABLE): "bounced",
    (Kind.PAYOUT, Kind.BANK): "paid",
    (Kind.RECEIVABLE, Kind.CLAIMED): "claimed",
    (Kind.CLAIMED, Kind.RECEIVABLE): "claim_withdrawn",
    (Kind.BANK, Kind.RECEIVABLE): "repaid",
    (Kind.PAYABLE, Kind.RECEIVABLE): "netted",
    (Kind.CLAIMED, Kind.FUND): "recovered",
    (Kind.RETURNED, Kind.FUND): "restored",
    (Kind.RETURNED, Kind.BANK): "returned",
    (Kind.FUND, Kind.BANK): "returned",
}
"""What it is called when money goes from one account (debited) to another (credited)."""
CORRECTED: Final = "corrected"
"""By two persons, between whatever accounts."""
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """All accounts of one kind, in a month. Opening and what came in, less what went out, is closing."""

    kind: Kind
    opening_tiyn: int
    in_tiyn: int
    out_tiyn: int
    closing_tiyn: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What operations moved from one place to another, in a month."""

    name: str
    debited: Kind
    credited: Kind
    corrects_month: str | None
    operations: int
    amount_tiyn: int


@dataclass(frozen=True, slots=True)
class Report:
    """A month of a fund. Holds are told beside: to reserve moves nothing between accounts."""

    places: Sequence[Place]
    movements: Sequence[Movement]
    holds: int
    held_tiyn: int


@dataclass(frozen=True, slots=True)
class MonthReport:
    """The report as it is now, or as it was locked; with the lock that includes the month."""

    report: Report
    lock: dict[str, Any] | None


class MonthToLock(Plan):
    """Which month of which fund, with all before it."""

    fund_id: UUID
    month: Month


async def report_month(tx: Transaction, principal: Principal, fund_id: UUID, month: str) -> MonthReport:
    """For those who oversee the fund."""
    fund = await visible_fund(tx, principal, fund_id)
    lock = await months.find_lock(tx, fund["number"], month)
    if lock is not None and lock["month"] == month:
        return MonthReport(_read(lock["report"]), lock)
    return MonthReport(await derive(tx, fund["number"], month), lock)


async def derive(
    tx: Transaction, fund_number: int, month: str, *, last_batch_id: int | None = None
) -> Report:
    """From the postings, up to a batch if one is named."""
    first, after = clock.first_day(month), clock.first_day(clock.next_month(month))
    begins_at, ends_at = clock.civil_moment(first), clock.civil_moment(after)
    until = AsOf(effective_on=after - timedelta(days=1), batch_id=last_batch_id)
    opening, moved = await months.moved(tx, fund_number, begins_at, until)
    held = await months.held(tx, fund_number, begins_at, ends_at)
    return Report(_places(opening, moved), _movements(moved), held["holds"], held["amount_tiyn"])


def _places(before: Iterable[Moved], moved: Iterable[MonthMoved]) -> list[Place]:
    within = by_kind(Moved(one.debited, one.credited, one.amount_tiyn) for one in moved)
    places = []
    for opening, month in zip(by_kind(before), within, strict=True):
        came, went = month.credited_tiyn, month.debited_tiyn
        if month.kind in ASSETS:
            came, went = went, came
        closing = opening.balance_tiyn + came - went
        places.append(Place(month.kind, opening.balance_tiyn, came, went, closing))
    return places


def _movements(moved: Iterable[MonthMoved]) -> list[Movement]:
    return [
        Movement(
            movement_of(one.operation, one.debited, one.credited),
            one.debited,
            one.credited,
            one.corrects_month,
            one.operations,
            one.amount_tiyn,
        )
        for one in moved
    ]


def movement_of(operation: str, debited: Kind, credited: Kind) -> str:
    """What it is called when an operation of this kind moves money this way."""
    return CORRECTED if operation == "correct" else MOVEMENTS.get((debited, credited), OTHER)


def _read(written: Mapping[str, Any]) -> Report:
    return Report(
        [Place(**{**one, "kind": Kind(one["kind"])}) for one in written["places"]],
        [
            Movement(**{**one, "debited": Kind(one["debited"]), "credited": Kind(one["credited"])})
            for one in written["movements"]
        ],
        written["holds"],
        written["held_tiyn"],
    )


async def propose_lock(tx: Transaction, principal: Principal, wanted: MonthToLock) -> Proposal:
    """One who oversees the fund proposes; another, of its region, approves."""
    fund = await visible_fund(tx, principal, wanted.fund_id)
    await _check(tx, fund["number"], wanted.month)
    return await propose(tx, principal, MONTH_LOCK, wanted, scope_id=fund["region_id"])


async def _check(tx: Transaction, fund_number: int, month: str) -> None:
    """From the second day after it on: until then something posted in its last seconds may be on its way."""
    if clock.civil_date(tx.now) <= clock.first_day(clock.next_month(month)):
        raise ConflictError("month_not_over")
    if await months.find_lock(tx, fund_number, month) is not None:
        raise ConflictError("month_locked")


async def _lock(tx: Transaction, proposal: Proposal, wanted: MonthToLock) -> UUID:
    number = await months.lock_fund(tx, wanted.fund_id)
    await _check(tx, number, wanted.month)
    last_batch_id = await settled_batch(tx)
    report = await derive(tx, number, wanted.month, last_batch_id=last_batch_id)
    await months.insert_lock(
        tx,
        {
            "fund_number": number,
            "month": wanted.month,
            "last_batch_id": last_batch_id,
            "proposal_id": proposal.id,
            "proposed_by": proposal.proposed_by,
            "approved_by": proposal.decided_by,
            "locked_at": tx.now,
            "report": asdict(report),
        },
    )
    return wanted.fund_id


async def settled_batch(tx: Transaction) -> int:
    """A batch up to which all are committed or never will be: writers are waited for, nobody is stopped."""
    driver, settled = await tx.driver(), Settled("batches")
    for _ in range(LOOKS_MAX):
        await settled.look(driver)
        if settled.up_to != UNKNOWN:
            return settled.up_to
        await asyncio.sleep(LOOK_SECONDS)
    raise ConflictError("ledger_busy")


MONTH_LOCK = ApprovalKind("month_lock", MonthToLock, ("administrator", "auditor"), _lock)
