"""What two persons agreed on: money back to the budget, repaid by a provider, or put where it belongs."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.books import Books, fund_account
from wallet.domain.items import Entry, Item
from wallet.domain.lowering import claim_accounts
from wallet.domain.operations import (
    Approved,
    Correct,
    Corrected,
    Declined,
    Recover,
    Recovered,
    Result,
    Return,
    Returned,
)
from wallet.domain.programs import Fund, Mode
from wallet.domain.snapshot import Moved

CORRECTIONS: Final = frozenset(
    {
        (Kind.RETURNED, Kind.FUND),
        (Kind.FUND, Kind.RETURNED),
        (Kind.ALLOTMENT, Kind.FUND),
        (Kind.FUND, Kind.ALLOTMENT),
        (Kind.FUND, Kind.BANK),
        (Kind.BANK, Kind.RETURNED),
    }
)
"""Debit and credit. The last two: a deposit that was none, a return that the bank did not carry out.

Accounts of providers and orders are what their items are, and change only by facts and by the bank's word.
"""

_DEPOSIT: Final = [Kind.BANK, Kind.FUND]
_TO_THE_BUDGET: Final = ([Kind.RETURNED, Kind.BANK], [Kind.FUND, Kind.BANK])


def decide_approved(books: Books, command: Approved) -> Result:
    """Do what was agreed, or say why it cannot be done any more."""
    fund = books.snapshot.funds.get(command.fund_id)
    if fund is None:
        return Declined("fund_not_found", command.amount_tiyn)
    if not isinstance(command, Correct) and _stands_already(books, command):
        return Declined("bank_reference_used", 0)
    result = _perform(books, command, fund)
    if not isinstance(result, Declined):
        books.approved.append(command)
    return result


def _perform(books: Books, command: Approved, fund: Fund) -> Returned | Recovered | Corrected | Declined:
    match command:
        case Return():
            return _return(books, command, fund)
        case Recover():
            return _recover(books, command)
        case Correct():
            return _correct(books, command, fund)


def beside_budget(books: Books, fund_id: UUID) -> int:
    """What of the bank's debit is no deposit: repaid, come back, or a deposit that was none."""
    before = books.snapshot.beside_budget.get(fund_id, 0)
    return before + sum(
        one.amount_tiyn
        for one in books.approved
        if one.fund_id == fund_id
        and (isinstance(one, Recover) or (isinstance(one, Correct) and Kind.BANK in {one.debit, one.credit}))
    )


def _stands_already(books: Books, command: Return | Recover) -> bool:
    """One line of the bank is entered once."""
    return (command.fund_id, command.bank_reference) in books.snapshot.bank_references or any(
        not isinstance(one, Correct)
        and (one.fund_id, one.bank_reference) == (command.fund_id, command.bank_reference)
        for one in books.approved
    )


def _return(books: Books, command: Return, fund: Fund) -> Returned | Declined:
    if command.source is Kind.FUND and fund.last_capture_on >= books.today:
        return Declined("fund_not_over", 0)
    source = Account(command.source, fund.id)
    if (missing := command.amount_tiyn - books.free(source)) > 0:
        return Declined("not_enough_there", missing)
    books.move(command.id, source, Account(Kind.BANK, fund.id), command.amount_tiyn)
    return Returned(command.id, command.amount_tiyn)


def _recover(books: Books, command: Recover) -> Recovered | Declined:
    """The oldest claims are repaid first."""
    owing = _owing(books.items.values(), command)
    missing = command.amount_tiyn - sum(item.recoverable_tiyn for item in owing)
    if missing > 0:
        return Declined("more_than_claimed", missing)
    left = command.amount_tiyn
    for item in owing:
        part = min(item.recoverable_tiyn, left)
        if part:
            left -= part
            books.entries.append(Entry(item.id, command.id, "recover", part))
            books.change_item(replace(item, recovered_tiyn=item.recovered_tiyn + part))
    receivable, claimed = claim_accounts(owing[0])
    books.move(command.id, Account(Kind.BANK, command.fund_id), receivable, command.amount_tiyn)
    books.move(command.id, claimed, fund_account(command.fund_id), command.amount_tiyn)
    return Recovered(command.id, command.amount_tiyn)


def _owing(items: Iterable[Item], command: Recover) -> list[Item]:
    mine = (command.fund_id, command.provider_id)
    found = (one for one in items if (one.fund_id, one.provider_id) == mine and one.recoverable_tiyn)
    return sorted(found, key=lambda item: item.id)


def _correct(books: Books, command: Correct, fund: Fund) -> Corrected | Declined:
    if (command.debit, command.credit) not in CORRECTIONS:
        return Declined("correction_not_allowed", 0)
    moved = _moved(books, command)
    if not moved.amount_tiyn:
        return Declined("operation_unknown", 0)
    trouble = _allotment_trouble(books, command, fund)
    if trouble is not None:
        return trouble
    if (beyond := command.amount_tiyn - _correctable(command, moved)) > 0:
        return Declined("beyond_operation", beyond)
    debit, credit = _account(command, command.debit), _account(command, command.credit)
    missing = command.amount_tiyn - books.free(debit) if command.debit is not Kind.BANK else 0
    if missing > 0:
        return Declined("not_enough_there", missing)
    books.move(command.id, debit, credit, command.amount_tiyn)
    return Corrected(command.id, command.amount_tiyn)


def _account(command: Correct, kind: Kind) -> Account:
    if kind is Kind.ALLOTMENT:
        return Account(kind, command.fund_id, command.child_id, command.expires_on)
    return Account(kind, command.fund_id)


def _allotment_trouble(books: Books, command: Correct, fund: Fund) -> Declined | None:
    """Only one that is there, of a fund that allots; and nothing goes into one whose day is over."""
    if Kind.ALLOTMENT not in {command.debit, command.credit}:
        return None
    allotment = _account(command, Kind.ALLOTMENT)
    if fund.mode is not Mode.AHEAD or allotment not in books.balances:
        return Declined("allotment_unknown", 0)
    over = allotment.expires_on is None or allotment.expires_on < books.today
    return Declined("allotment_over", 0) if command.credit is Kind.ALLOTMENT and over else None


def _correctable(command: Correct, moved: Moved) -> int:
    """No more than the operation moved; to and from the bank no more than it moved there, the other way."""
    if command.credit is Kind.BANK:
        return moved.deposited_tiyn - moved.corrected_tiyn
    if command.debit is Kind.BANK:
        return moved.returned_tiyn - moved.corrected_tiyn
    return moved.amount_tiyn - moved.corrected_tiyn


def _moved(books: Books, command: Correct) -> Moved:
    """What the operation moved, with what this batch has done."""
    before = books.snapshot.moved.get((command.corrects, command.fund_id), Moved())
    ways = [
        (one.debit.kind, one.credit.kind, one.amount_tiyn)
        for one in books.postings
        if one.operation_id == command.corrects and one.debit.fund_id == command.fund_id
    ]
    return Moved(
        before.amount_tiyn + sum(amount for *_, amount in ways),
        before.deposited_tiyn + sum(amount for *way, amount in ways if way == _DEPOSIT),
        before.returned_tiyn + sum(amount for *way, amount in ways if way in _TO_THE_BUDGET),
        before.corrected_tiyn
        + sum(
            one.amount_tiyn
            for one in books.approved
            if isinstance(one, Correct) and (one.corrects, one.fund_id) == (command.corrects, command.fund_id)
        ),
    )
