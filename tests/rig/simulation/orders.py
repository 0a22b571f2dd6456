"""Storage of the wallet: payout runs and the orders to the bank."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any
from uuid import UUID

from rig.simulation.replacing import instead_of
from rig.simulation.store import Store, store_of
from shared.database import Transaction
from wallet.domain.bank_messages import Party
from wallet.domain.items import Item, Stage
from wallet.domain.payouts import FINAL, Ordered, OrderedItem, State
from wallet.repository import payout_runs, payouts, recoveries
from wallet.repository.payout_runs import PROPOSED, DueItem, PayoutRun
from wallet.repository.payouts import Payout

PAYEE = Party("Club", "050140000018", "KZ75125KZT1001300335")


def _items_of(store: Store, payout_ids: Collection[UUID]) -> list[Item]:
    found = [one for one in store.rows("items").values() if one.payout_id in payout_ids]
    return sorted(found, key=lambda item: item.id)


@instead_of(recoveries.is_recovering)
async def is_recovering(tx: Transaction) -> bool:
    """Never: nothing is restored here."""
    return bool(store_of(tx).rows("recoveries"))


@instead_of(payout_runs.take_due)
async def take_due(tx: Transaction, fund_id: UUID, today: date) -> list[DueItem]:
    found = [
        one
        for one in store_of(tx).rows("items").values()
        if one.fund_id == fund_id and one.stage is Stage.DUE and not one.frozen and one.due_on <= today
    ]
    in_order = sorted(found, key=lambda item: (item.provider_id, item.id))
    return [DueItem(one.id, one.provider_id, one.amount_tiyn, PAYEE) for one in in_order]


@instead_of(payout_runs.insert_run)
async def insert_run(tx: Transaction, row: Mapping[str, Any]) -> None:
    store_of(tx).put("runs", row["id"], PayoutRun(**{"approved_by": None, "approved_at": None, **row}))


@instead_of(payout_runs.insert_orders)
async def insert_orders(
    tx: Transaction, rows: Sequence[Mapping[str, Any]], orders: Sequence[Ordered]
) -> None:
    store = store_of(tx)
    none = dict.fromkeys(("code", "submitted_at", "sent_at", "answered_at", "final_at"))
    for row in rows:
        store.put("payouts", row["id"], Payout(**{"attempts": 0, **none, **row}))
    for order in orders:
        for ordered in order.items:
            item = store.rows("items")[ordered.item_id]
            in_run = replace(item, stage=Stage.IN_RUN, payout_id=order.payout_id)
            store.put("items", item.id, in_run)


@instead_of(payout_runs.ordered_in)
async def ordered_in(tx: Transaction, run_id: UUID) -> list[Ordered]:
    store = store_of(tx)
    orders = [(one, _items_of(store, [one.id])) for one in await payouts_of(tx, run_id)]
    return [
        Ordered(one.id, one.payee, [OrderedItem(item.id, item.amount_tiyn) for item in items])
        for one, items in orders
        if items
    ]


@instead_of(payout_runs.find_run)
async def find_run(tx: Transaction, run_id: UUID) -> PayoutRun | None:
    found: PayoutRun | None = store_of(tx).rows("runs").get(run_id)
    return found


@instead_of(payout_runs.lock_runs)
async def lock_runs(tx: Transaction, run_ids: Collection[UUID]) -> list[PayoutRun]:
    rows = store_of(tx).rows("runs")
    return [rows[id_] for id_ in sorted(run_ids) if id_ in rows]


@instead_of(payout_runs.update_run)
async def update_run(tx: Transaction, run_id: UUID, **values: object) -> None:
    _update(store_of(tx), "runs", run_id, values)


def _update(store: Store, table: str, id_: UUID, values: Mapping[str, object]) -> None:
    row = store.rows(table)[id_]
    known = {field.name for field in fields(row)}  # the bytes of an order are in no value
    changed = {name: value for name, value in values.items() if name in known}
    store.put(table, id_, replace(row, version=row.version + 1, **changed))


@instead_of(payout_runs.next_turned_down)
async def next_turned_down(tx: Transaction) -> UUID | None:
    proposals = store_of(tx).rows("proposals")
    found = [
        run.id
        for run in store_of(tx).rows("runs").values()
        if run.state == PROPOSED
        and (one := proposals[run.proposal_id])
        and (one.state == "rejected" or (one.state == "open" and one.expires_at <= tx.now))
    ]
    return min(found, default=None)


@instead_of(payouts.lock_items_of)
async def lock_items_of(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    """One transaction at a time."""


@instead_of(payouts.put_back_items)
async def put_back_items(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    for item in _items_of(store_of(tx), payout_ids):
        if item.stage is Stage.IN_RUN:
            store_of(tx).put("items", item.id, replace(item, stage=Stage.DUE, payout_id=None))


@instead_of(payouts.mark_items_sent)
async def mark_items_sent(tx: Transaction, payout_id: UUID) -> None:
    for item in _items_of(store_of(tx), [payout_id]):
        if item.stage is Stage.SUBMITTING:
            store_of(tx).put("items", item.id, replace(item, stage=Stage.SENT))


@instead_of(payouts.find_payout)
async def find_payout(tx: Transaction, payout_id: UUID) -> Payout | None:
    found: Payout | None = store_of(tx).rows("payouts").get(payout_id)
    return found


@instead_of(payouts.months_of)
async def months_of(tx: Transaction, payout_id: UUID) -> Sequence[str]:
    items = store_of(tx).rows("items")
    entries = store_of(tx).rows("entries").values()
    return sorted({items[one.item_id].month for one in entries if one.payout_id == payout_id})


@instead_of(payouts.payouts_of)
async def payouts_of(tx: Transaction, run_id: UUID) -> list[Payout]:
    found = [one for one in store_of(tx).rows("payouts").values() if one.run_id == run_id]
    return sorted(found, key=lambda order: order.id)


@instead_of(payouts.lock_payouts)
async def lock_payouts(tx: Transaction, payout_ids: Collection[UUID]) -> list[Payout]:
    rows = store_of(tx).rows("payouts")
    return [rows[id_] for id_ in sorted(payout_ids) if id_ in rows]


@instead_of(payouts.update_payout)
async def update_payout(tx: Transaction, payout_id: UUID, **values: object) -> None:
    _update(store_of(tx), "payouts", payout_id, values)


@instead_of(payouts.recount)
async def recount(tx: Transaction, payout_id: UUID) -> int:
    items = _items_of(store_of(tx), [payout_id])
    if items:
        amount = sum(item.amount_tiyn for item in items)
        await update_payout(tx, payout_id, items=len(items), amount_tiyn=amount)
    else:
        await delete_payouts(tx, [payout_id])
    return len(items)


@instead_of(payouts.delete_payouts)
async def delete_payouts(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    rows = store_of(tx).rows("payouts")
    for id_ in payout_ids:
        if id_ in rows and rows[id_].state is State.PREPARED:
            store_of(tx).drop("payouts", id_)


@instead_of(payouts.note_approvers)
async def note_approvers(tx: Transaction, operation_id: UUID, run_id: UUID) -> None:
    store_of(tx).put("payout_approvers", operation_id, run_id)


@instead_of(payouts.next_prepared)
async def next_prepared(tx: Transaction, *, besides: Collection[UUID]) -> UUID | None:
    runs = store_of(tx).rows("runs")
    found = [
        one.id
        for one in store_of(tx).rows("payouts").values()
        if one.state is State.PREPARED and runs[one.run_id].state == "approved" and one.id not in besides
    ]
    return min(found, default=None)


@instead_of(payouts.abandon_submitting)
async def abandon_submitting(tx: Transaction) -> Sequence[UUID]:
    found = [one for one in store_of(tx).rows("payouts").values() if one.state is State.SUBMITTING]
    for one in found:
        await update_payout(tx, one.id, state=State.UNKNOWN)
    return [one.id for one in found]


@instead_of(payouts.at_the_bank)
async def at_the_bank(tx: Transaction) -> list[Payout]:
    there = {State.SENT, State.ACCEPTED, State.UNKNOWN} - FINAL
    found = [one for one in store_of(tx).rows("payouts").values() if one.state in there]
    return sorted(found, key=lambda order: order.id)


@instead_of(payouts.keep_report)
async def keep_report(
    tx: Transaction, payout_id: UUID, *, digest: bytes, status: str, code: str | None, contradicts: bool
) -> bool:
    key = payout_id, digest
    news = key not in store_of(tx).rows("bank_reports")
    store_of(tx).put("bank_reports", key, (status, code, contradicts))
    return news
