"""Takes back what is free of an allotment: its day is over, or the child has not used it for too long."""

from datetime import timedelta

from wallet.domain.accounts import Account, Balance, Kind
from wallet.domain.books import Books, fund_account
from wallet.domain.operations import Declined, Expire, Expired, Result
from wallet.domain.programs import Fund, Mode


def expire(books: Books, command: Expire) -> Result:
    """To what is returned, if the day is over; to the fund and so to the next child, if nobody used it.

    What is held stays: a hold outlives the day, and what comes back of it later goes on by itself.
    """
    fund = books.snapshot.funds.get(command.fund_id)
    if fund is None or fund.mode is not Mode.AHEAD:
        return Declined("fund_not_found", 0)
    allotment = Account(Kind.ALLOTMENT, fund.id, command.child_id, command.expires_on)
    balance = books.balances.get(allotment)
    if balance is None or not balance.free:
        return Declined("nothing_free", 0)
    free = balance.free
    if command.expires_on < books.today:
        books.move(command.id, allotment, Account(Kind.RETURNED, fund.id), free)
        return Expired(free)
    if not _unused(books, fund, balance):
        return Declined("still_in_use", 0)
    books.move(command.id, allotment, fund_account(fund.id), free)
    balance.given_back = True
    return Expired(free)


def _unused(books: Books, fund: Fund, balance: Balance) -> bool:
    """Nothing is held of it, and nothing was moved or held for as long as a child may be away."""
    if balance.held or balance.moved_on is None:
        return False
    away = timedelta(books.snapshot.programs[fund.program_id].restore_days_on(books.today))
    return balance.moved_on + away <= books.today
