"""What becomes of an enrollment when something happens: `decide`, pure and obedient to `matrix`."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import ClassVar
from uuid import UUID

from enrollment.domain import months
from enrollment.domain.calendar import Circumstances
from enrollment.domain.effects import Canceled, Confirmed, Effect, Ended, FundingRequested, Rejected
from enrollment.domain.enrollment import Enrollment, Month, MonthState, State
from enrollment.domain.matrix import MATRIX, Kind
from enrollment.domain.months import FundsDeclined, FundsHeld, MonthCharged

MONTH_CLOSED = "month_closed"


@dataclass(frozen=True, slots=True)
class SeatReserved:
    """Clubs keeps a seat. `obstacle` is what by now stands against it, `month` that of the first lesson."""

    name: ClassVar[str] = "seat_reserved"
    attempt: int
    starts_on: date
    month: str | None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class SeatQueued:
    name: ClassVar[str] = "seat_queued"
    attempt: int
    place: int


@dataclass(frozen=True, slots=True)
class SeatOffered:
    name: ClassVar[str] = "seat_offered"
    attempt: int
    offer_id: UUID
    until: datetime


@dataclass(frozen=True, slots=True)
class SeatRefused:
    name: ClassVar[str] = "seat_refused"
    attempt: int
    code: str


@dataclass(frozen=True, slots=True)
class SeatWithdrawn:
    name: ClassVar[str] = "seat_withdrawn"
    on: date
    code: str


@dataclass(frozen=True, slots=True)
class Cancel:
    name: ClassVar[str] = "cancel"


@dataclass(frozen=True, slots=True)
class End:
    name: ClassVar[str] = "end"
    on: date
    code: str


@dataclass(frozen=True, slots=True)
class MonthDue:
    name: ClassVar[str] = "month_due"


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Money may have come, or the grace nears its end: ask once more for a month without money."""

    name: ClassVar[str] = "ask_again"


@dataclass(frozen=True, slots=True)
class GraceOver:
    name: ClassVar[str] = "grace_over"


@dataclass(frozen=True, slots=True)
class LastDayOver:
    name: ClassVar[str] = "last_day_over"


Input = (
    SeatReserved | SeatQueued | SeatOffered | SeatRefused | SeatWithdrawn | FundsHeld | FundsDeclined
    | MonthCharged | Cancel | End | MonthDue | AskAgain | GraceOver | LastDayOver
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """The enrollment afterwards, and what the others must be told, in order."""

    enrollment: Enrollment
    effects: tuple[Effect, ...] = ()
    impossible: bool = False
    """It should not have happened: somebody is wrong. Ignored and counted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A person's command that the state of things does not allow."""

    code: str


Outcome = Decision | Refused


def decide(enrollment: Enrollment, event: Input, circumstances: Circumstances) -> Outcome:
    """What becomes of the enrollment. Never raises; whatever changes raises the version by one."""
    cell = MATRIX[event.name][enrollment.state]
    match cell.kind:
        case Kind.IGNORES:
            return Decision(enrollment)
        case Kind.IMPOSSIBLE | Kind.NOT_BUILT:
            return Decision(enrollment, impossible=True)
        case Kind.REFUSES:
            return Refused(next(iter(cell.refusals)))
        case Kind.ACTS:
            pass
    outcome = _act(enrollment, event, circumstances)
    if isinstance(outcome, Refused) or outcome.enrollment == enrollment:
        return outcome
    return replace(outcome, enrollment=replace(outcome.enrollment, version=enrollment.version + 1))


def _act(enrollment: Enrollment, event: Input, circumstances: Circumstances) -> Outcome:
    match event:
        case SeatWithdrawn():
            return _seat_withdrawn(enrollment, event, circumstances)
        case FundsHeld() | FundsDeclined() | MonthCharged():
            return _about_money(enrollment, event, circumstances)
        case Cancel() | End():
            return _commanded(enrollment, event, circumstances)
        case MonthDue() | AskAgain() | GraceOver() | LastDayOver():
            return _time_passed(enrollment, event, circumstances)
    return _seat_answered(enrollment, event)


def _commanded(enrollment: Enrollment, command: Cancel | End, circumstances: Circumstances) -> Outcome:
    match command:
        case Cancel():
            return Decision(_over(enrollment, State.CANCELED), (Canceled(),))
        case End():
            return _end(enrollment, command, circumstances)


def _time_passed(
    enrollment: Enrollment, event: MonthDue | AskAgain | GraceOver | LastDayOver, circumstances: Circumstances
) -> Decision:
    match event:
        case MonthDue():
            return Decision(*months.ask_next(enrollment, circumstances))
        case AskAgain():
            return Decision(*months.ask_again(enrollment, circumstances))
        case GraceOver():
            return _grace_over(enrollment, circumstances)
        case LastDayOver():
            return _last_day_over(enrollment, circumstances)


def _seat_answered(
    enrollment: Enrollment, answer: SeatReserved | SeatQueued | SeatOffered | SeatRefused
) -> Decision:
    if answer.attempt != enrollment.attempt:
        return Decision(enrollment)
    match answer:
        case SeatQueued():
            return Decision(replace(enrollment, state=State.QUEUED, place=answer.place))
        case SeatOffered():
            offered = replace(enrollment, state=State.OFFERED, place=None)
            return Decision(replace(offered, offer_id=answer.offer_id, offer_until=answer.until))
        case SeatRefused():
            return _reject(enrollment, answer.code)
        case SeatReserved():
            return _ask_first_month(enrollment, answer)


def _ask_first_month(enrollment: Enrollment, seat: SeatReserved) -> Decision:
    if seat.obstacle is not None:
        return _reject(enrollment, seat.obstacle)
    if seat.month is None:
        return _reject(enrollment, "group_has_no_lessons")
    seated = replace(
        _without_queue(enrollment),
        state=State.FUNDING,
        starts_on=seat.starts_on,
        months=(Month(seat.month, MonthState.ASKED, attempt=1),),
    )
    return Decision(seated, (FundingRequested(seat.month, attempt=1),))


def _seat_withdrawn(enrollment: Enrollment, event: SeatWithdrawn, circumstances: Circumstances) -> Decision:
    if enrollment.state is State.FUNDING:
        return _reject(enrollment, event.code)
    on = max(event.on, circumstances.today)
    if enrollment.ends_on is not None and enrollment.ends_on <= on:
        return Decision(enrollment)
    return _end_on(enrollment, on, event.code, circumstances)


def _about_money(
    enrollment: Enrollment, event: FundsHeld | FundsDeclined | MonthCharged, circumstances: Circumstances
) -> Decision:
    match event:
        case FundsHeld():
            return _held(enrollment, event, circumstances)
        case FundsDeclined():
            return _declined(enrollment, event, circumstances)
        case MonthCharged(month, code):
            return Decision(months.charged(enrollment, month, code))


def _held(enrollment: Enrollment, answer: FundsHeld, circumstances: Circumstances) -> Decision:
    funded = months.held(enrollment, answer)
    if funded is None:
        return Decision(enrollment)
    if enrollment.state is State.FUNDING:
        confirmed = replace(funded, state=State.CONFIRMED, program_id=answer.program_id)
        asked, requests = months.ask_next(confirmed, circumstances)
        return Decision(asked, (Confirmed(answer.month), *requests))
    return Decision(*months.ask_after_yes(funded, circumstances))


def _declined(enrollment: Enrollment, answer: FundsDeclined, circumstances: Circumstances) -> Decision:
    asked = months.awaited(enrollment, answer)
    if asked is None:
        return Decision(enrollment)
    if enrollment.state is State.FUNDING:
        return _reject(enrollment, answer.code, answer.missing_tiyn)
    if answer.code == MONTH_CLOSED:  # it has been charged already: there is nothing left to ask for
        return Decision(months.charged(enrollment, asked.month, asked.code))
    unfunded, effects = months.declined(enrollment, asked, answer, circumstances)
    next_asked, requests = months.ask_after_no(unfunded, asked, circumstances)
    return Decision(next_asked, (*effects, *requests))


def _end(enrollment: Enrollment, command: End, circumstances: Circumstances) -> Outcome:
    if command.on < circumstances.today:
        return Refused("ends_in_past")
    if enrollment.ends_on is not None and command.on > enrollment.ends_on:
        return Refused("ends_later_than_before")
    if command.on == enrollment.ends_on:
        return Decision(enrollment)
    return _end_on(enrollment, command.on, command.code, circumstances)


def _grace_over(enrollment: Enrollment, circumstances: Circumstances) -> Decision:
    unfunded = enrollment.unfunded
    if unfunded is None or unfunded.grace_ends_on is None or circumstances.today <= unfunded.grace_ends_on:
        return Decision(enrollment)
    on = max(unfunded.grace_ends_on + timedelta(days=1), circumstances.today)
    if enrollment.ends_on is not None and enrollment.ends_on <= on:
        return Decision(enrollment)
    return _end_on(enrollment, on, unfunded.code or "no_money", circumstances)


def _last_day_over(enrollment: Enrollment, circumstances: Circumstances) -> Decision:
    if enrollment.ends_on is None or circumstances.today < enrollment.ends_on:
        return Decision(enrollment)
    return Decision(replace(enrollment, state=State.ENDED))


def _end_on(enrollment: Enrollment, on: date, code: str, circumstances: Circumstances) -> Decision:
    """Told at once; the state follows when the day has come. Months without a lesson before it are let go."""
    state = State.ENDED if on <= circumstances.today else State.CONFIRMED
    ending = replace(enrollment, state=state, ends_on=on, code=code)
    return Decision(months.until_its_end(ending, circumstances.plan), (Ended(on, code),))


def _reject(enrollment: Enrollment, code: str, missing_tiyn: int | None = None) -> Decision:
    rejected = _over(enrollment, State.REJECTED)
    return Decision(
        replace(rejected, code=code, missing_tiyn=missing_tiyn),
        (Rejected(code, missing_tiyn),),
    )


def _over(enrollment: Enrollment, state: State) -> Enrollment:
    """Come to nothing before it was confirmed: the wallet gives back whatever was asked of it."""
    return replace(_without_queue(enrollment), state=state, months=())


def _without_queue(enrollment: Enrollment) -> Enrollment:
    return replace(enrollment, place=None, offer_id=None, offer_until=None)
