"""Gives back what a month cost too much: of what is not paid first, and claims what is."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.books import Books
from wallet.domain.items import PAID, UNPAID, Change, Entry, Item, Stage


def lower(books: Books, operation_id: UUID, items: Sequence[Item], amount: int) -> list[Change]:
    """Lower a month by this amount: its funds in reverse, in each of them what is unpaid first.

    `items` are all of the month, the newest first.
    """
    changes: list[Change] = []
    for fund_id, of_fund in _by_fund(items, amount).items():
        left = of_fund
        for item in items:
            if item.fund_id == fund_id and item.stage in UNPAID and left:
                part = min(item.amount_tiyn, left)
                left -= part
                changes += refund(books, operation_id, item, part)
        for item in items:
            if item.fund_id == fund_id and item.stage in PAID and left:
                part = min(item.owed_tiyn, left)
                left -= part
                _claw_back(books, operation_id, item, part)
    return changes


def _by_fund(items: Sequence[Item], amount: int) -> dict[UUID, int]:
    """Which fund gets how much back: those that paid last come first."""
    by_fund: dict[UUID, int] = {}
    for item in items:
        part = min(item.owed_tiyn, amount)
        amount -= part
        by_fund[item.fund_id] = by_fund.get(item.fund_id, 0) + part
    return by_fund


def refund(books: Books, operation_id: UUID, item: Item, amount: int) -> list[Change]:
    """Owe so much less for an unpaid item. One that waits in an order leaves it."""
    changes: list[Change] = []
    books.refund(operation_id, item, amount)
    books.entries.append(Entry(item.id, operation_id, "refund", amount))
    smaller = replace(item, amount_tiyn=item.amount_tiyn - amount)
    if item.stage is Stage.IN_RUN:
        changes.append(Change("taken_out", item, item.amount_tiyn, item.payout_id))
        smaller = replace(smaller, stage=Stage.DUE, payout_id=None)
    if not smaller.amount_tiyn:
        if smaller.frozen:
            changes.append(Change("unfrozen", replace(smaller, frozen=False), 0))
        smaller = replace(smaller, stage=Stage.VOID, frozen=False)
    books.change_item(smaller)
    return changes


def _claw_back(books: Books, operation_id: UUID, item: Item, amount: int) -> None:
    if not amount:
        return
    receivable, claimed = claim_accounts(item)
    books.move(operation_id, receivable, claimed, amount)
    books.entries.append(Entry(item.id, operation_id, "claw_back", amount))
    books.change_item(replace(item, claimed_tiyn=item.claimed_tiyn + amount))


def claim_accounts(item: Item) -> tuple[Account, Account]:
    """What the provider owes back, and what the fund will have once it is repaid."""
    receivable = Account(Kind.RECEIVABLE, item.fund_id, owner_id=item.provider_id)
    return receivable, Account(Kind.CLAIMED, item.fund_id)
