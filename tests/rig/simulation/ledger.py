"""Storage of the wallet: what a batch is decided on, and what it writes.

A snapshot holds more than the real one, which is read as narrowly as a batch allows: that too little is read
or locked is not to be seen here. Which items a signature lets fall due stands in the wallet's SQL; that one
rule is said again here (`write_signatures`).
"""
# ruff: noqa: ARG001 - a stand-in takes what it stands for takes

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from rig.simulation.replacing import instead_of
from rig.simulation.store import Store, store_behind, store_of
from shared.database import Transaction
from wallet.domain.accounts import ASSETS, Account, Balance, Kind
from wallet.domain.books import Books
from wallet.domain.holds import Hold
from wallet.domain.items import Item, Stage
from wallet.domain.operations import Bounce, Charge, Command, PayOut, Settle, child_of
from wallet.domain.recording import Recorded, repeated
from wallet.domain.snapshot import Snapshot
from wallet.repository import postings, programs, projections, replays, signatures, snapshots
from wallet.repository.numbers import Numbers
from wallet.repository.payers import Driver
from wallet.repository.programs import FundRow
from wallet.repository.signatures import ProviderMonth
from wallet.repository.snapshots import Read

MonthKey = tuple[UUID, str]


class OverdrawnError(AssertionError):
    """An account would owe less than nothing."""


@instead_of(snapshots.read_snapshot)
async def read_snapshot(driver: Driver, commands: Sequence[Command], *, lock: bool) -> Read:
    store = store_behind(driver)
    orders = {one.payout_id for one in commands if isinstance(one, PayOut | Settle | Bounce)}
    items: dict[UUID, Item] = store.rows("items")
    children = {child for one in commands if (child := child_of(one))}
    children |= {one.child_id for one in items.values() if one.payout_id in orders}
    holds = [one for one in store.rows("holds").values() if one.child_id in children]
    months = {key: one for key, one in store.rows("months").items() if one.child_id in children}
    entitlements = store.rows("entitlements")
    recorded = store.rows("operations")
    snapshot = Snapshot(
        programs=store.rows("programs"),
        funds=store.rows("funds"),
        entitlements={child: entitlements.get(child, ()) for child in children},
        mrp=(),
        balances={
            account: Balance(*sums)
            for account, sums in store.rows("accounts").items()
            if account.child_id is None or account.child_id in children
        },
        holds=sorted(holds, key=lambda hold: hold.id),
        used={},
        terms=store.rows("terms"),
        enrollments=store.rows("enrollments"),
        months=months,
        items=[one for one in items.values() if one.child_id in children or one.payout_id in orders],
        signatures=_signed(store, months),
        recorded={one.identity: recorded[one.identity] for one in commands if one.identity in recorded},
        beside_budget={},
        moved={},
        bank_references=frozenset(),
    )
    return Read(snapshot, Numbers())


def _signed(store: Store, months: Collection[MonthKey]) -> Mapping[MonthKey, frozenset[tuple[int, str]]]:
    found: dict[MonthKey, set[tuple[int, str]]] = {}
    for enrollment_id, month, revision, digest in store.rows("signed_revisions"):
        if (enrollment_id, month) in months:
            found.setdefault((enrollment_id, month), set()).add((revision, digest))
    return {key: frozenset(signed) for key, signed in found.items()}


@instead_of(postings.write_books)
async def write_books(driver: Driver, books: Books, numbers: Numbers, posted_at: datetime) -> None:
    store = store_behind(driver)
    for one in books.operations:
        if one.identity in store.rows("operations"):
            raise OverdrawnError(f"{one.identity} is written twice")
        store.put("operations", one.identity, Recorded(one.digest, repeated(one.result)))
    for posting in books.postings:
        store.put("postings", store.number(), posting)
    _write_balances(store, books)
    _write_holds(store, books)
    for id_, end in books.enrollments.items():
        store.put("enrollments", id_, end)
    for key, answer in books.months.items():
        store.put("months", key, answer)
    for command, charged in books.charges:
        store.put("charges", (command.enrollment_id, command.month, command.revision), (command, charged))
    for id_ in books.created_items | books.changed_items:
        store.put("items", id_, books.items[id_])
    for entry in books.entries:
        store.put("entries", store.number(), entry)


def _write_balances(store: Store, books: Books) -> None:
    for account, delta in books.deltas.items():
        before = store.rows("accounts").get(account, (0, 0, 0))
        after = (before[0] + delta.credited, before[1] + delta.debited, before[2] + delta.held)
        free = Balance(*after).free
        if account.kind not in ASSETS and (free < 0 or after[2] < 0):
            raise OverdrawnError(f"{account} has {after}")
        store.put("accounts", account, after)


def _write_holds(store: Store, books: Books) -> None:
    holds: dict[UUID, Hold] = store.rows("holds")
    for hold in books.created.values():
        standing = any(
            one.open and (one.enrollment_id, one.month) == (hold.enrollment_id, hold.month)
            for one in holds.values()
        )
        if hold.open and standing:
            raise OverdrawnError(f"two open holds of {hold.enrollment_id} for {hold.month}")
        store.put("terms", hold.id, books.terms[hold.id])
        store.put("holds", hold.id, hold)
    for hold in books.changed.values():
        store.put("holds", hold.id, hold)


@instead_of(replays.keep_facts)
async def keep_facts(driver: Driver, charges: Collection[Charge]) -> None:
    """Nobody prices a month again here."""


@instead_of(signatures.lock_to_sign)
async def lock_to_sign(driver: Driver, months: Iterable[ProviderMonth]) -> None:
    """One transaction at a time."""


@instead_of(signatures.write_signatures)
async def write_signatures(driver: Driver, rows: Collection[tuple[Any, ...]]) -> list[UUID]:
    store = store_behind(driver)
    charges, promoted = store.rows("charges"), []
    for enrollment_id, month, revision, digest, provider_id, *_ in rows:
        store.put("signed_revisions", (enrollment_id, month, revision, digest), provider_id)
        charge = charges.get((enrollment_id, month, revision))
        if charge is None or charge[0].digest != digest:
            continue
        for item in list(store.rows("items").values()):
            mine = (item.enrollment_id, item.month, item.provider_id) == (enrollment_id, month, provider_id)
            if mine and item.stage is Stage.CHARGED and revision >= item.revision:
                store.put("items", item.id, replace(item, stage=Stage.DUE))
                promoted.append(item.id)
    return promoted


@instead_of(signatures.mismatches)
async def mismatches(driver: Driver, months: Collection[MonthKey]) -> list[tuple[UUID, str, int]]:
    store = store_behind(driver)
    charges = store.rows("charges")
    return [
        (enrollment_id, month, revision)
        for enrollment_id, month, revision, digest in store.rows("signed_revisions")
        if (enrollment_id, month) in months
        and (charge := charges.get((enrollment_id, month, revision)))
        and charge[0].digest != digest
    ]


@instead_of(projections.apply_group)
async def apply_group(tx: Transaction, row: Mapping[str, Any]) -> None:
    """For quotes only, which nobody asks for here."""


@instead_of(projections.apply_group_month)
async def apply_group_month(tx: Transaction, row: Mapping[str, Any]) -> None:
    """For quotes only."""


@instead_of(programs.find_fund)
async def find_fund(tx: Transaction, fund_id: UUID) -> FundRow | None:
    found: FundRow | None = store_of(tx).rows("fund_rows").get(fund_id)
    return found


def total(store: Store, kind: Kind, fund_id: UUID) -> Balance:
    """The sums of all accounts of a kind of a fund."""
    found = [
        sums
        for account, sums in store.rows("accounts").items()
        if isinstance(account, Account) and account.kind is kind and account.fund_id == fund_id
    ]
    return Balance(*(sum(column) for column in zip(*found, strict=True))) if found else Balance()
