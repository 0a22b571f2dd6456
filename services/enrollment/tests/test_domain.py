"""The rules, pure: every cell of the matrix, the months, who may join a group, and IINs."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.domain import calendar, people
from enrollment.domain.admission import Commitment, Group, WeeklyLesson, Wish, age_on, obstacle, refusal
from enrollment.domain.calendar import Circumstances, Plan, ProgramDays, Unplanned, deadlines, first_month
from enrollment.domain.decider import (
    AskAgain,
    Cancel,
    Decision,
    End,
    GraceOver,
    Input,
    LastDayOver,
    MonthDue,
    Refused,
    SeatOffered,
    SeatQueued,
    SeatRefused,
    SeatReserved,
    SeatWithdrawn,
    decide,
)
from enrollment.domain.effects import Canceled, Confirmed, Ended, FundingRequested, MonthUnfunded, Rejected
from enrollment.domain.enrollment import OVER, Enrollment, Month, MonthState, State
from enrollment.domain.matrix import MATRIX, UNBUILT, Kind
from enrollment.domain.months import FundsDeclined, FundsHeld, MonthCharged
from shared.clock import civil_moment, first_day

PROGRAM = UUID(int=7)
DAYS = ProgramDays(asks_from_day=20, grace_ends_on_day=10)


def every_tuesday(month: str) -> tuple[date, ...]:
    first = date.fromisoformat(f"{month}-01")
    days = (first + timedelta(days=n) for n in range(31))
    return tuple(day for day in days if day.month == first.month and day.weekday() == 1)


PLAN = Plan(
    {month: every_tuesday(month) for month in ("2026-09", "2026-10", "2026-11", "2026-12")},
    ends_on=date(2026, 12, 31),
)


def at(day: str, hour: int = 12, plan: Plan = PLAN) -> Circumstances:
    return Circumstances(civil_moment(date.fromisoformat(day), time(hour)), plan, DAYS)


NOW = at("2026-09-10")
REQUESTED = Enrollment(UUID(int=1), UUID(int=2), UUID(int=3), State.REQUESTED, 1, 1, date(2026, 9, 14))
FUNDING = replace(REQUESTED, state=State.FUNDING, months=(Month("2026-09", MonthState.ASKED, 1),))
CONFIRMED = replace(
    REQUESTED,
    state=State.CONFIRMED,
    program_id=PROGRAM,
    months=(Month("2026-09", MonthState.FUNDED, 1),),
)
ASKED_OCTOBER = CONFIRMED.with_month(Month("2026-10", MonthState.ASKED, 1))
UNFUNDED_OCTOBER = CONFIRMED.with_month(
    Month("2026-10", MonthState.UNFUNDED, 1, "no_money", 500, grace_ends_on=date(2026, 10, 10))
)
CHARGED_OCTOBER = CONFIRMED.with_month(Month("2026-10", MonthState.CHARGED, 1))
FUNDING_CHARGED = replace(FUNDING, months=(Month("2026-09", MonthState.CHARGED, 1),))
ENDING = replace(CONFIRMED, ends_on=date(2026, 10, 1), code="left")
ENDED_ASKED = replace(ASKED_OCTOBER, state=State.ENDED, ends_on=date(2026, 11, 5), code="left")

IN_STATE: dict[State, list[Enrollment]] = {
    State.REQUESTED: [REQUESTED],
    State.QUEUED: [replace(REQUESTED, state=State.QUEUED, place=3)],
    State.OFFERED: [replace(REQUESTED, state=State.OFFERED, offer_id=uuid4(), offer_until=NOW.now)],
    State.FUNDING: [FUNDING, FUNDING_CHARGED],
    State.PAYMENT_REQUIRED: [replace(REQUESTED, state=State.PAYMENT_REQUIRED)],
    State.CONFIRMED: [CONFIRMED, ASKED_OCTOBER, UNFUNDED_OCTOBER, CHARGED_OCTOBER, ENDING],
    State.REJECTED: [replace(REQUESTED, state=State.REJECTED, code="no_money")],
    State.CANCELED: [replace(REQUESTED, state=State.CANCELED)],
    State.ENDED: [replace(ENDING, state=State.ENDED), ENDED_ASKED],
}

HAPPENS: dict[str, list[tuple[Input, Circumstances]]] = {
    "seat_reserved": [
        (SeatReserved(1, date(2026, 9, 14), "2026-09"), NOW),
        (SeatReserved(1, date(2026, 9, 14), "2026-09", "schedule_clash"), NOW),
        (SeatReserved(1, date(2026, 9, 14), None), NOW),
        (SeatReserved(2, date(2026, 9, 14), "2026-09"), NOW),
    ],
    "seat_queued": [(SeatQueued(1, 4), NOW)],
    "seat_offered": [(SeatOffered(1, uuid4(), NOW.now), NOW)],
    "seat_refused": [(SeatRefused(1, "group_closed"), NOW)],
    "seat_withdrawn": [
        (SeatWithdrawn(date(2026, 9, 9), "group_closed"), NOW),
        (SeatWithdrawn(date(2026, 9, 30), "group_closed"), NOW),
    ],
    "funds_held": [
        (FundsHeld("2026-09", 1, PROGRAM), NOW),
        (FundsHeld("2026-10", 1, PROGRAM), NOW),
        (FundsHeld("2026-10", 9, PROGRAM), NOW),
    ],
    "funds_declined": [
        (FundsDeclined("2026-09", 1, "no_money", 500), NOW),
        (FundsDeclined("2026-10", 1, "no_money", 500), NOW),
        (FundsDeclined("2026-10", 1, "month_closed", 0), NOW),
    ],
    "month_charged": [
        (MonthCharged("2026-09"), NOW),
        (MonthCharged("2026-10", "no_money"), NOW),
        (MonthCharged("2026-12"), NOW),
    ],
    "cancel": [(Cancel(), NOW)],
    "end": [
        (End(date(2026, 9, 9), "left"), NOW),
        (End(date(2026, 9, 10), "left"), NOW),
        (End(date(2026, 9, 30), "left"), NOW),
        (End(date(2026, 11, 1), "left"), NOW),
    ],
    "month_due": [(MonthDue(), NOW), (MonthDue(), at("2026-09-20"))],
    "ask_again": [(AskAgain(), NOW)],
    "grace_over": [(GraceOver(), NOW), (GraceOver(), at("2026-10-11", 0))],
    "last_day_over": [(LastDayOver(), NOW), (LastDayOver(), at("2026-10-01", 0))],
}

CELLS = [(name, state) for name, row in MATRIX.items() for state in row]


def outcomes(name: str, state: State) -> list[tuple[Enrollment, Decision | Refused]]:
    return [
        (enrollment, decide(enrollment, event, circumstances))
        for enrollment in IN_STATE[state]
        for event, circumstances in HAPPENS[name]
    ]


@pytest.mark.parametrize(("name", "state"), CELLS, ids=[f"{name}-{state}" for name, state in CELLS])
def test_every_cell_of_the_matrix_is_what_the_decider_does(name: str, state: State) -> None:
    cell = MATRIX[name][state]
    if name not in HAPPENS:
        assert cell is UNBUILT
        return
    reached: set[State] = set()
    refused: set[str] = set()
    for before, outcome in outcomes(name, state):
        if isinstance(outcome, Refused):
            refused.add(outcome.code)
            continue
        reached.add(outcome.enrollment.state)
        assert outcome.impossible is (cell.kind in {Kind.IMPOSSIBLE, Kind.NOT_BUILT})
        if cell.kind is not Kind.ACTS:
            assert outcome.enrollment == before
            assert outcome.effects == ()
    assert refused == cell.refusals
    if cell.kind is Kind.ACTS:
        assert cell.to <= reached
        assert reached <= cell.to | {state}


def test_the_matrix_has_a_cell_for_every_input_in_every_state() -> None:
    built = {kind.name for kind in get_args(Input)}
    assert built == set(HAPPENS)
    assert built <= set(MATRIX)
    for row in MATRIX.values():
        assert set(row) == set(State)


def confirmed_on(day: str) -> Decision:
    outcome = decide(FUNDING, FundsHeld("2026-09", 1, PROGRAM), at(day))
    assert isinstance(outcome, Decision)
    return outcome


def test_a_seat_is_followed_by_asking_for_the_month_of_its_first_lesson() -> None:
    outcome = decide(REQUESTED, SeatReserved(1, date(2026, 9, 30), "2026-10"), NOW)
    assert isinstance(outcome, Decision)
    assert outcome.effects == (FundingRequested("2026-10", 1),)
    assert outcome.enrollment.starts_on == date(2026, 9, 30)
    assert outcome.enrollment.version == 2


def test_before_the_day_of_asking_only_the_first_month_is_asked_for() -> None:
    outcome = confirmed_on("2026-09-19")
    assert outcome.effects == (Confirmed("2026-09"),)
    assert deadlines(outcome.enrollment, at("2026-09-19")) == {"month_due": civil_moment(date(2026, 9, 20))}


def test_whoever_is_confirmed_after_the_day_of_asking_is_asked_for_the_next_month_too() -> None:
    outcome = confirmed_on("2026-09-20")
    assert outcome.effects == (Confirmed("2026-09"), FundingRequested("2026-10", 1))
    assert deadlines(outcome.enrollment, at("2026-09-20")) == {}


def test_only_one_request_is_open_at_a_time() -> None:
    late = at("2026-10-25")
    asked = decide(ASKED_OCTOBER, MonthDue(), late)
    assert isinstance(asked, Decision)
    assert asked.effects == ()
    answered = decide(asked.enrollment, FundsHeld("2026-10", 1, PROGRAM), late)
    assert isinstance(answered, Decision)
    assert answered.effects == (FundingRequested("2026-11", 1),)


def test_a_month_without_lessons_is_passed_over() -> None:
    plan = Plan({**PLAN.months, "2026-10": ()}, PLAN.ends_on)
    outcome = decide(CONFIRMED, MonthDue(), at("2026-10-21", plan=plan))
    assert isinstance(outcome, Decision)
    assert outcome.effects == (FundingRequested("2026-11", 1),)


def test_a_month_that_is_not_planned_yet_is_looked_at_again_in_an_hour() -> None:
    plan = Plan({"2026-09": PLAN.months["2026-09"]}, PLAN.ends_on)
    moment = at("2026-09-25", plan=plan)
    assert decide(CONFIRMED, MonthDue(), moment) == Decision(CONFIRMED)
    assert deadlines(CONFIRMED, moment) == {"month_due": moment.now + timedelta(hours=1)}


@pytest.mark.parametrize(("attempt", "asked"), [(1, ()), (2, (FundingRequested("2026-11", 2),))])
def test_money_that_does_not_suit_one_month_is_tried_for_the_next(
    attempt: int, asked: tuple[FundingRequested, ...]
) -> None:
    """A no to a first question is no news of money; one to a repeated question is: money had come."""
    both = CONFIRMED.with_month(
        Month("2026-10", MonthState.ASKED, attempt, grace_ends_on=date(2026, 10, 30))
    ).with_month(Month("2026-11", MonthState.UNFUNDED, 1, "no_money", 1, grace_ends_on=date(2026, 11, 10)))
    answer = FundsDeclined("2026-10", attempt, "not_entitled", 1)
    outcome = decide(both, answer, at("2026-10-25"))
    assert isinstance(outcome, Decision)
    assert outcome.effects == asked
    over = decide(replace(both, state=State.ENDED, ends_on=date(2026, 10, 25)), answer, at("2026-10-25"))
    assert isinstance(over, Decision)
    assert over.effects == ()


def test_a_month_that_ends_before_its_first_lesson_is_not_funded_any_more() -> None:
    """The wallet gives such a month back: the services must say the same of it."""
    both = CONFIRMED.with_month(Month("2026-10", MonthState.FUNDED, 1))
    outcome = decide(both, End(date(2026, 10, 6), "left"), at("2026-09-25"))
    assert isinstance(outcome, Decision)
    assert [month.month for month in outcome.enrollment.months] == ["2026-09"]
    later = decide(both, End(date(2026, 10, 7), "left"), at("2026-09-25"))
    assert isinstance(later, Decision)
    assert later.enrollment.months == both.months


def test_no_month_after_the_last_day_is_asked_for() -> None:
    assert decide(ENDING, MonthDue(), at("2026-09-25")) == Decision(ENDING)
    last = replace(CONFIRMED, months=(Month("2026-12", MonthState.FUNDED, 1),))
    assert decide(last, MonthDue(), at("2026-12-25")) == Decision(last)


def test_a_declined_month_is_told_once_and_asked_again_on_the_eve_of_the_grace_end() -> None:
    first = decide(ASKED_OCTOBER, FundsDeclined("2026-10", 1, "no_money", 500), at("2026-09-20"))
    assert isinstance(first, Decision)
    assert first.effects == (MonthUnfunded("2026-10", "no_money", 500, date(2026, 10, 10)),)
    wanted = deadlines(first.enrollment, at("2026-09-20"))
    assert wanted["grace_nears"] == civil_moment(date(2026, 10, 9), time(9))
    assert wanted["grace_over"] == civil_moment(date(2026, 10, 11))
    eve = decide(first.enrollment, AskAgain(), at("2026-10-09", 9))
    assert isinstance(eve, Decision)
    assert eve.effects == (FundingRequested("2026-10", 2),)
    second = decide(eve.enrollment, FundsDeclined("2026-10", 2, "no_money", 500), at("2026-10-09", 10))
    assert isinstance(second, Decision)
    assert second.effects == ()
    assert set(deadlines(second.enrollment, at("2026-10-09", 10))) == {"grace_over", "month_due"}


def test_a_late_answer_to_an_earlier_attempt_changes_nothing() -> None:
    again = CONFIRMED.with_month(Month("2026-10", MonthState.ASKED, 2, grace_ends_on=date(2026, 10, 10)))
    late = FundsDeclined("2026-10", 1, "no_money", 500)
    assert decide(again, late, NOW) == Decision(again)


def test_money_that_comes_lets_a_month_be_asked_again() -> None:
    asked = decide(UNFUNDED_OCTOBER, AskAgain(), at("2026-09-25"))
    assert isinstance(asked, Decision)
    assert asked.effects == (FundingRequested("2026-10", 2),)
    funded = decide(asked.enrollment, FundsHeld("2026-10", 2, PROGRAM), at("2026-09-25"))
    assert isinstance(funded, Decision)
    month = funded.enrollment.month("2026-10")
    assert month == Month("2026-10", MonthState.FUNDED, 2)
    assert deadlines(funded.enrollment, at("2026-09-25")) == {"month_due": civil_moment(date(2026, 10, 20))}


def test_the_end_of_the_grace_ends_the_enrollment_on_the_next_day() -> None:
    outcome = decide(UNFUNDED_OCTOBER, GraceOver(), at("2026-10-11", 0))
    assert isinstance(outcome, Decision)
    assert outcome.effects == (Ended(date(2026, 10, 11), "no_money"),)
    assert outcome.enrollment.state is State.ENDED


def test_an_unanswered_request_outlives_the_grace_because_a_slow_service_ends_nothing() -> None:
    waiting = CONFIRMED.with_month(Month("2026-10", MonthState.ASKED, 2, grace_ends_on=date(2026, 10, 10)))
    assert decide(waiting, GraceOver(), at("2026-10-20")) == Decision(waiting)


def test_a_month_first_declined_after_its_grace_still_has_today() -> None:
    outcome = decide(ASKED_OCTOBER, FundsDeclined("2026-10", 1, "no_money", 5), at("2026-10-15"))
    assert isinstance(outcome, Decision)
    told = outcome.effects[0]
    assert isinstance(told, MonthUnfunded)
    assert told.grace_ends_on == date(2026, 10, 15)


def test_an_end_is_told_at_once_and_reached_on_its_day() -> None:
    outcome = decide(CONFIRMED, End(date(2026, 9, 25), "left"), NOW)
    assert isinstance(outcome, Decision)
    assert outcome.effects == (Ended(date(2026, 9, 25), "left"),)
    assert outcome.enrollment.state is State.CONFIRMED
    assert deadlines(outcome.enrollment, NOW)["enrollment_ends"] == civil_moment(date(2026, 9, 25))
    over = decide(outcome.enrollment, LastDayOver(), at("2026-09-25", 0))
    assert isinstance(over, Decision)
    assert over.enrollment.state is State.ENDED
    assert over.effects == ()


def test_a_second_end_may_only_be_earlier() -> None:
    assert decide(ENDING, End(date(2026, 10, 2), "left"), NOW) == Refused("ends_later_than_before")
    assert decide(ENDING, End(date(2026, 10, 1), "left"), NOW) == Decision(ENDING)
    earlier = decide(ENDING, End(date(2026, 9, 20), "left"), NOW)
    assert isinstance(earlier, Decision)
    assert earlier.effects == (Ended(date(2026, 9, 20), "left"),)


def test_an_end_drops_the_months_wholly_after_it() -> None:
    outcome = decide(ASKED_OCTOBER, End(date(2026, 10, 1), "left"), NOW)
    assert isinstance(outcome, Decision)
    assert [month.month for month in outcome.enrollment.months] == ["2026-09"]


def test_a_rejection_keeps_its_reason_and_what_was_missing() -> None:
    outcome = decide(FUNDING, FundsDeclined("2026-09", 1, "no_money", 1_250_000), NOW)
    assert isinstance(outcome, Decision)
    assert outcome.effects == (Rejected("no_money", 1_250_000),)
    assert (outcome.enrollment.code, outcome.enrollment.missing_tiyn) == ("no_money", 1_250_000)


def test_money_held_after_a_cancel_changes_nothing() -> None:
    canceled = decide(FUNDING, Cancel(), NOW)
    assert isinstance(canceled, Decision)
    assert canceled.effects == (Canceled(),)
    assert decide(canceled.enrollment, FundsHeld("2026-09", 1, PROGRAM), NOW) == Decision(canceled.enrollment)


def charged(enrollment: Enrollment, month: str, code: str | None, when: Circumstances) -> Enrollment:
    outcome = decide(enrollment, MonthCharged(month, code), when)
    assert isinstance(outcome, Decision)
    assert outcome.effects == ()
    return outcome.enrollment


def test_a_charged_month_is_over_and_its_revisions_change_nothing_more() -> None:
    over = charged(CONFIRMED, "2026-09", None, at("2026-10-05"))
    assert over.months == (Month("2026-09", MonthState.CHARGED, 1),)
    assert over.state is State.CONFIRMED
    assert charged(over, "2026-09", None, at("2026-10-06")) == over


def test_a_month_without_money_that_is_charged_has_no_grace_any_more_and_is_never_asked_again() -> None:
    late = at("2026-11-05")
    over = charged(UNFUNDED_OCTOBER, "2026-10", "no_money", late)
    assert over.month("2026-10") == Month("2026-10", MonthState.CHARGED, 1, "no_money")
    assert set(deadlines(UNFUNDED_OCTOBER, late)) == {"grace_nears", "grace_over", "month_due"}
    assert set(deadlines(over, late)) == {"month_due"}
    assert decide(over, AskAgain(), late) == Decision(over)
    assert decide(over, GraceOver(), late) == Decision(over)


@pytest.mark.parametrize(
    "answer", [FundsHeld("2026-10", 1, PROGRAM), FundsDeclined("2026-10", 1, "no_money", 500)]
)
def test_a_charge_ends_the_waiting_for_an_answer_and_the_answer_changes_nothing(
    answer: FundsHeld | FundsDeclined,
) -> None:
    late = at("2026-11-05")
    assert deadlines(ASKED_OCTOBER, late) == {}
    over = charged(ASKED_OCTOBER, "2026-10", "no_money", late)
    assert deadlines(over, late) == {"month_due": civil_moment(date(2026, 10, 20))}
    assert decide(over, answer, late) == Decision(over)


def test_a_request_for_a_charged_month_is_over_in_the_same_state_whichever_is_heard_first() -> None:
    closed = FundsDeclined("2026-10", 1, "month_closed", 0)
    answered = decide(ASKED_OCTOBER, closed, NOW)
    assert isinstance(answered, Decision)
    one = charged(answered.enrollment, "2026-10", "no_money", NOW)
    other_way = decide(charged(ASKED_OCTOBER, "2026-10", "no_money", NOW), closed, NOW)
    assert isinstance(other_way, Decision)
    assert one.months == other_way.enrollment.months


def test_a_first_month_charged_before_its_answer_is_heard_still_waits_for_it() -> None:
    early = charged(FUNDING, "2026-09", None, NOW)
    assert early.state is State.FUNDING
    held = decide(early, FundsHeld("2026-09", 1, PROGRAM), NOW)
    assert isinstance(held, Decision)
    assert held.effects == (Confirmed("2026-09"),)
    assert held.enrollment.state is State.CONFIRMED
    assert held.enrollment.months == (Month("2026-09", MonthState.CHARGED, 1),)
    declined = decide(early, FundsDeclined("2026-09", 1, "no_money", 500), NOW)
    assert isinstance(declined, Decision)
    assert declined.enrollment.state is State.REJECTED
    assert declined.enrollment.months == ()


def test_a_charge_does_not_bring_back_what_came_to_nothing_nor_months_after_an_end() -> None:
    for enrollment in (*IN_STATE[State.REJECTED], *IN_STATE[State.CANCELED]):
        assert charged(enrollment, "2026-09", "no_money", NOW) == enrollment
    ended = IN_STATE[State.ENDED][0]
    assert charged(ended, "2026-11", "enrollment_ended", NOW) == ended
    assert charged(ended, "2026-09", None, NOW).months == (Month("2026-09", MonthState.CHARGED, 1),)


@pytest.mark.parametrize(
    "answer", [FundsHeld("2026-10", 1, PROGRAM), FundsDeclined("2026-10", 1, "no_money", 500)]
)
def test_an_answer_after_the_end_still_lets_the_months_before_it_be_asked_for(
    answer: FundsHeld | FundsDeclined,
) -> None:
    """The wallet was silent for weeks: the lessons of November took place before the end on the 5th."""
    outcome = decide(ENDED_ASKED, answer, at("2026-11-20"))
    assert isinstance(outcome, Decision)
    assert outcome.effects == (FundingRequested("2026-11", 1),)
    assert outcome.enrollment.state is State.ENDED
    last = decide(outcome.enrollment, FundsHeld("2026-11", 1, PROGRAM), at("2026-12-21"))
    assert isinstance(last, Decision)
    assert last.effects == (), "there is no lesson after the end"


# ── properties ─────────────────────────────────────────────────────────────────────────────────────

days = st.dates(date(2026, 9, 1), date(2027, 1, 5))
attempts = st.integers(1, 3)
month_names = st.sampled_from(["2026-09", "2026-10", "2026-11", "2027-02"])
codes = st.sampled_from(["no_money", "group_closed", "month_closed"])
inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(
        SeatReserved,
        attempts,
        days,
        st.one_of(st.none(), month_names),
        st.one_of(st.none(), codes),
    ),
    st.builds(SeatQueued, attempts, st.integers(1, 9)),
    st.builds(SeatOffered, attempts, st.uuids(), st.just(datetime(2026, 9, 1, tzinfo=UTC))),
    st.builds(SeatRefused, attempts, codes),
    st.builds(SeatWithdrawn, days, codes),
    st.builds(FundsHeld, month_names, attempts, st.just(PROGRAM)),
    st.builds(FundsDeclined, month_names, attempts, codes, st.integers(0, 5)),
    st.builds(MonthCharged, month_names, st.one_of(st.none(), codes)),
    st.builds(Cancel),
    st.builds(End, days, codes),
    st.builds(MonthDue),
    st.builds(AskAgain),
    st.builds(GraceOver),
    st.builds(LastDayOver),
)
starts = st.sampled_from([one for kind in IN_STATE.values() for one in kind])


def _owed(effect: object, enrollment: Enrollment) -> bool:
    """The money of a month before its end: all that is told of an enrollment that is over."""
    return (
        isinstance(effect, FundingRequested)
        and enrollment.ends_on is not None
        and first_day(effect.month) < enrollment.ends_on
    )


@settings(max_examples=600)
@given(starts, st.lists(st.tuples(inputs, days), max_size=25))
def test_whatever_happens_in_whatever_order_an_enrollment_stays_sound(
    enrollment: Enrollment, story: list[tuple[Input, date]]
) -> None:
    told_over = 0
    for event, day in story:
        circumstances = at(day.isoformat())
        outcome = decide(enrollment, event, circumstances)
        if isinstance(outcome, Refused):
            continue
        after = outcome.enrollment
        if enrollment.state in OVER:
            assert after.state is enrollment.state
            assert all(_owed(effect, after) for effect in outcome.effects)
        assert after.version == enrollment.version + (after != enrollment)
        assert sum(month.state is MonthState.ASKED for month in after.months) <= 1
        asked = [effect for effect in outcome.effects if isinstance(effect, FundingRequested)]
        assert len(asked) <= 1
        assert all(after.month(effect.month) is not None for effect in asked)
        if enrollment.ends_on is not None:
            assert after.ends_on is not None
            assert after.ends_on <= enrollment.ends_on
        told_over += sum(isinstance(effect, (Rejected, Canceled)) for effect in outcome.effects)
        for earlier, later in zip(enrollment.months, after.months, strict=False):
            if earlier.month == later.month:
                assert later.attempt >= earlier.attempt
        deadlines(after, circumstances)
        enrollment = after
    assert told_over <= 1


@settings(max_examples=200)
@given(starts, inputs, days)
def test_the_same_thing_happening_twice_has_one_effect(
    enrollment: Enrollment, event: Input, day: date
) -> None:
    circumstances = at(day.isoformat())
    first = decide(enrollment, event, circumstances)
    if isinstance(first, Refused):
        return
    second = decide(first.enrollment, event, circumstances)
    assert isinstance(second, Refused) or second.effects == ()


# ── who may join ───────────────────────────────────────────────────────────────────────────────────

TUESDAY = (WeeklyLesson(2, time(15), time(16, 30)),)
GROUP = Group(
    id=UUID(int=3),
    provider_id=UUID(int=4),
    direction="robotics",
    price_tiyn=1_875_000,
    age_from=7,
    age_to=10,
    schedule=TUESDAY,
    starts_on=date(2026, 9, 1),
    ends_on=date(2026, 12, 31),
    closed=False,
)
WISH = Wish(GROUP, date(2026, 9, 14), birth_date=date(2018, 3, 1), today=date(2026, 9, 10))


def other(**changes: object) -> Commitment:
    base = Commitment(
        uuid4(), uuid4(), State.CONFIRMED, TUESDAY, date(2026, 9, 1), last_day=date(2026, 12, 31)
    )
    return replace(base, **changes)  # type: ignore[arg-type] # named fields of the dataclass


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (WISH, None),
        (replace(WISH, birth_date=date(2019, 9, 14)), None),
        (replace(WISH, birth_date=date(2019, 9, 15)), "too_young"),
        (replace(WISH, birth_date=date(2015, 9, 15)), None),
        (replace(WISH, birth_date=date(2015, 9, 14)), "too_old"),
        (replace(WISH, group=replace(GROUP, closed=True)), "group_closed"),
        (replace(WISH, today=date(2026, 9, 15)), "starts_in_past"),
        (replace(WISH, today=date(2026, 9, 14)), None),
        (replace(WISH, starts_on=date(2027, 1, 1)), "starts_outside_group"),
        (replace(WISH, starts_on=date(2026, 12, 30)), "group_has_no_lessons"),
    ],
)
def test_a_wish_is_refused_for_one_clear_reason(wish: Wish, code: str | None) -> None:
    assert refusal(wish, [], PLAN) == code


def test_two_groups_at_the_same_hour_clash_unless_one_only_waits_or_is_over() -> None:
    assert obstacle(GROUP, WISH.starts_on, [other()]) == "schedule_clash"
    assert obstacle(GROUP, WISH.starts_on, [other(state=State.QUEUED)]) is None
    assert obstacle(GROUP, WISH.starts_on, [other(last_day=date(2026, 9, 13))]) is None
    after = (WeeklyLesson(2, time(16, 30), time(18)),)
    assert obstacle(GROUP, WISH.starts_on, [other(schedule=after)]) is None


def test_a_child_is_in_a_group_once_even_when_it_only_waits() -> None:
    assert obstacle(GROUP, WISH.starts_on, [other(group_id=GROUP.id, state=State.QUEUED)]) == (
        "already_enrolled"
    )


def test_a_child_has_a_bounded_number_of_live_enrollments() -> None:
    queued = [other(state=State.QUEUED) for _ in range(10)]
    assert refusal(WISH, queued, PLAN) == "too_many_enrollments"
    assert refusal(WISH, queued[1:], PLAN) is None


def test_a_month_that_clubs_has_not_told_is_no_refusal() -> None:
    assert refusal(WISH, [], Plan({}, GROUP.ends_on)) == Unplanned("2026-09")
    assert first_month(PLAN, date(2026, 9, 30)) == "2026-10"


def test_who_is_born_on_29_february_has_a_birthday_every_year() -> None:
    assert age_on(date(2020, 2, 29), date(2027, 2, 28)) == 6
    assert age_on(date(2020, 2, 29), date(2027, 3, 1)) == 7


# ── IINs ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("iin", ["150901500010", "150901600017", "150901500111"])
def test_an_iin_tells_the_birth_date(iin: str) -> None:
    assert people.birth_date_of(iin) == date(2015, 9, 1)


@pytest.mark.parametrize(
    "iin",
    [
        "",
        "000000000000",
        "123456789013",  # checksum holds, date does not
        "150901500011",
        "15090150001",
        "1509015000100",
        "240140001238",  # a BIN
        "150901500010\n",
        "15090150001О",  # a Cyrillic letter
        "١٥٠٩٠١٥٠٠٠١٠",
        "１５０９０１５０００１０",
        " 150901500010",
    ],
)
def test_what_only_looks_like_an_iin_is_none(iin: str) -> None:
    assert people.birth_date_of(iin) is None


def test_a_masked_iin_shows_its_last_four_digits() -> None:
    assert people.masked("150901500010") == "********0010"


def test_the_day_of_asking_is_in_the_month_before() -> None:
    assert calendar.asks_from("2027-01", DAYS) == date(2026, 12, 20)
