"""Marks and closing on real PostgreSQL: who may say what until when, and what a closed month tells."""

import asyncio
from collections.abc import Awaitable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from clubs import tables
from clubs.domain.groups import ClosesInPastError
from clubs.domain.lessons import ChildWithoutSeatError, LessonNotBegunError, MonthClosedError, Said
from clubs.main import service as clubs
from clubs.testing import SEPTEMBER, WINDOWS_OVER, School
from clubs.usecases import groups, lessons, seats, sheets
from shared.database import new_id
from shared.errors import ForbiddenError, NotFoundError
from shared.events.attendance import AttendanceClosed, LessonMarked
from shared.events.enrollment import SeatRequested
from shared.security import Grant, Principal
from shared.testing import published, set_clock
from shared.timekeeper import Timekeeper

LESSON_DAYS = [4, 7, 11, 14, 18, 21, 25, 28]
"""The Mondays and Fridays of September 2026."""


async def count(school: School, table: sa.Table) -> int:
    async with school.edge.transaction() as tx:
        number: int = (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
        return number


def of_day(sheet: AttendanceClosed, day: int) -> Any:  # noqa: ANN401 - a part of the event
    (facts,) = [facts for facts in sheet.lessons if facts.on.day == day]
    return facts


async def test_a_month_is_closed_with_what_each_source_said(school: School) -> None:
    first, second = school.pupils
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, [first], [second])
    await school.confirm(lesson_id, first)
    async with school.edge.transaction() as tx:
        seen = [Said(first.child_id, present=True)]
        await lessons.report(tx, school.device, lesson_id, source="device", children=seen)
    await school.at(WINDOWS_OVER)
    one, two = await school.sheets()
    assert [facts.on.day for facts in one.lessons] == LESSON_DAYS
    assert (one.enrollment_id, one.revision, one.guardians_until) == (first.enrollment_id, 1, WINDOWS_OVER)
    said = {(word.source, word.person_id, word.present) for word in of_day(one, 4).statements}
    assert said == {
        ("coach", school.coach.person_id, True),
        ("guardian", first.guardian.person_id, True),
        ("device", school.device.person_id, True),
    }
    (word,) = of_day(two, 4).statements
    assert (word.source, word.present) == ("coach", False)
    assert [facts.took_place for facts in one.lessons] == [True] + [False] * 7
    assert await school.faults() == {}


async def test_each_report_is_told_and_a_confirmation_is_not(school: School) -> None:
    first, second = school.pupils
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, [first], [second])
    await school.confirm(lesson_id, first)
    await school.mark(lesson_id, took_place=False)
    told = [event for event in await published(school.edge) if isinstance(event, LessonMarked)]
    assert [event.took_place for event in told] == [True, False]
    assert [(child.child_id, child.enrollment_id, child.present) for child in told[0].children] == [
        (first.child_id, first.enrollment_id, True),
        (second.child_id, second.enrollment_id, False),
    ]


async def test_a_lesson_that_the_coach_takes_back_did_not_take_place(school: School) -> None:
    (first, _) = school.pupils
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, [first])
    await school.mark(lesson_id, took_place=False)
    await school.at(WINDOWS_OVER)
    one, _ = await school.sheets()
    assert not of_day(one, 4).took_place
    assert of_day(one, 4).statements[0].present


async def test_a_guardian_confirms_once_however_often(school: School) -> None:
    lesson_id = await school.after_lesson(4)
    for _ in range(3):
        await school.confirm(lesson_id, school.pupils[0])
    assert await count(school, tables.marks) == 1


async def test_nobody_marks_what_is_still_to_come_or_is_not_there(school: School) -> None:
    first, _ = school.pupils
    with pytest.raises(LessonNotBegunError):
        await school.mark(await school.lesson(4), [first])
    with pytest.raises(LessonNotBegunError):
        await school.confirm(await school.lesson(4), first)
    with pytest.raises(NotFoundError):
        await school.mark(new_id(), [first])
    assert await count(school, tables.reports) == 0


async def test_a_child_is_marked_on_the_days_of_its_seat_only(school: School) -> None:
    first, second = school.pupils
    late = await school.seat(date(2026, 9, 8))
    await school.end(second, date(2026, 9, 8))
    before, after = await school.after_lesson(7), await school.after_lesson(11)
    await school.mark(before, [first, second])
    await school.mark(after, [first, late])
    for lesson_id, pupil in ((before, late), (after, second)):
        with pytest.raises(ChildWithoutSeatError):
            await school.mark(lesson_id, [first, pupil])
        with pytest.raises(ChildWithoutSeatError):
            await school.confirm(lesson_id, pupil)
    assert await count(school, tables.marks) == 4


async def test_only_coaches_and_devices_of_the_provider_report(school: School) -> None:
    lesson_id = await school.after_lesson(4)
    rival = Principal(new_id(), frozenset({Grant("coach", "provider", new_id())}))
    for who, source, error in (
        (rival, "coach", NotFoundError),
        (school.director, "coach", ForbiddenError),
        (school.device, "coach", ForbiddenError),
        (school.coach, "device", ForbiddenError),
        (school.pupils[0].guardian, "coach", ForbiddenError),
    ):
        with pytest.raises(error):
            async with school.edge.transaction() as tx:
                await lessons.report(tx, who, lesson_id, source=source, took_place=True, children=[])  # type: ignore[arg-type] # one of both
    with pytest.raises(NotFoundError):
        async with school.edge.transaction() as tx:
            await lessons.confirm(tx, school.pupils[0].guardian, lesson_id, school.pupils[1].child_id)
    with pytest.raises(ForbiddenError):
        async with school.edge.transaction() as tx:
            await lessons.confirm(tx, school.coach, lesson_id, school.pupils[1].child_id)
    assert await count(school, tables.reports) == 0


async def test_nothing_is_marked_once_the_month_is_closed(school: School) -> None:
    lesson_id = await school.after_lesson(4)
    await school.at(WINDOWS_OVER)
    for attempt in (
        school.mark(lesson_id, school.pupils),
        school.mark(lesson_id, took_place=False),
        school.confirm(lesson_id, school.pupils[0]),
    ):
        with pytest.raises(MonthClosedError):
            await attempt
    assert await count(school, tables.marks) == 0


async def test_closing_again_changes_nothing(school: School) -> None:
    await school.at(WINDOWS_OVER)
    before = await published(school.edge)
    for pupil in school.pupils:
        async with school.edge.transaction() as tx:
            await sheets.close_months(tx, school.group_id)
            await sheets.settle_seat(tx, pupil.enrollment_id)
    assert await published(school.edge) == before
    assert len(await school.sheets()) == 2


async def test_a_closing_that_is_cut_off_leaves_nothing_and_is_done_again(school: School) -> None:
    await set_clock(school.database, WINDOWS_OVER)

    async def be_cut_off() -> None:
        async with school.edge.transaction() as tx:
            await sheets.close_months(tx, school.group_id)
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        await be_cut_off()
    assert await count(school, tables.sheets) == 0
    await school.act_on_deadlines()
    assert [sheet.revision for sheet in await school.sheets()] == [1, 1]
    assert await school.faults() == {}


async def test_nothing_is_closed_before_the_windows_are_over_and_each_month_by_itself(school: School) -> None:
    await school.at("2026-10-04T23:59:00+05:00")
    assert await school.sheets() == []
    await school.at(WINDOWS_OVER)
    assert [sheet.month for sheet in await school.sheets()] == [SEPTEMBER] * 2
    await school.at("2026-12-20T12:00:00+05:00")
    assert [sheet.month for sheet in await school.sheets()] == [
        month for month in (SEPTEMBER, "2026-10", "2026-11") for _ in school.pupils
    ]
    await school.at("2027-03-01T12:00:00+05:00")
    assert len(await school.sheets()) == 8
    assert await school.faults() == {}


async def test_a_child_that_left_is_closed_four_days_after_its_last_day(school: School) -> None:
    first, second = school.pupils
    await school.mark(await school.after_lesson(4), [first, second])
    await school.end(first, date(2026, 9, 8))
    await school.at("2026-09-11T23:59:00+05:00")
    assert await school.sheets() == []
    await school.at("2026-09-12T00:00:00+05:00")
    (sheet,) = await school.sheets()
    assert (sheet.enrollment_id, [facts.on.day for facts in sheet.lessons]) == (first.enrollment_id, [4, 7])
    assert sheet.guardians_until.isoformat() == "2026-09-11T19:00:00+00:00"
    with pytest.raises(MonthClosedError):
        await school.mark(await school.lesson(7), [second, first])
    with pytest.raises(MonthClosedError):  # it would say otherwise of a lesson on a closed sheet
        await school.mark(await school.lesson(4), took_place=False)
    await school.mark(await school.lesson(4), absent=[second])
    await school.at(WINDOWS_OVER)
    assert [sheet.enrollment_id for sheet in await school.sheets()] == [
        first.enrollment_id,
        second.enrollment_id,
    ]
    assert await school.faults() == {}


async def test_a_child_without_a_lesson_has_no_sheet(school: School) -> None:
    first, _ = school.pupils
    await school.end(first, date(2026, 9, 4))
    await school.at(WINDOWS_OVER)
    assert len(await school.sheets()) == 1
    assert await school.faults() == {}


async def test_an_end_that_is_heard_of_late_makes_the_next_revision(school: School) -> None:
    first, _ = school.pupils
    await school.at(WINDOWS_OVER)
    await school.end(first, date(2026, 9, 15))
    await school.act_on_deadlines()
    sheet = (await school.sheets())[-1]
    assert (sheet.enrollment_id, sheet.revision) == (first.enrollment_id, 2)
    assert [facts.on.day for facts in sheet.lessons] == [4, 7, 11, 14]
    await school.end(first, date(2026, 9, 1))
    await school.act_on_deadlines()
    sheet = (await school.sheets())[-1]
    assert (sheet.revision, sheet.lessons) == (3, ())
    assert await school.faults() == {}


async def test_a_seat_that_came_to_nothing_is_looked_at_once(school: School) -> None:
    first, _ = school.pupils
    await school.at("2026-09-20T12:00:00+05:00")
    await school.end(first, date(2026, 9, 1))
    timekeeper = Timekeeper(school.edge, clubs.events)
    assert [await timekeeper.once(), await timekeeper.once()] == [1, 0]
    assert await school.sheets() == []
    assert await school.faults() == {}


async def test_a_seat_that_is_heard_of_late_has_its_sheet_too(school: School) -> None:
    await school.at(WINDOWS_OVER)
    async with school.edge.transaction() as tx:
        wanted = SeatRequested(
            child_id=new_id(),
            enrollment_id=new_id(),
            group_id=school.group_id,
            attempt=1,
            starts_on=date(2026, 9, 20),
            priority=0,
            requested_at=tx.now,
        )
        await seats.serve(tx, [(tx, wanted)])
    assert await school.faults() == {}
    await school.act_on_deadlines()
    sheet = (await school.sheets())[-1]
    assert (sheet.enrollment_id, sheet.revision) == (wanted.enrollment_id, 1)
    assert [facts.on.day for facts in sheet.lessons] == [21, 25, 28]
    assert await school.faults() == {}


async def test_a_group_that_ends_early_is_closed_early(school: School) -> None:
    await school.after_lesson(14)
    async with school.edge.transaction() as tx:
        await groups.close_group(tx, school.director, school.group_id, date(2026, 9, 16))
    await school.at("2026-09-19T23:59:00+05:00")
    assert await school.sheets() == []
    await school.at("2026-09-20T00:00:00+05:00")
    assert [[facts.on.day for facts in sheet.lessons] for sheet in await school.sheets()] == [
        [4, 7, 11, 14]
    ] * 2
    assert [statement.state for statement in await school.statements()] == ["ready"]
    assert await school.faults() == {}


async def test_a_group_does_not_close_before_a_lesson_that_has_begun(school: School) -> None:
    lesson_id = await school.after_lesson(14)
    await school.mark(lesson_id, school.pupils)
    with pytest.raises(ClosesInPastError):
        async with school.edge.transaction() as tx:
            await groups.close_group(tx, school.director, school.group_id, date(2026, 9, 14))
    assert await school.faults() == {}


async def test_a_guardian_who_works_for_the_provider_is_told_of(school: School) -> None:
    first, second = school.pupils
    await school.know(first.guardian)
    await school.know(second.guardian)
    staff = Principal(first.guardian.person_id, frozenset({Grant("coach", "provider", school.provider_id)}))
    await school.know(staff)
    await school.at(WINDOWS_OVER)
    assert {sheet.enrollment_id: sheet.guardian_is_staff for sheet in await school.sheets()} == {
        first.enrollment_id: True,
        second.enrollment_id: False,
    }


async def test_what_was_said_and_closed_cannot_be_changed_by_the_service(school: School) -> None:
    await school.mark(await school.after_lesson(4), school.pupils)
    await school.at(WINDOWS_OVER)
    for table in (tables.marks, tables.reports, tables.sheets):
        column = table.columns.values()[1]
        for change in (sa.update(table).values({column: column}), sa.delete(table)):
            with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
                async with school.edge.transaction() as tx:
                    await tx.execute(change)


async def _after(first: Awaitable[object], second: Awaitable[object]) -> list[object]:
    return list(await asyncio.gather(first, second, return_exceptions=True))


async def test_a_mark_beside_a_closing_is_on_the_sheet_or_refused(school: School) -> None:
    first, _ = school.pupils
    lesson_id = await school.after_lesson(28)
    await set_clock(school.database, WINDOWS_OVER)
    marked, written = asyncio.Event(), asyncio.Event()

    async def mark() -> None:
        async with school.edge.transaction() as tx:
            said = [Said(first.child_id, present=True)]
            await lessons.report(tx, school.coach, lesson_id, source="coach", took_place=True, children=said)
            marked.set()
            await asyncio.sleep(0.3)
        written.set()

    async def close() -> bool:
        await marked.wait()
        async with school.edge.transaction() as tx:
            await sheets.close_months(tx, school.group_id)
            return written.is_set()

    _, waited = await asyncio.gather(mark(), close())
    assert waited
    sheet = (await school.sheets())[0]
    assert of_day(sheet, 28).statements[0].present
    with pytest.raises(MonthClosedError):
        await mark()
    assert await school.faults() == {}


async def test_of_two_closings_at_once_one_tells_and_the_other_finds_nothing(school: School) -> None:
    await set_clock(school.database, WINDOWS_OVER)

    async def close() -> None:
        async with school.edge.transaction() as tx:
            await sheets.close_months(tx, school.group_id)
            await asyncio.sleep(0.1)

    assert await _after(close(), close()) == [None, None]
    assert [sheet.revision for sheet in await school.sheets()] == [1, 1]
    assert await school.faults() == {}
