"""The one function that decides money: a snapshot, commands in their order and a day in; what to write out.

A batch is decided exactly as its commands would be one by one. A command that cannot be done never touches
its neighbors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.approved import beside_budget, decide_approved
from wallet.domain.books import Books, fund_account, open_books
from wallet.domain.capturing import charge_month
from wallet.domain.expiring import expire
from wallet.domain.funding import Need, find_funding
from wallet.domain.holds import Hold, Terms, cost, covered, earlier
from wallet.domain.operations import (
    Allot,
    Allotted,
    Bounce,
    Charge,
    Command,
    Correct,
    Declined,
    Deposit,
    Deposited,
    Expire,
    Held,
    HoldMonth,
    Mismatched,
    OfEnrollment,
    PayOut,
    Recover,
    Reduce,
    Release,
    Released,
    Result,
    Return,
    Settle,
    Share,
    Unready,
    child_of,
)
from wallet.domain.orders import decide_order
from wallet.domain.programs import Mode
from wallet.domain.recording import Operation, Recorded, digest, repeated
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Snapshot


@dataclass(frozen=True, slots=True)
class Decision:
    """One result for each command, and the books to be written."""

    results: list[Result]
    books: Books


def decide(snapshot: Snapshot, commands: Sequence[Command], today: date) -> Decision:
    """Decide a batch. Pure: the same input always gives the same decision."""
    books = open_books(snapshot, today)
    return Decision([_decide_one(books, command) for command in commands], books)


def _decide_one(books: Books, command: Command) -> Result:
    fingerprint = digest(command)
    before = books.recorded.get(command.identity) or books.snapshot.recorded.get(command.identity)
    if before is not None:
        return before.result if before.digest == fingerprint else Mismatched(command.identity)
    result = _perform(books, command)
    if not isinstance(result, Mismatched | Unready):
        books.recorded[command.identity] = Recorded(fingerprint, repeated(result))
        books.operations.append(
            Operation(command.id, command.identity, fingerprint, child_of(command), result)
        )
    return result


def _perform(books: Books, command: Command) -> Result:
    match command:
        case Deposit():
            return _deposit(books, command)
        case Allot():
            return _allot(books, command)
        case Expire():
            return expire(books, command)
        case Return() | Recover() | Correct():
            return decide_approved(books, command)
        case PayOut() | Settle() | Bounce():
            return decide_order(books, command)
        case _:
            return _perform_for_enrollment(books, command)


def _perform_for_enrollment(books: Books, command: OfEnrollment) -> Result:
    enrollment = _enrollment(books, command.enrollment_id, command.child_id)
    if enrollment.child_id != command.child_id:
        return Mismatched(command.identity)
    match command:
        case HoldMonth():
            return _hold(books, command, enrollment)
        case Reduce():
            return _reduce(books, command, enrollment)
        case Release():
            return _release(books, command, enrollment)
        case Charge():
            return charge_month(books, command, enrollment)


def _deposit(books: Books, command: Deposit) -> Result:
    fund = books.snapshot.funds.get(command.fund_id)
    if fund is None:
        return Declined("fund_not_found", command.amount_tiyn)
    bank = Account(Kind.BANK, fund.id)
    received = books.balances[bank].debited if bank in books.balances else 0
    received -= beside_budget(books, fund.id)
    if received + command.amount_tiyn > fund.budget_tiyn:
        return Declined("over_budget", received + command.amount_tiyn - fund.budget_tiyn)
    books.move(command.id, bank, fund_account(fund.id), command.amount_tiyn)
    return Deposited(command.id, command.amount_tiyn)


def _allot(books: Books, command: Allot) -> Result:
    fund = books.snapshot.funds.get(command.fund_id)
    if fund is None or fund.mode is not Mode.AHEAD:
        return Declined("fund_not_found", command.amount_tiyn)
    entitled = any(
        entitlement.program_id == fund.program_id and entitlement.until >= books.today
        for entitlement in books.snapshot.entitlements.get(command.child_id, ())
    )
    if not entitled:
        return Declined("not_entitled", command.amount_tiyn)
    if not books.today <= command.expires_on <= fund.last_capture_on:
        return Declined("until_outside_fund", 0)
    allotment = Account(Kind.ALLOTMENT, fund.id, command.child_id, command.expires_on)
    known = books.balances.get(allotment)
    if known is not None and not known.given_back:
        return Declined("already_allotted", 0)
    free = books.free(fund_account(fund.id))
    if free < command.amount_tiyn:
        return Declined("no_money", command.amount_tiyn - free)
    books.move(command.id, fund_account(fund.id), allotment, command.amount_tiyn)
    return Allotted(command.amount_tiyn)


def _hold(books: Books, command: HoldMonth, enrollment: EnrollmentEnd) -> Result:
    books.enrollments.setdefault(command.enrollment_id, enrollment)
    month = books.month(command.enrollment_id, command.month)
    if month is not None and month.state == "charged":
        return Declined("month_closed", 0)  # what became of the month stays what it is
    hold = books.holds.get(command.enrollment_id, {}).get(command.month)
    if hold is None:
        made = _make_hold(books, command, enrollment)
        if isinstance(made, Declined):
            answer = MonthAnswer(command.child_id, command.attempt, "declined", made.code, made.missing_tiyn)
            books.answer(command.enrollment_id, command.month, answer)
            return made
        hold, terms = made
        books.open_hold(hold, terms)
    # A later attempt finds the month already held: what is held stands.
    answer = MonthAnswer(command.child_id, command.attempt, "held", hold_id=hold.id)
    books.answer(command.enrollment_id, command.month, answer)
    shares = tuple(Share(layer.program_id, layer.account.fund_id, layer.amount_tiyn) for layer in hold.layers)
    return Held(hold.id, hold.amount_tiyn, shares)


def _make_hold(books: Books, command: HoldMonth, enrollment: EnrollmentEnd) -> tuple[Hold, Terms] | Declined:
    until = earlier(command.covers_until, enrollment.ends_on)
    lessons = covered(command.lessons, command.covers_from, until)
    amount = cost(command.price_tiyn, len(lessons), len(command.lessons)) if lessons else 0
    if enrollment.released or not amount:  # a hold of nothing has nobody who pays, and nothing to charge
        return Declined("month_closed", 0)
    days = [lesson.on for lesson in lessons]
    funding = find_funding(books, Need(command, amount, min(days), max(days)))
    if isinstance(funding, Declined):
        return funding
    terms = Terms(
        provider_id=command.provider_id,
        group_id=command.group_id,
        direction=command.direction,
        price_tiyn=command.price_tiyn,
        lessons=command.lessons,
        covers_from=command.covers_from,
        covers_until=until,
        rules=funding.rules,
    )
    hold = Hold(
        id=command.id,
        child_id=command.child_id,
        enrollment_id=command.enrollment_id,
        month=command.month,
        attempt=command.attempt,
        layers=funding.layers,
    )
    return hold, terms


def _reduce(books: Books, command: Reduce, enrollment: EnrollmentEnd) -> Result:
    """A second end may only be earlier; of a later one nothing comes."""
    if enrollment.ends_on is not None and enrollment.ends_on <= command.on:
        return Released(0)
    books.enrollments[command.enrollment_id] = enrollment._replace(ends_on=command.on)
    released = 0
    for hold in _uncharged(books, command.enrollment_id):
        terms = books.terms_of(hold.id)
        lessons = covered(terms.lessons, terms.covers_from, earlier(terms.covers_until, command.on))
        if not lessons:
            released += _give_back(books, command, hold, "ended")
            continue
        keep = cost(terms.price_tiyn, len(lessons), len(terms.lessons))
        released += books.shrink_hold(command.id, hold, keep)
    return Released(released)


def _release(books: Books, command: Release, enrollment: EnrollmentEnd) -> Result:
    books.enrollments[command.enrollment_id] = enrollment._replace(released=True)
    holds = _uncharged(books, command.enrollment_id)
    return Released(sum(_give_back(books, command, hold, command.reason) for hold in holds))


def _uncharged(books: Books, enrollment_id: UUID) -> list[Hold]:
    """The open ones whose months have not been charged: from then on the facts decide, and nothing else."""
    holds = books.holds.get(enrollment_id, {}).values()
    months = [(hold, books.month(enrollment_id, hold.month)) for hold in holds]
    return [hold for hold, month in months if month is None or month.state != "charged"]


def _give_back(books: Books, command: Reduce | Release, hold: Hold, reason: str) -> int:
    answer = MonthAnswer(hold.child_id, hold.attempt, "released", reason, hold_id=hold.id)
    books.answer(hold.enrollment_id, hold.month, answer)
    return books.close_hold(command.id, hold)


def _enrollment(books: Books, enrollment_id: UUID, child_id: UUID) -> EnrollmentEnd:
    """What is remembered of the enrollment; one never heard of belongs to the child of the first request."""
    return (
        books.enrollments.get(enrollment_id)
        or books.snapshot.enrollments.get(enrollment_id)
        or EnrollmentEnd(child_id)
    )
