"""After the closing, on real PostgreSQL: disputes, corrections, absences, statements and supplements."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from clubs.domain.absences import AbsenceExistsError, AbsenceInvalidError
from clubs.domain.disputes import CaseClosedError, Dispute, DisputeStandsError, PartyToTheCaseError
from clubs.domain.lessons import ChildWithoutSeatError, LessonNotBegunError, MonthClosedError, MonthOpenError
from clubs.domain.statements import StatementChangedError, StatementOpenError, StatementSignedError
from clubs.main import service as clubs
from clubs.testing import SEPTEMBER, WINDOWS_OVER, Pupil, School
from clubs.usecases import absences, disputes, sheets, statements
from clubs.usecases.corrections import Correction, propose_correction
from shared.approvals import Approvals
from shared.database import new_id
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.events.attendance import AttendanceClosed, DisputeDecided, DisputeOpened, StatementSigned
from shared.security import Grant, Principal
from shared.testing import published, set_clock


def facts_of(sheet: AttendanceClosed, day: int) -> tuple[bool, str | None]:
    (facts,) = [facts for facts in sheet.lessons if facts.on.day == day]
    return facts.disputed, facts.decided


async def latest(school: School, pupil: Pupil) -> AttendanceClosed:
    return [sheet for sheet in await school.sheets() if sheet.enrollment_id == pupil.enrollment_id][-1]


async def withdraw(school: School, pupil: Pupil, dispute: Dispute) -> None:
    async with school.edge.transaction() as tx:
        await disputes.withdraw(tx, pupil.guardian, dispute.id)


@pytest.fixture
async def closed(school: School) -> UUID:
    """September is closed; the lesson of the 4th, at which both children were."""
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, school.pupils)
    await school.at(WINDOWS_OVER)
    return lesson_id


async def test_a_dispute_before_closing_is_on_the_first_revision(school: School) -> None:
    first, second = school.pupils
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, [first, second])
    dispute = await school.dispute(lesson_id, first)
    assert await school.sheets() == []
    await school.at(WINDOWS_OVER)
    assert facts_of(await latest(school, first), 4) == (True, None)
    assert facts_of(await latest(school, second), 4) == (False, None)
    told = [event for event in await published(school.edge) if isinstance(event, DisputeOpened)]
    assert [(event.dispute_id, event.lesson_id, event.on) for event in told] == [
        (dispute.id, lesson_id, date(2026, 9, 4))
    ]
    assert await school.faults() == {}


async def test_each_step_of_a_dispute_after_closing_is_the_next_revision(
    school: School, closed: UUID
) -> None:
    first, second = school.pupils
    dispute = await school.dispute(closed, first)
    assert facts_of(await latest(school, first), 4) == (True, None)
    await withdraw(school, first, dispute)
    assert facts_of(await latest(school, first), 4) == (False, None)
    again = await school.dispute(closed, first)
    await school.decide(again, "do_not_count")
    sheet = await latest(school, first)
    assert (sheet.revision, facts_of(sheet, 4)) == (5, (False, "do_not_count"))
    assert (await latest(school, second)).revision == 1
    told = [event.outcome for event in await published(school.edge) if isinstance(event, DisputeDecided)]
    assert told == ["withdrawn", "do_not_count"]
    assert await school.faults() == {}


async def test_one_dispute_at_a_time_and_none_after_a_decision(school: School, closed: UUID) -> None:
    first, _ = school.pupils
    dispute = await school.dispute(closed, first)
    with pytest.raises(DisputeStandsError) as refusal:
        await school.dispute(closed, first)
    assert refusal.value.stable_code == "dispute_open"
    await school.decide(dispute, "count")
    with pytest.raises(DisputeStandsError) as refusal:
        await school.dispute(closed, first)
    assert refusal.value.stable_code == "dispute_decided"
    for attempt in (school.decide(dispute, "do_not_count"), withdraw(school, first, dispute)):
        with pytest.raises(CaseClosedError):
            await attempt
    assert (await latest(school, first)).revision == 3


async def test_only_a_guardian_disputes_and_only_a_lesson_the_child_has_a_seat_for(school: School) -> None:
    first, second = school.pupils
    late = await school.seat(date(2026, 9, 8))
    lesson_id = await school.after_lesson(4)
    with pytest.raises(ChildWithoutSeatError):
        await school.dispute(lesson_id, late)
    with pytest.raises(LessonNotBegunError):
        await school.dispute(await school.lesson(7), first)
    with pytest.raises(NotFoundError):
        await school.dispute(new_id(), first)
    for who, error in (
        (second.guardian, NotFoundError),
        (school.coach, ForbiddenError),
        (school.administrator, ForbiddenError),
    ):
        with pytest.raises(error):
            async with school.edge.transaction() as tx:
                await disputes.open_dispute(tx, who, child_id=first.child_id, lesson_id=lesson_id)
    dispute = await school.dispute(lesson_id, first)
    with pytest.raises(NotFoundError):
        await withdraw(school, second, dispute)


async def test_who_has_a_part_in_a_case_does_not_decide_it(school: School, closed: UUID) -> None:
    first, _ = school.pupils
    dispute = await school.dispute(closed, first)
    administers = Grant("administrator", "region", new_id())
    for grant in (
        Grant("guardian", "child", first.child_id),
        Grant("director", "provider", school.provider_id),
        Grant("coach", "provider", school.provider_id),
    ):
        party = Principal(new_id(), frozenset({administers, grant}))
        with pytest.raises(PartyToTheCaseError):
            async with school.edge.transaction() as tx:
                await disputes.decide(tx, party, dispute.id, outcome="count", reason="Mine.")
    for grants in ({Grant("auditor", "region", new_id())}, {Grant("director", "provider", new_id())}):
        who = Principal(new_id(), frozenset(grants))
        with pytest.raises(ForbiddenError):
            async with school.edge.transaction() as tx:
                await disputes.decide(tx, who, dispute.id, outcome="count", reason="Mine.")
    assert (await latest(school, first)).revision == 2


async def test_a_closing_waits_for_a_dispute_and_has_it_on_revision_one(school: School) -> None:
    first, _ = school.pupils
    lesson_id = await school.after_lesson(28)
    await set_clock(school.database, WINDOWS_OVER)

    async def close() -> None:
        async with school.edge.transaction() as tx:
            await sheets.close_months(tx, school.group_id)

    async with school.edge.transaction() as tx:
        await disputes.open_dispute(tx, first.guardian, child_id=first.child_id, lesson_id=lesson_id)
        closing = asyncio.create_task(close())
        await asyncio.sleep(0.5)
        assert not closing.done()
    await closing
    sheet = await latest(school, first)
    assert (sheet.revision, facts_of(sheet, 28)) == (1, (True, None))
    assert await school.faults() == {}


async def test_a_dispute_waits_for_a_closing_and_makes_revision_two(school: School) -> None:
    first, _ = school.pupils
    lesson_id = await school.after_lesson(28)
    await set_clock(school.database, WINDOWS_OVER)
    async with school.edge.transaction() as tx:
        await sheets.close_months(tx, school.group_id)
        disputing = asyncio.create_task(school.dispute(lesson_id, first))
        await asyncio.sleep(0.5)
        assert not disputing.done()
    await disputing
    sheet = await latest(school, first)
    assert (sheet.revision, facts_of(sheet, 28)) == (2, (True, None))
    assert await school.faults() == {}


async def test_of_two_disputes_at_once_one_stands(school: School, closed: UUID) -> None:
    first, _ = school.pupils
    answers = await asyncio.gather(
        school.dispute(closed, first), school.dispute(closed, first), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Dispute", "DisputeStandsError"]
    assert (await latest(school, first)).revision == 2


async def test_a_statement_waits_for_the_month_and_is_signed_as_it_was_seen(school: School) -> None:
    first, second = school.pupils
    await school.end(first, date(2026, 9, 12))
    await school.at("2026-09-16T00:00:00+05:00")
    (statement,) = await school.statements()
    assert (statement.state, statement.number) == ("open", 1)
    with pytest.raises(StatementOpenError):
        await school.sign(statement)
    await school.at(WINDOWS_OVER)
    (ready,) = await school.statements()
    assert (ready.state, ready.id) == ("ready", statement.id)
    with pytest.raises(StatementChangedError):
        await school.sign(statement)
    signed = await school.sign(ready)
    assert (signed.state, signed.signed_by) == ("signed", school.director.person_id)
    with pytest.raises(StatementSignedError):
        await school.sign(ready)
    with pytest.raises(StatementSignedError):
        await school.sign(signed)
    (told,) = [event for event in await published(school.edge) if isinstance(event, StatementSigned)]
    by_enrollment = {sheet.enrollment_id: sheet.digest for sheet in await school.sheets()}
    assert {line.enrollment_id: line.digest for line in told.lines} == by_enrollment
    assert by_enrollment.keys() == {first.enrollment_id, second.enrollment_id}
    assert (told.number, told.part, told.signed_at) == (1, 1, signed.signed_at)
    assert await school.faults() == {}


async def test_what_changes_after_signing_is_on_a_supplement(school: School, closed: UUID) -> None:
    first, second = school.pupils
    (statement,) = await school.statements()
    await school.sign(statement)
    dispute = await school.dispute(closed, first)
    await school.dispute(closed, second)
    await school.decide(dispute, "count")
    _, supplement = await school.statements()
    assert (supplement.number, supplement.state, supplement.version) == (2, "ready", 3)
    async with school.edge.transaction() as tx:
        shown = await statements.read(tx, school.director, supplement.id, after=None, limit=10)
    assert [(line.line.enrollment_id, line.line.revision) for line in shown.lines] == [
        (first.enrollment_id, 3),
        (second.enrollment_id, 2),
    ]
    await school.sign(supplement)
    assert await school.faults() == {}


async def test_signing_beside_a_new_revision_signs_what_was_seen_or_nothing(
    school: School, closed: UUID
) -> None:
    first, second = school.pupils
    (seen,) = await school.statements()
    async with school.edge.transaction() as tx:
        await disputes.open_dispute(tx, first.guardian, child_id=first.child_id, lesson_id=closed)
        signing = asyncio.create_task(school.sign(seen))
        await asyncio.sleep(0.1)
        assert not signing.done()
    with pytest.raises(StatementChangedError):
        await signing
    (seen,) = await school.statements()
    async with school.edge.transaction() as tx:
        await statements.sign(tx, school.director, seen.id, version=seen.version)
        disputing = asyncio.create_task(school.dispute(closed, second))
        await asyncio.sleep(0.1)
        assert not disputing.done()
    await disputing
    assert [(one.number, one.state) for one in await school.statements()] == [(1, "signed"), (2, "ready")]
    assert await school.faults() == {}


async def test_statements_are_for_the_provider_and_those_who_watch(school: School, closed: UUID) -> None:
    _ = closed
    (statement,) = await school.statements()
    rival = Principal(new_id(), frozenset({Grant("director", "provider", new_id())}))
    auditor = Principal(new_id(), frozenset({Grant("auditor", "region", new_id())}))
    async with school.edge.transaction() as tx:
        for who in (school.director, school.administrator, auditor):
            assert len(await statements.find(tx, who, school.provider_id, SEPTEMBER)) == 1
            assert len((await statements.read(tx, who, statement.id, after=None, limit=9)).lines) == 2
        for who, error in ((rival, NotFoundError), (school.coach, ForbiddenError)):
            with pytest.raises(error):
                await statements.find(tx, who, school.provider_id, SEPTEMBER)
            with pytest.raises(error):
                await statements.read(tx, who, statement.id, after=None, limit=9)
        for who, error in ((rival, NotFoundError), (school.administrator, ForbiddenError)):
            with pytest.raises(error):
                await statements.sign(tx, who, statement.id, version=statement.version)


async def correct(school: School, who: Principal, lesson_id: UUID, pupil: Pupil, *, present: bool) -> UUID:
    wanted = Correction(lesson_id=lesson_id, child_id=pupil.child_id, present=present, reason="Typo.")
    async with school.edge.transaction() as tx:
        return (await propose_correction(tx, who, wanted)).id


async def approve(school: School, who: Principal, proposal_id: UUID) -> Any:  # noqa: ANN401 - shown to nobody
    async with school.edge.transaction() as tx:
        return await Approvals(clubs.approvals).approve(tx, who, proposal_id)


async def test_a_correction_takes_a_coach_and_a_director_who_is_somebody_else(
    school: School, closed: UUID
) -> None:
    first, second = school.pupils
    both = Principal(school.coach.person_id, school.coach.grants | school.director.grants)
    proposal_id = await correct(school, both, closed, first, present=False)
    rival = Principal(new_id(), frozenset({Grant("director", "provider", new_id())}))
    for who, error in ((both, ConflictError), (rival, NotFoundError), (school.administrator, NotFoundError)):
        with pytest.raises(error):
            await approve(school, who, proposal_id)
    assert (await latest(school, first)).revision == 1
    await approve(school, school.director, proposal_id)
    with pytest.raises(ConflictError):
        await approve(school, school.director, proposal_id)
    sheet = await latest(school, first)
    (word,) = sheet.lessons[0].statements
    assert (sheet.revision, word.present, word.person_id) == (2, False, school.coach.person_id)
    assert (await latest(school, second)).revision == 1
    assert await school.faults() == {}


async def test_a_coach_who_forgot_a_lesson_can_still_say_so_for_each_child(
    school: School, closed: UUID
) -> None:
    _ = closed
    first, second = school.pupils
    proposal_id = await correct(school, school.coach, await school.lesson(7), first, present=True)
    await approve(school, school.director, proposal_id)
    sheet = await latest(school, first)
    assert [facts.took_place for facts in sheet.lessons][:3] == [True, True, False]
    dispute = await school.dispute(await school.lesson(7), second)
    await school.decide(dispute, "count")
    assert [facts.took_place for facts in (await latest(school, second)).lessons][:3] == [True, False, False]


async def test_while_the_month_is_open_there_is_nothing_to_correct(school: School) -> None:
    first, _ = school.pupils
    lesson_id = await school.after_lesson(4)
    with pytest.raises(MonthOpenError):
        await correct(school, school.coach, lesson_id, first, present=True)
    with pytest.raises(ForbiddenError):
        await correct(school, school.director, lesson_id, first, present=True)
    rival = Principal(new_id(), frozenset({Grant("coach", "provider", new_id())}))
    with pytest.raises(NotFoundError):
        await correct(school, rival, lesson_id, first, present=True)


async def announce(school: School, pupil: Pupil, since: int, until: int) -> UUID:
    async with school.edge.transaction() as tx:
        (absence,) = await absences.announce(
            tx,
            pupil.guardian,
            child_id=pupil.child_id,
            since=date(2026, 9, since),
            until=date(2026, 9, until),
        )
        return absence.id


async def accept(school: School, who: Principal, absence_id: UUID) -> None:
    async with school.edge.transaction() as tx:
        await absences.accept(tx, who, absence_id)


async def test_an_absence_that_the_provider_accepts_excuses_its_days(school: School) -> None:
    first, second = school.pupils
    accepted = await announce(school, first, 5, 11)
    await announce(school, second, 5, 11)
    await accept(school, school.director, accepted)
    await accept(school, school.director, accepted)
    await school.at(WINDOWS_OVER)
    excused = [facts.on.day for facts in (await latest(school, first)).lessons if facts.excused]
    assert excused == [7, 11]
    assert not any(facts.excused for facts in (await latest(school, second)).lessons)


async def test_an_absence_is_announced_by_guardians_and_accepted_by_the_provider_in_time(
    school: School,
) -> None:
    first, second = school.pupils
    absence_id = await announce(school, first, 5, 11)
    for since, until, error in (
        (5, 11, AbsenceExistsError),
        (11, 5, AbsenceInvalidError),
    ):
        with pytest.raises(error):
            await announce(school, first, since, until)
    stranger = Pupil(second.child_id, second.enrollment_id, first.guardian)
    with pytest.raises(NotFoundError):
        await announce(school, stranger, 5, 11)
    elsewhere = Pupil(new_id(), new_id(), Principal(new_id(), frozenset()))
    guardian = Principal(new_id(), frozenset({Grant("guardian", "child", elsewhere.child_id)}))
    with pytest.raises(ChildWithoutSeatError):
        await announce(school, Pupil(elsewhere.child_id, new_id(), guardian), 5, 11)
    rival = Principal(new_id(), frozenset({Grant("director", "provider", new_id())}))
    for who, refused in ((rival, NotFoundError), (first.guardian, ForbiddenError)):
        with pytest.raises(refused):
            await accept(school, who, absence_id)
    await school.at(WINDOWS_OVER)
    with pytest.raises(MonthClosedError):
        await accept(school, school.director, absence_id)
    with pytest.raises(MonthClosedError):
        await announce(school, first, 14, 18)
