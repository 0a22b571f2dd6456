"""Events and deadlines as enrollment takes them: translated, nothing decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from enrollment import repository
from enrollment.domain.decider import Input, SeatOffered, SeatQueued, SeatRefused, SeatWithdrawn
from enrollment.domain.months import FundsDeclined, FundsHeld, MonthCharged
from enrollment.usecases import answers, calendar
from enrollment.usecases.answers import Seat
from enrollment.usecases.happenings import Happening
from enrollment.usecases.recalling import Asked
from shared.consumer import EventRouter, NotYet
from shared.database import Transaction
from shared.events import clubs, wallet
from shared.events.envelope import Envelope
from shared.security import Grant, describe_grant

router = EventRouter()


@router.on_batch(clubs.SeatReserved)
async def on_seats_reserved(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """Seats are kept: ask for money."""
    return await answers.reserve(tx, [_seat(tx, envelope) for envelope in envelopes])


def _seat(tx: Transaction, envelope: Envelope) -> Seat:
    event = cast(clubs.SeatReserved, envelope.event)
    return Seat(
        tx.caused_by(envelope),
        event.child_id,
        event.enrollment_id,
        event.group_id,
        event.attempt,
        event.starts_on,
    )


@router.on(clubs.SeatQueued, clubs.SeatOffered, clubs.SeatRefused, clubs.SeatWithdrawn)
async def on_seat_answer(tx: Transaction, envelope: Envelope) -> NotYet | None:
    """What else becomes of a seat."""
    event = cast(clubs.SeatEvent, envelope.event)
    happening = Happening(tx, event.enrollment_id, _seat_input(event), asked=_asked(tx, event))
    [answer] = await answers.take(tx, [happening])
    return answer


def _asked(tx: Transaction, event: clubs.SeatEvent) -> Asked | None:
    """What an answer tells of its request; a withdrawal is none."""
    match event:
        case clubs.SeatQueued() | clubs.SeatRefused():
            starts_on = None
        case clubs.SeatOffered():
            starts_on = event.starts_on
        case _:
            return None
    return Asked(tx, event.enrollment_id, event.child_id, event.group_id, event.attempt, starts_on=starts_on)


def _seat_input(event: clubs.SeatEvent) -> Input:
    match event:
        case clubs.SeatQueued():
            return SeatQueued(event.attempt, event.place)
        case clubs.SeatOffered():
            return SeatOffered(event.attempt, event.offer_id, event.until)
        case clubs.SeatRefused():
            return SeatRefused(event.attempt, event.code)
        case clubs.SeatWithdrawn():
            return SeatWithdrawn(event.on, event.code)
    raise TypeError(event.type)


@router.on_batch(wallet.FundsHeld, wallet.FundsDeclined)
async def on_funding_answers(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What the wallet says of many months at once."""
    return await answers.take(tx, [_funding_answer(tx, envelope) for envelope in envelopes])


def _funding_answer(tx: Transaction, envelope: Envelope) -> Happening:
    event = cast(wallet.FundsHeld | wallet.FundsDeclined, envelope.event)
    answer: Input
    if isinstance(event, wallet.FundsHeld):
        answer = FundsHeld(event.month, event.attempt, event.layers[0].program_id)
    else:
        answer = FundsDeclined(event.month, event.attempt, event.code, event.missing_tiyn)
    return Happening(tx.caused_by(envelope), event.enrollment_id, answer)


@router.on_batch(wallet.MonthCharged)
async def on_months_charged(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What months cost in the end, told again whenever that changes: they are over."""
    return await answers.take(tx, [_charge(tx, envelope) for envelope in envelopes])


def _charge(tx: Transaction, envelope: Envelope) -> Happening:
    event = cast(wallet.MonthCharged, envelope.event)
    charged = MonthCharged(event.month, event.code)
    return Happening(tx.caused_by(envelope), event.enrollment_id, charged)


@router.on(wallet.FundDeposited)
async def on_fund_deposited(tx: Transaction, envelope: Envelope) -> None:
    """A program has money again."""
    event = cast(wallet.FundDeposited, envelope.event)
    await answers.money_came(tx, program_id=event.program_id)


@router.on(wallet.ChildrenFunded)
async def on_children_funded(tx: Transaction, envelope: Envelope) -> None:
    """These children have money again."""
    event = cast(wallet.ChildrenFunded, envelope.event)
    await answers.money_came(tx, child_ids=event.child_ids)


@router.on(clubs.GroupDescribed)
async def on_group_described(tx: Transaction, envelope: Envelope) -> None:
    """What a group is."""
    await repository.groups.describe_group(tx, cast(clubs.GroupDescribed, envelope.event))


@router.on(clubs.GroupMonthPlanned)
async def on_group_month_planned(tx: Transaction, envelope: Envelope) -> None:
    """When a group meets."""
    await repository.groups.plan_month(tx, cast(clubs.GroupMonthPlanned, envelope.event))


@router.on(wallet.ProgramDescribed)
async def on_program_described(tx: Transaction, envelope: Envelope) -> None:
    """The days of a program."""
    await repository.groups.describe_program(tx, cast(wallet.ProgramDescribed, envelope.event))


@router.on(clubs.StaffDescribed)
async def on_staff_described(tx: Transaction, envelope: Envelope) -> None:
    """Who works for a provider."""
    event = cast(clubs.StaffDescribed, envelope.event)
    await describe_grant(
        tx,
        id_=event.grant_id,
        person_id=event.person_id,
        grant=Grant(event.role, "provider", event.provider_id),
        version=event.version,
        ended=event.ended,
    )


@router.on_deadline("month_due")
async def on_month_due(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """The next month is to be asked for."""
    await calendar.ask_due_month(tx, enrollment_id)


@router.on_deadline("money_came")
async def on_money_came(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """A month without money is asked again."""
    await calendar.ask_again(tx, enrollment_id, because="money_came")


@router.on_deadline("grace_nears")
async def on_grace_nears(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """A month without money is asked a last time."""
    await calendar.ask_again(tx, enrollment_id, because="grace_nears")


@router.on_deadline("grace_over")
async def on_grace_over(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """No money came in time."""
    await calendar.end_of_grace(tx, enrollment_id)


@router.on_deadline("enrollment_ends")
async def on_enrollment_ends(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """The first day without the child."""
    await calendar.end_on_last_day(tx, enrollment_id)


@router.on_deadline("review_lapses")
async def on_review_lapses(tx: Transaction, review_id: UUID, _: datetime) -> None:
    """No administrator decided in time."""
    await calendar.ask_administrators_again(tx, review_id)
