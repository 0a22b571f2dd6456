"""What becomes of the items of an order: they leave for the bank, arrive, or come back."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.books import Books, payable_account
from wallet.domain.items import Change, Entry, EntryKind, Item, Stage
from wallet.domain.lowering import claim_accounts, refund
from wallet.domain.operations import (
    Bounce,
    Bounced,
    Declined,
    OfOrder,
    PaidOut,
    PayOut,
    Result,
    Settle,
    Settled,
)

_LEFT = frozenset({Stage.SUBMITTING, Stage.SENT})


def decide_order(books: Books, command: OfOrder) -> Result:
    """One step of an order, with all its items at once."""
    found = (item for item in books.items.values() if item.payout_id == command.payout_id)
    items = sorted(found, key=lambda item: item.id)
    if not items:
        return Declined("order_is_empty", 0)
    match command:
        case PayOut():
            return _pay_out(books, command, items)
        case Settle():
            return _settle(books, command, items)
        case Bounce():
            return _bounce(books, command, items)


def _pay_out(books: Books, command: PayOut, items: Sequence[Item]) -> Result:
    """The items leave. A frozen one never does: freezing takes it out of its order."""
    if any(item.stage is not Stage.IN_RUN for item in items):
        return Declined("order_not_ready", 0)
    amount = sum(item.amount_tiyn for item in items)
    books.move(command.id, payable_account(command.fund_id, command.provider_id), _account(command), amount)
    for item in items:
        _enter(books, command, "pay_out", item)
        books.change_item(replace(item, stage=Stage.SUBMITTING))
    return PaidOut(command.id, amount)


def _settle(books: Books, command: Settle, items: Sequence[Item]) -> Result:
    """The money left our account."""
    if not _all_left(items):
        return Declined("order_not_sent", 0)
    amount = sum(item.amount_tiyn for item in items)
    books.move(command.id, _account(command), Account(Kind.BANK, command.fund_id), amount)
    for item in items:
        _enter(books, command, "settle", item)
        books.change_item(replace(item, stage=Stage.SETTLED))
    return Settled(command.id, amount)


def _bounce(books: Books, command: Bounce, items: Sequence[Item]) -> Result:
    """The items are due again. What was claimed of them was never paid: it is given back instead."""
    if not _all_left(items):
        return Declined("order_not_sent", 0)
    amount = sum(item.amount_tiyn for item in items)
    books.move(command.id, _account(command), payable_account(command.fund_id, command.provider_id), amount)
    changes: list[Change] = []
    for item in items:
        _enter(books, command, "bounce", item)
        changes += _restore(books, command.id, item)
    return Bounced(command.id, amount, tuple(changes))


def _restore(books: Books, operation_id: UUID, item: Item) -> list[Change]:
    claimed = item.claimed_tiyn
    restored = replace(item, stage=Stage.DUE, payout_id=None, claimed_tiyn=0)
    books.change_item(restored)
    if claimed:
        receivable, claimed_account = claim_accounts(item)
        books.move(operation_id, claimed_account, receivable, claimed)
        books.entries.append(Entry(item.id, operation_id, "withdraw_claim", claimed))
        refund(books, operation_id, restored, claimed)
        restored = books.items[item.id]
    month = books.month(item.enrollment_id, item.month)
    if month is None or not month.frozen or restored.stage is Stage.VOID:
        return []
    restored = replace(restored, frozen=True)
    books.change_item(restored)
    return [Change("frozen", restored, restored.amount_tiyn)]


def _all_left(items: Sequence[Item]) -> bool:
    return all(item.stage in _LEFT for item in items)


def _account(command: OfOrder) -> Account:
    return Account(Kind.PAYOUT, command.fund_id, owner_id=command.payout_id)


def _enter(books: Books, command: OfOrder, kind: EntryKind, item: Item) -> None:
    books.entries.append(Entry(item.id, command.id, kind, item.amount_tiyn, command.payout_id))
