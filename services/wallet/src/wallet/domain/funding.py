"""Who pays for a month: the programs that may, in their order, and the money of their funds."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.books import Books, fund_account
from wallet.domain.holds import FrozenRules, Layer, Terms
from wallet.domain.operations import Declined, HoldMonth
from wallet.domain.programs import Entitlement, Mode, Program, Rules

# How far a program came before it had to say no: of several, the farthest is the reason worth telling.
_REASONS = (
    "not_entitled",
    "program_not_running",
    "direction_not_paid",
    "clubs_limit_reached",
    "price_above_rate",
    "over_year_cap",
    "over_month_cap",
)


class Payer(NamedTuple):
    """A program that may pay, by the rules in force and the child's coefficient."""

    program: Program
    rules: Rules
    coefficient_percent: int


class Need(NamedTuple):
    """What is to be paid: the amount, for lessons from the first to the last of these days."""

    command: HoldMonth
    amount_tiyn: int
    first: date
    last: date


class _Purse(NamedTuple):
    """Money a program can spend on the child, sorted in the order in which it is spent."""

    place: int
    program_id: UUID
    expires_on: date
    fund_id: UUID
    account: Account
    available_tiyn: int


class Funding(NamedTuple):
    """The layers that pay a need, and the rules of the programs they come from."""

    layers: tuple[Layer, ...]
    rules: tuple[FrozenRules, ...]


def find_funding(books: Books, need: Need) -> Funding | Declined:
    """The layers that pay the whole need, or why not. Changes nothing."""
    payers = _find_payers(books, need)
    if isinstance(payers, Declined):
        return payers
    programs = [payer.program for payer in payers]
    layers, left = _fill(_purses(books, need.command.child_id, need.last, programs), need.amount_tiyn)
    if left:
        return Declined("no_money", left)
    paying = {layer.program_id for layer in layers}
    rules = tuple(
        FrozenRules(
            payer.program.id,
            payer.rules.version,
            payer.rules.evidence,
            payer.rules.charge,
            payer.coefficient_percent,
        )
        for payer in payers
        if payer.program.id in paying
    )
    return Funding(tuple(layers), rules)


def find_more(
    books: Books, child_id: UUID, terms: Terms, amount_tiyn: int, days: Sequence[date]
) -> tuple[Layer, ...]:
    """As much of a later difference as the programs of these terms still pay, for lessons of these days.

    What the terms settled (direction, price, how many clubs) is not asked again.
    """
    first, last = min(days), max(days)
    agreed = {rules.program_id for rules in terms.rules}
    programs = {
        program.id: program
        for one in books.snapshot.entitlements.get(child_id, ())
        if one.program_id in agreed and one.starts_on <= first <= last <= one.until
        if (program := books.snapshot.programs.get(one.program_id))
        and program.starts_on <= first <= last <= program.ends_on
    }
    layers, _ = _fill(_purses(books, child_id, last, programs.values()), amount_tiyn)
    return tuple(layers)


def _fill(purses: Iterable[_Purse], amount_tiyn: int) -> tuple[list[Layer], int]:
    """Take the amount from the purses in their order; and what none of them has."""
    layers: list[Layer] = []
    for purse in sorted(purses):
        part = min(purse.available_tiyn, amount_tiyn)
        if part > 0:
            layers.append(Layer(purse.account, purse.program_id, part))
            amount_tiyn -= part
    return layers, amount_tiyn


def _find_payers(books: Books, need: Need) -> list[Payer] | Declined:
    payers: dict[UUID, Payer] = {}
    reached, missing = 0, need.amount_tiyn
    for entitlement in books.snapshot.entitlements.get(need.command.child_id, ()):
        verdict = _judge(books, need, entitlement)
        if isinstance(verdict, Payer):
            payers[verdict.program.id] = verdict
            continue
        stage = _REASONS.index(verdict.code)
        if stage > reached or (stage == reached and verdict.missing_tiyn < missing):
            reached, missing = stage, verdict.missing_tiyn
    if not payers:
        return Declined(_REASONS[reached], missing)
    return sorted(payers.values(), key=lambda payer: (payer.program.place, payer.program.id))


def _judge(books: Books, need: Need, entitlement: Entitlement) -> Payer | Declined:
    """Whether this entitlement lets its program pay; every lesson's day counts, not today."""
    command = need.command
    if not entitlement.starts_on <= need.first <= need.last <= entitlement.until:
        return Declined("not_entitled", need.amount_tiyn)
    program = books.snapshot.programs.get(entitlement.program_id)
    rules = program.rules_on(need.first, need.last) if program else None
    if program is None or rules is None:
        return Declined("program_not_running", need.amount_tiyn)
    if rules.directions and command.direction not in rules.directions:
        return Declined("direction_not_paid", need.amount_tiyn)
    clubs = sum(
        any(layer.program_id == program.id for layer in hold.layers)
        for hold in books.held_months.get((command.child_id, command.month), ())
    )
    if clubs >= rules.clubs_per_child_max:
        return Declined("clubs_limit_reached", need.amount_tiyn)
    payer = Payer(program, rules, entitlement.coefficient_percent)
    ceiling = rules.rate_on(need.first, books.snapshot.mrp) * payer.coefficient_percent // 100
    if command.price_tiyn > ceiling:
        return Declined("price_above_rate", command.price_tiyn - ceiling)
    return _over_cap(books, need, payer) or payer


def _over_cap(books: Books, need: Need, payer: Payer) -> Declined | None:
    """Whether the program would pay more for the child, over all its enrollments, than it pays at most.

    The coefficient raises caps as it raises the rate. A year is the calendar's, as budgets are.
    """
    month, rules = need.command.month, payer.rules
    year = [f"{month[:4]}-{number:02}" for number in range(1, 13)]
    caps = ("over_year_cap", rules.year_cap_tiyn, year), ("over_month_cap", rules.month_cap_tiyn, [month])
    for code, cap_tiyn, months in caps:
        if cap_tiyn is not None:
            used = sum(books.used.get((need.command.child_id, payer.program.id, one), 0) for one in months)
            over = used + need.amount_tiyn - cap_tiyn * payer.coefficient_percent // 100
            if over > 0:
                return Declined(code, over)
    return None


def _purses(books: Books, child_id: UUID, last: date, programs: Iterable[Program]) -> list[_Purse]:
    """All money that may pay lessons until the last one: allotments, and what `on_hold` funds have free."""
    purses: list[_Purse] = []
    for program in programs:
        for fund in books.funds_by_program.get(program.id, ()):
            if fund.mode is Mode.ON_HOLD and fund.last_capture_on >= last:
                account = Account(Kind.ALLOTMENT, fund.id, child_id, fund.last_capture_on)
                available = books.free(fund_account(fund.id))
                purses.append(
                    _Purse(program.place, program.id, fund.last_capture_on, fund.id, account, available)
                )
        for account in books.allotments.get(child_id, ()):
            allotting = books.snapshot.funds[account.fund_id]
            expires_on = account.expires_on or allotting.last_capture_on
            if (
                allotting.mode is Mode.AHEAD
                and allotting.program_id == program.id
                and min(expires_on, allotting.last_capture_on) >= last
            ):
                available = books.free(account)
                purses.append(_Purse(program.place, program.id, expires_on, allotting.id, account, available))
    return purses
