"""Makes what is captured for a month what its lessons cost by the latest facts.

A dispute moves no captured money: only what is decided moves. What is captured beyond the cost is frozen.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from wallet.domain.books import Books
from wallet.domain.charging import Verdicts, charge
from wallet.domain.facts import Facts
from wallet.domain.funding import find_more
from wallet.domain.holds import Hold, Terms
from wallet.domain.items import PAID, UNPAID, Change, Entry, Item, Stage
from wallet.domain.lowering import lower
from wallet.domain.operations import Charge, Charged, Mismatched, Result, Superseded, Unready
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer
from wallet.domain.working_days import due_day


def charge_month(books: Books, command: Charge, enrollment: EnrollmentEnd) -> Result:
    """Capture, keep held, release, give or claim back: whatever the difference to the last revision is."""
    month = books.month(command.enrollment_id, command.month)
    if month is None:
        if not _never_asked_for(enrollment, command.facts):
            return Unready("funding_requested")
        month = MonthAnswer(command.child_id, 0, "released", "month_closed")
    if command.revision <= month.revision:
        return Superseded()
    if month.code is not None or month.hold_id is None:
        return _note(books, command, month, Charged(command.id, 0, 0, 0, 0, frozen=False, code=month.code))
    terms = books.terms_of(month.hold_id)
    if terms.provider_id != command.provider_id:
        return Mismatched(command.identity)
    case = _Case(books, command, month, terms, charge(terms, command.facts))
    return _note(books, command, month, _charge_held(case))


def _never_asked_for(enrollment: EnrollmentEnd, facts: Facts) -> bool:
    """No money will be asked for the month any more: all its lessons come after the enrollment's end.

    Clubs makes such a sheet if it hears of the end only after the month's windows.
    """
    end = enrollment.ends_on
    return enrollment.released or (end is not None and all(lesson.on >= end for _, lesson in facts.lessons))


@dataclass(frozen=True, slots=True)
class _Case:
    """One month with a hold, before its charge."""

    books: Books
    command: Charge
    month: MonthAnswer
    terms: Terms
    verdicts: Verdicts

    @property
    def open_hold(self) -> Hold | None:
        return self.books.holds.get(self.command.enrollment_id, {}).get(self.command.month)

    @property
    def items(self) -> list[Item]:
        return self.books.items_of_month(self.command.enrollment_id, self.command.month)


def _charge_held(case: _Case) -> Charged:
    cost, at_most = case.verdicts.cost_tiyn, case.verdicts.at_most_tiyn
    before = case.month.captured_tiyn
    target = min(max(before, cost), at_most)
    captured, changes = target, []
    if target > before:
        captured = before + _capture(case, target - before)
    elif target < before:
        changes = lower(case.books, case.command.id, case.items, before - target)
    disputed = _keep_held(case, at_most - target)
    _let_fall_due(case)
    frozen = captured > cost
    changes += _freeze(case, frozen=frozen)
    return Charged(
        operation_id=case.command.id,
        amount_tiyn=captured,
        cost_tiyn=cost,
        disputed_tiyn=disputed,
        uncovered_tiyn=max(cost - captured, 0),
        frozen=frozen,
        code=None,
        verdicts=case.verdicts.lessons,
        changes=tuple(changes),
    )


def _note(books: Books, command: Charge, month: MonthAnswer, charged: Charged) -> Charged:
    """Keep the month's amounts, and the charge itself for ever."""
    answer = month._replace(
        state="charged",
        revision=command.revision,
        captured_tiyn=charged.amount_tiyn,
        disputed_tiyn=charged.disputed_tiyn,
        uncovered_tiyn=charged.uncovered_tiyn,
        frozen=charged.frozen,
    )
    books.answer(command.enrollment_id, command.month, answer)
    books.charges.append((command, charged))
    return charged


def _capture(case: _Case, amount: int) -> int:
    """From what is held, then from what else may pay these lessons. Returns how much there was."""
    by_fund: dict[UUID, int] = {}
    if case.open_hold is not None:
        by_fund = case.books.capture(case.command.id, case.open_hold, amount, case.terms.provider_id)
    left = amount - sum(by_fund.values())
    if left:
        for fund_id, part in _raise(case, left).items():
            by_fund[fund_id] = by_fund.get(fund_id, 0) + part
    for place, (fund_id, part) in enumerate(by_fund.items()):
        item = _item(case, fund_id, place, part)
        case.books.add_item(item)
        case.books.entries.append(Entry(item.id, case.command.id, "capture", part))
    return sum(by_fund.values())


def _raise(case: _Case, amount: int) -> dict[UUID, int]:
    """Hold and capture in one operation, by a hold that is closed when it is written.

    Another hold of the month may be open for a disputed lesson: this one never stands beside it.
    """
    command = case.command
    days = [one.on for one in case.verdicts.lessons if one.verdict == "counts"]
    layers = find_more(case.books, command.child_id, case.terms, amount, days)
    if not layers:
        return {}
    hold = Hold(
        id=command.id,
        child_id=command.child_id,
        enrollment_id=command.enrollment_id,
        month=command.month,
        attempt=case.month.attempt,
        layers=layers,
        open=False,
    )
    case.books.open_hold(hold, case.terms)
    return case.books.capture(command.id, hold, amount, case.terms.provider_id)


def _item(case: _Case, fund_id: UUID, place: int, amount: int) -> Item:
    program_id = case.books.snapshot.funds[fund_id].program_id
    rules = next(one for one in case.terms.rules if one.program_id == program_id)
    return Item(
        # One operation makes few items: their ids differ in the last bits, and stay in the order of time.
        id=UUID(int=case.command.id.int ^ (place + 1)),
        child_id=case.command.child_id,
        enrollment_id=case.command.enrollment_id,
        month=case.command.month,
        revision=case.command.revision,
        provider_id=case.terms.provider_id,
        group_id=case.terms.group_id,
        fund_id=fund_id,
        place=place,
        charged_tiyn=amount,
        amount_tiyn=amount,
        due_on=due_day(case.command.month, rules.charge["due_on_day"], case.books.today),
    )


def _keep_held(case: _Case, keep: int) -> int:
    """Release what no dispute can still cost; with nothing left the hold closes. Returns what stays held."""
    hold = case.open_hold
    if hold is None:
        return 0
    kept = min(keep, hold.remaining_tiyn)
    if kept:
        case.books.shrink_hold(case.command.id, hold, kept)
    else:
        case.books.close_hold(case.command.id, hold)
    return kept


def _let_fall_due(case: _Case) -> None:
    """The provider signed these very facts: everything up to their revision is due."""
    command = case.command
    signed = case.books.snapshot.signatures.get((command.enrollment_id, command.month), frozenset())
    if (command.revision, command.digest) in signed:
        for item in case.items:
            if item.stage is Stage.CHARGED:
                case.books.change_item(replace(item, stage=Stage.DUE))


def _freeze(case: _Case, *, frozen: bool) -> list[Change]:
    """Stop what has not left, or let it go on; of what left before, a claim is told once."""
    changes: list[Change] = []
    for item in case.items:
        if item.frozen and not frozen:
            going_on = replace(item, frozen=False)
            case.books.change_item(going_on)
            changes.append(Change("unfrozen", going_on, item.amount_tiyn))
        elif frozen and item.stage in UNPAID and not item.frozen:
            changes += _stop(case.books, item)
        elif frozen and not case.month.frozen and item.stage in PAID and item.owed_tiyn:
            changes.append(Change("claim_opened", item, item.owed_tiyn))
    return changes


def _stop(books: Books, item: Item) -> list[Change]:
    """Freeze an item that has not left; out of an order that waits, first."""
    stopped = replace(item, frozen=True)
    changes: list[Change] = []
    if item.stage is Stage.IN_RUN:
        changes.append(Change("taken_out", item, item.amount_tiyn, item.payout_id))
        stopped = replace(stopped, stage=Stage.DUE, payout_id=None)
    books.change_item(stopped)
    return [*changes, Change("frozen", stopped, stopped.amount_tiyn)]
