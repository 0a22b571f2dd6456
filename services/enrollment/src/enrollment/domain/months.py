"""The set of months of a confirmed enrollment: which is asked for when, and what an answer does to it.

One request is open at a time. A yes lets the next be asked, months without money first; a no is never
followed by the same question, which waits for money, for the eve of the grace's end, or for nothing.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar
from uuid import UUID

from enrollment.domain.calendar import Circumstances, Plan, eve_moment, grace_end, next_due
from enrollment.domain.effects import Effect, FundingRequested, MonthUnfunded
from enrollment.domain.enrollment import Enrollment, Month, MonthState, State
from shared.clock import first_day

Asked = tuple[Enrollment, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class FundsHeld:
    """The wallet reserved the month's money; `program_id` is the first that pays."""

    name: ClassVar[str] = "funds_held"
    month: str
    attempt: int
    program_id: UUID


@dataclass(frozen=True, slots=True)
class FundsDeclined:
    name: ClassVar[str] = "funds_declined"
    month: str
    attempt: int
    code: str
    missing_tiyn: int


@dataclass(frozen=True, slots=True)
class MonthCharged:
    """The wallet settled what the month costs. `code` says why nothing, if no money was held for it."""

    name: ClassVar[str] = "month_charged"
    month: str
    code: str | None = None


def awaited(enrollment: Enrollment, answer: FundsHeld | FundsDeclined) -> Month | None:
    """The month this answers, if it is the answer waited for: not a late one, not a repeated one.

    A first month that is charged already still waits: only its answer confirms or rejects the enrollment.
    """
    month = enrollment.month(answer.month)
    if month is None or month.attempt != answer.attempt:
        return None
    waits = month.state is MonthState.ASKED or enrollment.state is State.FUNDING
    return month if waits else None


def held(enrollment: Enrollment, answer: FundsHeld) -> Enrollment | None:
    """With that month funded, if this is the answer waited for."""
    asked = awaited(enrollment, answer)
    if asked is None:
        return None
    if asked.state is MonthState.CHARGED:
        return enrollment
    return enrollment.with_month(Month(asked.month, MonthState.FUNDED, asked.attempt))


def charged(enrollment: Enrollment, month: str, code: str | None) -> Enrollment:
    """With that month over: nothing is asked for it any more. Months it does not have stay away.

    What was to be asked after it follows by its deadline.
    """
    found = enrollment.month(month)
    if found is None:
        return enrollment
    return enrollment.with_month(Month(month, MonthState.CHARGED, found.attempt, code))


def declined(
    enrollment: Enrollment, asked: Month, answer: FundsDeclined, circumstances: Circumstances
) -> Asked:
    """With that month unfunded. The first decline begins the grace and is told; later ones are not."""
    first = asked.grace_ends_on is None
    grace_ends_on = asked.grace_ends_on or _grace_end(asked.month, circumstances)
    unfunded = replace(
        asked,
        state=MonthState.UNFUNDED,
        code=answer.code,
        missing_tiyn=answer.missing_tiyn,
        grace_ends_on=grace_ends_on,
    )
    if _eve_has_come(unfunded, circumstances):
        unfunded = replace(unfunded, asked_on_eve=True)
    told = MonthUnfunded(asked.month, answer.code, answer.missing_tiyn, grace_ends_on)
    live = enrollment.state is State.CONFIRMED
    return enrollment.with_month(unfunded), (told,) if first and live else ()


def _grace_end(month: str, circumstances: Circumstances) -> date:
    if circumstances.days is None:
        return max(first_day(month), circumstances.today)
    return grace_end(month, circumstances.days, circumstances.today)


def ask_next(enrollment: Enrollment, circumstances: Circumstances) -> Asked:
    """Ask for the next month, if it is due, planned, and nothing else is being asked."""
    if enrollment.waits_for_an_answer:
        return enrollment, ()
    due = next_due(enrollment, circumstances)
    if due is None or not due.planned or due.at > circumstances.now:
        return enrollment, ()
    return _ask(enrollment, Month(due.month, MonthState.ASKED, attempt=1))


def ask_again(enrollment: Enrollment, circumstances: Circumstances, *, after: str = "") -> Asked:
    """Ask once more for the earliest month without money (after that one), as a new attempt."""
    without_money = (one for one in enrollment.months if one.state is MonthState.UNFUNDED)
    unfunded = next((one for one in without_money if one.month > after), None)
    if unfunded is None or enrollment.waits_for_an_answer:
        return enrollment, ()
    if not circumstances.plan.covered(unfunded.month, enrollment):  # its lessons were taken out of the plan
        return _without(enrollment, unfunded), ()
    eve = unfunded.asked_on_eve or _eve_has_come(unfunded, circumstances)
    again = replace(unfunded, state=MonthState.ASKED, attempt=unfunded.attempt + 1, asked_on_eve=eve)
    return _ask(enrollment, again)


def ask_after_yes(enrollment: Enrollment, circumstances: Circumstances) -> Asked:
    """There is money: ask for what is still unfunded, else for what is due."""
    if enrollment.state is State.CONFIRMED and enrollment.unfunded is not None:
        return ask_again(enrollment, circumstances)
    return ask_next(enrollment, circumstances)


def ask_after_no(enrollment: Enrollment, asked: Month, circumstances: Circumstances) -> Asked:
    """What money had come for is tried for the next month without any; else ask for what is due."""
    if enrollment.state is State.CONFIRMED and asked.attempt > 1:
        again, requests = ask_again(enrollment, circumstances, after=asked.month)
        if requests:
            return again, requests
    return ask_next(enrollment, circumstances)


def _without(enrollment: Enrollment, month: Month) -> Enrollment:
    return replace(enrollment, months=tuple(one for one in enrollment.months if one != month))


def until_its_end(enrollment: Enrollment, plan: Plan) -> Enrollment:
    """Without the months that have no lesson before its end: the wallet releases them."""
    return replace(
        enrollment, months=tuple(one for one in enrollment.months if plan.covered(one.month, enrollment))
    )


def _ask(enrollment: Enrollment, month: Month) -> Asked:
    return enrollment.with_month(month), (FundingRequested(month.month, month.attempt),)


def _eve_has_come(month: Month, circumstances: Circumstances) -> bool:
    eve = eve_moment(month)
    return eve is not None and circumstances.now >= eve
