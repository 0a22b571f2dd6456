"""Walking the money for auditors and administrators: from a bank order back, from an enrollment forward.

Only reads. What the marks behind a lesson were is not known here: clubs tells it to whoever asks both.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from shared.database import Transaction
from shared.errors import NotFoundError
from shared.security import Principal
from wallet.repository.traces import items, orders

DEPOSITS_SHOWN = 100
AGREED_SHOWN = 100
CHARGES_SHOWN = 20
"""Of one month, the latest: each dispute makes another."""

Link: TypeAlias = dict[str, Any]
"""One link of a trace, with what hangs on it."""


@dataclass(frozen=True, slots=True)
class PayoutTrace:
    """One bank order and what led to it. Of its items one more than asked for, if there are more."""

    payout: Link
    fund: Link
    deposits: Sequence[Link]
    items: Sequence[Link]


@dataclass(frozen=True, slots=True)
class EnrollmentTrace:
    """One enrollment and what became of it. Of its months one more than asked for, if there are more."""

    enrollment: Link
    months: Sequence[Link]
    funds: Sequence[Link]


@dataclass(frozen=True, slots=True)
class FundTrace:
    """One budget line and where its money is. Of its orders one more than asked for, if there are more."""

    fund: Link
    totals: Link
    deposits: Sequence[Link]
    agreed: Sequence[Link]
    payouts: Sequence[Link]


async def trace_payout(
    tx: Transaction, principal: Principal, payout_id: UUID, *, after: UUID | None, limit: int
) -> PayoutTrace:
    """From the order back to the budget line."""
    scopes = _scopes(principal)
    order = await orders.find_order(tx, payout_id, scopes)
    fund = order and await orders.find_fund(tx, order["fund_id"], scopes)
    if order is None or fund is None:
        raise NotFoundError
    (order,) = await _with_reports(tx, [order])
    ordered = await items.items_of_order(tx, payout_id, after=after, limit=limit)
    amounts = {row["item_id"]: row["amount_tiyn"] for row in ordered}
    found = {item["item_id"]: item for item in await _items(tx, amounts)}
    of_order = [{**found[id_], "amount_tiyn": amount} for id_, amount in amounts.items()]
    deposits = await orders.deposits(tx, fund["id"], limit=DEPOSITS_SHOWN)
    return PayoutTrace(order, fund, deposits, await _with_charges(tx, of_order))


async def trace_enrollment(
    tx: Transaction, principal: Principal, enrollment_id: UUID, *, after: str | None, limit: int
) -> EnrollmentTrace:
    """Month by month, from the answer to the bank's."""
    enrollment = await items.find_enrollment(tx, enrollment_id, _scopes(principal))
    if enrollment is None:
        raise NotFoundError
    months = await items.months(tx, enrollment_id, after=after, limit=limit)
    of = [row["month"] for row in months]
    owed = _by("month", await _items(tx, await items.items_of_months(tx, enrollment_id, of)))
    charges = await items.latest_charges(tx, enrollment_id, of, of_each=CHARGES_SHOWN)
    holds = await items.holds(tx, [(enrollment["child_id"], enrollment_id, month) for month in of])
    payouts = await _payouts_of(tx, owed)
    told = [
        {
            **row,
            "holds": _by("month", holds)[row["month"]],
            "charges": _by("month", charges)[row["month"]],
            "items": owed[row["month"]],
            "payouts": payouts[row["month"]],
        }
        for row in months
    ]
    paying = {layer["fund_id"] for hold in holds for layer in hold["layers"]}
    return EnrollmentTrace(enrollment, told, await orders.fund_names(tx, paying))


async def trace_fund(
    tx: Transaction, principal: Principal, fund_id: UUID, *, after: UUID | None, limit: int
) -> FundTrace:
    """From the budget line to its orders."""
    fund = await orders.find_fund(tx, fund_id, _scopes(principal))
    if fund is None:
        raise NotFoundError
    paying = await orders.orders_of_fund(tx, fund_id, after=after, limit=limit)
    return FundTrace(
        fund=fund,
        totals=await orders.totals(tx, fund_id, fund["number"]),
        deposits=await orders.deposits(tx, fund_id, limit=DEPOSITS_SHOWN),
        agreed=await orders.agreed(tx, fund_id, limit=AGREED_SHOWN),
        payouts=await _with_reports(tx, paying),
    )


def _scopes(principal: Principal) -> Collection[UUID]:
    principal.require("administrator", "auditor")
    return principal.scopes("administrator", "auditor")


def _by(key: str, rows: Sequence[Link]) -> Mapping[Any, list[Link]]:
    found: defaultdict[Any, list[Link]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


async def _with_reports(tx: Transaction, rows: Sequence[Link]) -> list[Link]:
    """The orders, each with what the bank said of it."""
    said = _by("payout_id", await orders.reports(tx, [order["id"] for order in rows]))
    return [{**order, "reports": said[order["id"]]} for order in rows]


async def _items(tx: Transaction, item_ids: Collection[UUID]) -> list[Link]:
    """Each item with what was done with it, whose signature made it due, and where its money came from."""
    rows = await items.items(tx, item_ids)
    entries = _by("item_id", await items.entries(tx, item_ids))
    captures = _by("item_id", await items.captures(tx, item_ids))
    signatures = {row["item_id"]: row for row in await items.signatures(tx, item_ids)}
    return [
        {
            **row,
            "entries": entries[row["item_id"]],
            "captures": captures[row["item_id"]],
            "signature": signatures.get(row["item_id"]),
        }
        for row in rows
    ]


async def _with_charges(tx: Transaction, owed: list[Link]) -> list[Link]:
    """The items with the charge that made each, the latest if that is another, and the holds of the month."""
    charges = {
        (row["enrollment_id"], row["month"], row["revision"]): row
        for row in await items.charges_of_items(tx, owed)
    }
    latest = {(enrollment_id, month): row for (enrollment_id, month, _), row in charges.items()}
    months = {(item["child_id"], item["enrollment_id"], item["month"]) for item in owed}
    holds: defaultdict[tuple[UUID, str], list[Link]] = defaultdict(list)
    for hold in await items.holds(tx, months):
        holds[hold["enrollment_id"], hold["month"]].append(hold)
    return [
        {
            **item,
            "charge": charges[item["enrollment_id"], item["month"], item["revision"]],
            "latest_charge": _unless_same(item, latest[item["enrollment_id"], item["month"]]),
            "holds": holds[item["enrollment_id"], item["month"]],
        }
        for item in owed
    ]


def _unless_same(item: Link, charge: Link) -> Link | None:
    return charge if charge["revision"] > item["revision"] else None


async def _payouts_of(tx: Transaction, owed: Mapping[str, Sequence[Link]]) -> Mapping[str, list[Link]]:
    """By month: every order that its items were ever part of."""
    ordered = {
        month: {item["payout_id"] for item in of_month if item["payout_id"]}
        | {entry["payout_id"] for item in of_month for entry in item["entries"] if entry["payout_id"]}
        for month, of_month in owed.items()
    }
    wanted = {payout_id for ids in ordered.values() for payout_id in ids}
    told = await _with_reports(tx, await orders.orders(tx, wanted))
    found: defaultdict[str, list[Link]] = defaultdict(list)
    for month, ids in ordered.items():
        found[month] = [order for order in told if order["id"] in ids]
    return found
