"""Each event and deadline that comes in: what it does, what goes out, once; and what it waits for."""

from datetime import date, time
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from enrollment.domain.enrollment import MonthState, State
from enrollment.testing import Scene
from shared.clock import civil_moment
from shared.consumer import NotYet
from shared.database import new_id
from shared.edge import Edge
from shared.events import clubs, enrollment, wallet
from shared.testing import published


async def test_a_seat_asks_for_the_money_of_its_first_month(scene: Scene, edge: Edge) -> None:
    requested = await scene.requested()
    await scene.forget_published()
    assert await scene.take(scene.reserved(requested, starts_on=date(2026, 9, 16))) == []
    [event] = await published(edge)
    assert isinstance(event, enrollment.FundingRequested)
    assert (event.month, event.attempt, event.covers_from) == ("2026-09", 1, date(2026, 9, 16))
    assert event.covers_until is None
    assert [lesson.on.day for lesson in event.lessons] == [1, 8, 15, 22, 29]
    assert (event.direction, event.price_tiyn) == ("robotics", 1_875_000)
    assert (await scene.read(requested.id)).state is State.FUNDING


async def test_a_seat_whose_month_is_not_planned_waits_and_is_served_once_it_is(
    scene: Scene, edge: Edge
) -> None:
    requested = await scene.requested()
    await scene.forget_published()
    late = scene.reserved(requested, starts_on=date(2026, 12, 1))
    assert await scene.take(late) == [NotYet("group_month_planned")]
    assert (await scene.read(requested.id)).state is State.REQUESTED
    assert await published(edge) == []
    await scene.take(scene.month("2026-12"))
    assert await scene.take(late) == []
    assert [event.type for event in await published(edge)] == [enrollment.FundingRequested.type]


async def test_the_same_event_twice_has_one_effect(scene: Scene, edge: Edge) -> None:
    requested = await scene.requested()
    await scene.forget_published()
    id_ = new_id()
    seat = scene.reserved(requested)
    await scene.take(seat, ids=[id_])
    await scene.take(seat, ids=[id_])
    await scene.take(seat)  # the same answer again, under another id
    assert [event.type for event in await published(edge)] == [enrollment.FundingRequested.type]


async def test_money_confirms_and_sets_the_day_of_the_next_asking(scene: Scene, edge: Edge) -> None:
    confirmed = await scene.confirmed()
    assert confirmed.state is State.CONFIRMED
    assert confirmed.program_id == scene.program_id
    last = (await published(edge))[-1]
    assert last == enrollment.Confirmed(
        child_id=confirmed.child_id,
        enrollment_id=confirmed.id,
        group_id=scene.group_id,
        provider_id=scene.provider_id,
        starts_on=date(2026, 9, 14),
        month="2026-09",
    )
    assert await scene.deadlines() == {"month_due": civil_moment(date(2026, 9, 20))}


async def test_money_of_a_program_that_is_not_known_yet_waits(scene: Scene) -> None:
    requested = await scene.requested()
    await scene.take(scene.reserved(requested))
    scene.program_id = uuid4()
    assert await scene.take(scene.held(requested, "2026-09")) == [NotYet("program_described")]
    assert (await scene.read(requested.id)).state is State.FUNDING
    await scene.take(scene.program(), scene.held(requested, "2026-09"))
    assert (await scene.read(requested.id)).state is State.CONFIRMED


async def test_no_money_for_the_first_month_rejects_with_what_is_missing(scene: Scene, edge: Edge) -> None:
    requested = await scene.requested()
    await scene.take(scene.reserved(requested), scene.declined(requested, "2026-09"))
    rejected = await scene.read(requested.id)
    assert (rejected.state, rejected.code, rejected.missing_tiyn) == (State.REJECTED, "no_money", 500_000)
    last = (await published(edge))[-1]
    assert isinstance(last, enrollment.Rejected)
    assert (last.code, last.missing_tiyn) == ("no_money", 500_000)


async def test_a_queued_child_is_offered_a_seat_and_gets_it(scene: Scene) -> None:
    requested = await scene.requested()
    about = {"child_id": requested.child_id, "enrollment_id": requested.id, "group_id": scene.group_id}
    await scene.take(clubs.SeatQueued(**about, attempt=1, place=2))
    queued = await scene.read(requested.id)
    assert (queued.state, queued.place) == (State.QUEUED, 2)
    offer_id, until = uuid4(), civil_moment(date(2026, 9, 13))
    await scene.take(
        clubs.SeatOffered(**about, attempt=1, offer_id=offer_id, starts_on=date(2026, 9, 21), until=until)
    )
    offered = await scene.read(requested.id)
    assert (offered.state, offered.offer_id, offered.offer_until) == (State.OFFERED, offer_id, until)
    await scene.take(scene.reserved(requested, starts_on=date(2026, 9, 21)))
    funding = await scene.read(requested.id)
    assert (funding.state, funding.starts_on, funding.offer_id) == (
        State.FUNDING,
        date(2026, 9, 21),
        None,
    )


async def forgotten(scene: Scene) -> tuple[UUID, UUID]:
    """A child that is known, and an enrollment of it that a restore has forgotten."""
    guardian = uuid4()
    return await scene.child(guardian), new_id()


async def test_an_enrollment_that_only_clubs_remember_goes_on_and_may_be_told_again(
    scene: Scene, edge: Edge
) -> None:
    child_id, id_ = await forgotten(scene)
    await scene.forget_published()
    about = {"child_id": child_id, "enrollment_id": id_, "group_id": scene.group_id, "attempt": 1}
    await scene.take(clubs.SeatQueued(**about, place=2))
    assert (await scene.read(id_)).state is State.QUEUED
    seat = clubs.SeatReserved(**about, starts_on=date(2026, 9, 16))
    for _ in range(2):
        await scene.take(seat)
    recalled = await scene.read(id_)
    assert (recalled.state, recalled.starts_on) == (State.FUNDING, date(2026, 9, 16))
    await scene.take(scene.held(recalled, "2026-09"))
    assert (await scene.read(id_)).state is State.CONFIRMED
    assert [event.type for event in await published(edge)] == [
        enrollment.FundingRequested.type,
        enrollment.Confirmed.type,
    ]


async def test_an_enrollment_that_was_asked_for_anew_is_not_there_twice(scene: Scene, edge: Edge) -> None:
    again = await scene.requested()
    await scene.forget_published()
    about = {"child_id": again.child_id, "enrollment_id": new_id(), "group_id": scene.group_id}
    await scene.take(clubs.SeatReserved(**about, attempt=1, starts_on=date(2026, 9, 16)))
    assert await published(edge) == [enrollment.Canceled(**about)]
    assert (await scene.read(again.id)).state is State.REQUESTED


async def test_a_lost_enrollment_waits_for_the_money_of_the_one_before_it(scene: Scene) -> None:
    before = await scene.requested()
    await scene.take(scene.reserved(before))
    id_ = new_id()
    about = {"child_id": before.child_id, "enrollment_id": id_, "group_id": scene.group_id, "attempt": 1}
    seat = clubs.SeatReserved(**about, starts_on=date(2026, 9, 16))
    assert await scene.take(seat) == [NotYet("enrollment_funded")]
    await scene.take(scene.declined(before, "2026-09"))
    assert await scene.take(seat) == []
    assert (await scene.read(id_)).state is State.FUNDING


async def test_an_answer_about_a_child_that_nobody_knows_has_no_effect(scene: Scene, edge: Edge) -> None:
    await scene.requested()
    await scene.forget_published()
    about = {"child_id": new_id(), "enrollment_id": new_id(), "group_id": scene.group_id, "attempt": 1}
    await scene.take(clubs.SeatReserved(**about, starts_on=date(2026, 9, 16)))
    assert await published(edge) == []


@pytest.mark.parametrize("code", ["group_closed", "offer_lapsed", "request_unreadable"])
async def test_a_refused_seat_rejects(scene: Scene, edge: Edge, code: str) -> None:
    requested = await scene.requested()
    about = {"child_id": requested.child_id, "enrollment_id": requested.id, "group_id": scene.group_id}
    await scene.take(clubs.SeatRefused(**about, attempt=1, code=code))
    assert (await scene.read(requested.id)).code == code
    assert (await published(edge))[-1].type == enrollment.Rejected.type


async def test_a_withdrawn_seat_ends_what_was_confirmed(scene: Scene, edge: Edge) -> None:
    confirmed = await scene.confirmed()
    about = {"child_id": confirmed.child_id, "enrollment_id": confirmed.id, "group_id": scene.group_id}
    await scene.take(clubs.SeatWithdrawn(**about, on=date(2026, 9, 25), code="group_closed"))
    ending = await scene.read(confirmed.id)
    assert (ending.state, ending.ends_on) == (State.CONFIRMED, date(2026, 9, 25))
    assert (await published(edge))[-1].type == enrollment.Ended.type
    await scene.clock("2026-09-25T00:01")
    await scene.act()
    assert (await scene.read(confirmed.id)).state is State.ENDED
    assert await scene.deadlines() == {}


async def test_a_seat_that_by_now_clashes_with_another_club_is_rejected(scene: Scene) -> None:
    other_group = uuid4()
    await scene.take(
        scene.group(group_id=other_group), *(scene.month(m, group_id=other_group) for m in ("2026-09",))
    )
    guardian = uuid4()
    child_id = await scene.child(guardian)
    waiting = await scene.request(guardian, child_id)
    about = {"child_id": child_id, "enrollment_id": waiting.id, "group_id": scene.group_id}
    await scene.take(clubs.SeatQueued(**about, attempt=1, place=1))
    await scene.request(guardian, child_id, group_id=other_group)
    await scene.take(scene.reserved(waiting))
    rejected = await scene.read(waiting.id)
    assert (rejected.state, rejected.code) == (State.REJECTED, "schedule_clash")


async def test_the_next_month_is_asked_for_on_its_day_and_the_one_after_on_its(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    await scene.forget_published()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert (asked.month, asked.covers_from) == ("2026-10", date(2026, 10, 1))
    assert await scene.deadlines() == {}
    await scene.take(scene.held(confirmed, "2026-10"))
    assert await scene.deadlines() == {"month_due": civil_moment(date(2026, 10, 20))}


async def test_a_month_that_is_not_planned_on_its_day_is_asked_for_once_it_is(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    for day, month in (("2026-09-20", "2026-10"), ("2026-10-20", "2026-11")):
        await scene.clock(f"{day}T00:01")
        await scene.act()
        await scene.take(scene.held(confirmed, month))
    await scene.forget_published()
    for hour in (0, 2):
        await scene.clock(f"2026-11-20T{hour:02}:01")
        await scene.act()
        later = await scene.deadlines()
        assert set(later) == {"month_due"}
        assert later["month_due"] > civil_moment(date(2026, 11, 20), time(hour + 1))
    assert await published(edge) == []
    await scene.take(scene.month("2026-12"))
    await scene.clock("2026-11-20T04:01")
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert asked.month == "2026-12"


async def test_many_answers_at_once_are_taken_together(scene: Scene, edge: Edge) -> None:
    confirmed = [await scene.confirmed(number=number) for number in range(3)]
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.forget_published()
    first, second, third = confirmed
    await scene.take(
        scene.held(first, "2026-10"), scene.declined(second, "2026-10"), scene.held(third, "2026-10")
    )
    states = [(await scene.read(one.id)).months[-1].state for one in confirmed]
    assert states == [MonthState.FUNDED, MonthState.UNFUNDED, MonthState.FUNDED]
    assert [event.type for event in await published(edge)] == [enrollment.MonthUnfunded.type]


async def test_an_unfunded_month_is_asked_again_when_money_comes_for_the_child(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    assert set(await scene.deadlines()) == {"month_due", "grace_nears", "grace_over"}
    await scene.forget_published()
    await scene.take(
        wallet.ChildrenFunded(
            run_id=uuid4(),
            program_id=scene.program_id,
            fund_id=uuid4(),
            child_ids=(confirmed.child_id, uuid4()),
        )
    )
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert (asked.month, asked.attempt) == ("2026-10", 2)
    await scene.take(scene.declined(confirmed, "2026-10", attempt=1))  # late: of the first attempt
    assert (await scene.read(confirmed.id)).months[-1].state is MonthState.ASKED
    await scene.take(scene.held(confirmed, "2026-10", attempt=2))
    assert await scene.deadlines() == {"month_due": civil_moment(date(2026, 10, 20))}


async def test_money_that_comes_before_the_no_it_came_too_late_for_is_not_missed(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.forget_published()
    # The wallet declined, then allotted; the run is told in a topic of its own, and is heard of first.
    run = {"run_id": uuid4(), "program_id": scene.program_id, "fund_id": uuid4()}
    await scene.take(wallet.ChildrenFunded(**run, child_ids=(confirmed.child_id,)))
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    await scene.forget_published()
    await scene.clock("2026-09-20T00:02")
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert (asked.month, asked.attempt) == ("2026-10", 2)
    await scene.take(scene.held(confirmed, "2026-10", attempt=2))
    await scene.clock("2026-09-20T00:03")
    await scene.act()
    assert await scene.deadlines() == {"month_due": civil_moment(date(2026, 10, 20))}


async def test_a_deposit_lets_those_be_asked_again_whom_the_program_is_for(scene: Scene, edge: Edge) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    await scene.forget_published()
    deposit = wallet.FundDeposited(program_id=scene.program_id, fund_id=uuid4(), amount_tiyn=1)
    await scene.take(deposit)
    await scene.act()
    assert await published(edge) == []  # the child is not entitled to this program
    async with edge.transaction() as tx:
        await tx.execute(
            sa.text(
                "INSERT INTO entitlements VALUES (gen_random_uuid(), :child, :program, '2026-01-01',"
                " '2026-12-31', 100, 1)"
            ),
            {"child": confirmed.child_id, "program": scene.program_id},
        )
    await scene.take(deposit)
    await scene.act()
    assert [event.type for event in await published(edge)] == [enrollment.FundingRequested.type]


async def test_without_money_the_enrollment_ends_after_the_grace(scene: Scene, edge: Edge) -> None:
    await scene.take(scene.program(version=2, declined_percent_max=100))
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    await scene.forget_published()
    await scene.clock("2026-10-09T09:01")
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert asked.attempt == 2
    await scene.take(scene.declined(confirmed, "2026-10", attempt=2))
    await scene.clock("2026-10-11T00:01")
    await scene.act()
    ended = await scene.read(confirmed.id)
    assert (ended.state, ended.ends_on, ended.code) == (State.ENDED, date(2026, 10, 11), "no_money")
    last = (await published(edge))[-1]
    assert isinstance(last, enrollment.Ended)
    assert (last.on, last.code) == (date(2026, 10, 11), "no_money")
    assert await scene.deadlines() == {}


async def test_charged_months_are_over_and_nothing_is_told_of_it(scene: Scene, edge: Edge) -> None:
    confirmed = [await scene.confirmed(number=number) for number in range(3)]
    await scene.forget_published()
    await scene.clock("2026-10-05T00:01")
    id_ = new_id()
    charges = [scene.charged(one, "2026-09") for one in confirmed]
    await scene.take(*charges, ids=[id_, None, None])
    await scene.take(charges[0], ids=[id_])
    before = [await scene.read(one.id) for one in confirmed]
    assert [one.months[0].state for one in before] == [MonthState.CHARGED] * 3
    await scene.take(*(scene.charged(one, "2026-09", revision=2) for one in confirmed))
    assert [await scene.read(one.id) for one in confirmed] == before
    assert await published(edge) == []


async def test_an_unfunded_month_that_is_charged_is_not_asked_for_when_money_comes(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    await scene.take(scene.charged(confirmed, "2026-10", code="no_money"))
    assert set(await scene.deadlines()) == {"month_due"}
    await scene.forget_published()
    run = {"run_id": uuid4(), "program_id": scene.program_id, "fund_id": uuid4()}
    await scene.take(wallet.ChildrenFunded(**run, child_ids=(confirmed.child_id,)))
    await scene.act()
    assert await published(edge) == []
    assert (await scene.read(confirmed.id)).months[-1].state is MonthState.CHARGED


async def test_a_month_charged_while_it_is_asked_for_lets_the_next_one_be_asked(
    scene: Scene, edge: Edge
) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.clock("2026-11-05T00:01")
    await scene.forget_published()
    await scene.take(scene.charged(confirmed, "2026-10", code="no_money"))
    await scene.act()
    [asked] = await published(edge)
    assert isinstance(asked, enrollment.FundingRequested)
    assert asked.month == "2026-11"
    await scene.take(scene.declined(confirmed, "2026-10"))  # the answer that was on its way
    states = [one.state for one in (await scene.read(confirmed.id)).months]
    assert states == [MonthState.FUNDED, MonthState.CHARGED, MonthState.ASKED]


async def test_a_charge_heard_before_the_money_it_is_of_does_not_hinder_the_enrollment(scene: Scene) -> None:
    requested = await scene.requested()
    await scene.take(scene.reserved(requested))
    await scene.take(scene.charged(requested, "2026-09"))
    assert (await scene.read(requested.id)).state is State.FUNDING
    await scene.take(scene.held(requested, "2026-09"))
    confirmed = await scene.read(requested.id)
    assert confirmed.state is State.CONFIRMED
    assert confirmed.months[0].state is MonthState.CHARGED


async def test_a_charge_of_nothing_does_not_bring_a_rejected_enrollment_back(scene: Scene) -> None:
    requested = await scene.requested()
    await scene.take(scene.reserved(requested), scene.declined(requested, "2026-09"))
    rejected = await scene.read(requested.id)
    await scene.take(scene.charged(requested, "2026-09", code="no_money"))
    assert await scene.read(requested.id) == rejected


async def test_the_last_month_of_what_has_ended_is_charged_after_its_end(scene: Scene) -> None:
    confirmed = await scene.confirmed()
    about = {"child_id": confirmed.child_id, "enrollment_id": confirmed.id, "group_id": scene.group_id}
    await scene.take(clubs.SeatWithdrawn(**about, on=date(2026, 9, 25), code="group_closed"))
    await scene.clock("2026-09-29T00:01")
    await scene.act()
    await scene.take(scene.charged(confirmed, "2026-09"), scene.charged(confirmed, "2026-10", code="ended"))
    ended = await scene.read(confirmed.id)
    assert ended.state is State.ENDED
    assert [(one.month, one.state) for one in ended.months] == [("2026-09", MonthState.CHARGED)]


async def test_staff_described_by_clubs_may_act_here(scene: Scene, edge: Edge) -> None:
    person = uuid4()
    await scene.take(
        clubs.StaffDescribed(
            grant_id=uuid4(), version=1, person_id=person, provider_id=scene.provider_id, role="director"
        )
    )
    async with edge.transaction() as tx:
        found = await tx.execute(sa.text("SELECT person_id FROM grants WHERE NOT ended"))
        assert list(found.scalars()) == [person]


async def test_an_older_description_of_a_group_does_not_replace_a_newer(scene: Scene, edge: Edge) -> None:
    await scene.take(scene.group(version=3, price_tiyn=1_500_000))
    await scene.take(scene.group(version=2, price_tiyn=900_000))
    async with edge.transaction() as tx:
        prices = await tx.execute(sa.text("SELECT price_tiyn FROM groups"))
        assert list(prices.scalars()) == [1_500_000]


async def test_a_wave_of_months_is_paced_by_what_is_unanswered(
    scene: Scene, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enrollment.usecases.calendar.UNANSWERED_MAX", 2)
    confirmed = [await scene.confirmed(number=number) for number in range(3)]
    await scene.forget_published()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    asked = await published(edge)
    assert len(asked) == 2
    waiting = await scene.deadlines()
    assert waiting["month_due"] > civil_moment(date(2026, 9, 20), time(0, 1))
    for one in confirmed:
        if (await scene.read(one.id)).months[-1].month == "2026-10":
            await scene.take(scene.held(one, "2026-10"))
    await scene.clock("2026-09-20T00:02")
    await scene.act()
    assert len(await published(edge)) == 3
