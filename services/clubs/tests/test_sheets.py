"""The rules of attendance without any server: what a report may say, what a sheet says, who may sign what."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from clubs.domain.absences import AbsenceInvalidError, check_days, months_between
from clubs.domain.disputes import DisputeStandsError, check_none_stands
from clubs.domain.lessons import (
    ChildWithoutSeatError,
    MonthClosedError,
    ReportInvalidError,
    Said,
    Seated,
    check_children,
    check_report,
    happened,
)
from clubs.domain.places import Place, Request, State
from clubs.domain.sheets import (
    STATEMENTS_MAX,
    Lesson,
    Mark,
    Records,
    Seat,
    Sheet,
    Standing,
    canonical,
    closes_at,
    digest_of,
    months_of,
    revise,
    settles_at,
    sheet_of,
)
from clubs.domain.statements import (
    Line,
    Statement,
    StatementChangedError,
    StatementOpenError,
    StatementSignedError,
    check_signing,
    in_parts,
)

NOON = datetime(2026, 9, 4, 12, tzinfo=UTC)
SEAT = Seat(UUID(int=1), UUID(int=2), date(2026, 9, 1), date(2027, 1, 1))
FIRST = Lesson(UUID(int=11), date(2026, 9, 4), NOON, took_place=True)
SECOND = Lesson(UUID(int=12), date(2026, 9, 7), NOON + timedelta(days=3), took_place=False)
RECORDS = Records(UUID(int=3), UUID(int=4), "2026-09", (FIRST, SECOND))
COACH, OTHER, PARENT = UUID(int=21), UUID(int=22), UUID(int=23)


def with_marks(*marks: Mark) -> Records:
    return replace(RECORDS, marks={(SEAT.enrollment_id, FIRST.id): marks})


def said(records: Records, seat: Seat = SEAT) -> tuple[Mark, ...]:
    return sheet_of(records, seat).facts[0].marks


def mark(person: UUID, *, present: bool, minute: int = 0, corrects: bool = False) -> Mark:
    source = "guardian" if person == PARENT else "coach"
    return Mark(source, person, present, NOON + timedelta(minutes=minute), corrects)  # type: ignore[arg-type] # one of both


def test_a_lesson_took_place_if_the_latest_coach_says_so_or_else_a_device_saw_somebody() -> None:
    assert happened(coach_says=True, device_saw_somebody=False)
    assert not happened(coach_says=False, device_saw_somebody=True)
    assert happened(coach_says=None, device_saw_somebody=True)
    assert not happened(coach_says=None, device_saw_somebody=False)


def test_a_report_names_each_child_once_and_none_if_there_was_no_lesson() -> None:
    child, other = Said(UUID(int=2), present=True), Said(UUID(int=5), present=False)
    check_report([child, other], took_place=True)
    check_report([], took_place=False)
    with pytest.raises(ReportInvalidError) as refusal:
        check_report([child, other, child], took_place=True)
    assert (refusal.value.stable_code, refusal.value.values) == ("child_repeated", {"place": 2})
    with pytest.raises(ReportInvalidError) as refusal:
        check_report([child], took_place=False)
    assert refusal.value.stable_code == "children_of_no_lesson"


def test_one_child_that_cannot_be_marked_refuses_all_and_is_named() -> None:
    here, gone, closed = (UUID(int=number) for number in (2, 5, 6))
    seated = {id_: Seated(id_, UUID(int=1), closed=id_ == closed) for id_ in (here, closed)}
    marked = check_children([Said(here, present=True)], seated, month_closed=False)
    assert marked == [seated[here]]
    with pytest.raises(ChildWithoutSeatError) as without:
        check_children([Said(here, present=True), Said(gone, present=True)], seated, month_closed=False)
    assert without.value.values == {"place": 1}
    with pytest.raises(MonthClosedError) as shut:
        check_children([Said(here, present=True), Said(closed, present=True)], seated, month_closed=False)
    assert shut.value.values == {"place": 1}
    with pytest.raises(MonthClosedError):
        check_children([Said(here, present=True)], seated, month_closed=True)


@pytest.mark.parametrize(
    ("month", "ends_before", "closes"),
    [
        ("2026-09", date(2027, 1, 1), "2026-10-05T00:00:00+05:00"),
        ("2026-09", date(2026, 10, 1), "2026-10-05T00:00:00+05:00"),
        ("2026-09", date(2026, 9, 30), "2026-10-04T00:00:00+05:00"),
        ("2026-09", date(2026, 9, 15), "2026-09-19T00:00:00+05:00"),
        ("2026-12", date(2027, 6, 1), "2027-01-05T00:00:00+05:00"),
        ("2028-02", date(2028, 3, 1), "2028-03-05T00:00:00+05:00"),
    ],
)
def test_windows_are_over_on_the_fifth_or_four_full_days_after_the_last_day(
    month: str, ends_before: date, closes: str
) -> None:
    assert closes_at(month, ends_before) == datetime.fromisoformat(closes)


def test_a_sheet_has_the_lessons_within_the_days_of_the_seat() -> None:
    for starts, ends, expected in (
        (date(2026, 9, 1), date(2027, 1, 1), [FIRST, SECOND]),
        (date(2026, 9, 4), date(2026, 9, 7), [FIRST]),
        (date(2026, 9, 5), date(2026, 9, 8), [SECOND]),
        (date(2026, 9, 4), date(2026, 9, 4), []),
    ):
        sheet = sheet_of(RECORDS, replace(SEAT, starts_on=starts, ends_before=ends))
        assert [facts.lesson for facts in sheet.facts] == expected


def test_the_latest_word_of_each_person_holds_and_two_persons_stay_two() -> None:
    records = with_marks(
        mark(COACH, present=False), mark(OTHER, present=True, minute=1), mark(COACH, present=True, minute=2)
    )
    assert {(one.person_id, one.present) for one in said(records)} == {(COACH, True), (OTHER, True)}


def test_a_correction_replaces_what_coaches_said_and_leaves_what_guardians_said() -> None:
    records = with_marks(
        mark(COACH, present=False),
        mark(PARENT, present=True),
        mark(OTHER, present=True, minute=5, corrects=True),
    )
    assert {(one.person_id, one.present) for one in said(records)} == {(OTHER, True), (PARENT, True)}


def test_a_correction_to_present_means_that_the_lesson_took_place_for_this_child() -> None:
    for present in (True, False):
        records = replace(
            RECORDS,
            marks={(SEAT.enrollment_id, SECOND.id): (mark(COACH, present=present, corrects=True),)},
        )
        assert [facts.took_place for facts in sheet_of(records, SEAT).facts] == [True, present]
        stranger = replace(SEAT, enrollment_id=UUID(int=9))
        assert [facts.took_place for facts in sheet_of(records, stranger).facts] == [True, False]


def test_no_more_statements_than_an_event_takes_and_the_latest_of_them() -> None:
    people = [UUID(int=100 + number) for number in range(STATEMENTS_MAX + 5)]
    records = with_marks(*(mark(person, present=True, minute=number) for number, person in enumerate(people)))
    assert {one.person_id for one in said(records)} == set(people[5:])


def test_absences_and_disputes_are_facts_of_their_day_and_child_only() -> None:
    records = replace(
        RECORDS,
        absences={SEAT.child_id: [(date(2026, 9, 5), date(2026, 9, 7))]},
        disputes={(SEAT.enrollment_id, FIRST.id): Standing(UUID(int=31), None)},
    )
    first, second = json.loads(canonical(sheet_of(records, SEAT).content()))["lessons"]
    assert (first["excused"], first["disputed"], first["decided"]) == (False, True, None)
    assert (second["excused"], second["disputed"], second["decided"]) == (True, False, None)
    decided = replace(
        records, disputes={(SEAT.enrollment_id, FIRST.id): Standing(UUID(int=31), "do_not_count")}
    )
    first, _ = json.loads(canonical(sheet_of(decided, SEAT).content()))["lessons"]
    assert (first["disputed"], first["decided"]) == (False, "do_not_count")
    other = sheet_of(records, replace(SEAT, child_id=UUID(int=8), enrollment_id=UUID(int=9)))
    assert not any(facts.excused or facts.dispute for facts in other.facts)


def test_the_digest_does_not_depend_on_the_order_in_which_things_were_recorded() -> None:
    one, two = mark(COACH, present=True), mark(PARENT, present=True, minute=1)
    assert canonical(sheet_of(with_marks(one, two), SEAT).content()) == canonical(
        sheet_of(with_marks(two, one), SEAT).content()
    )


def test_the_digest_depends_on_every_fact() -> None:
    sheet = sheet_of(with_marks(mark(COACH, present=True)), SEAT)
    others: list[Sheet] = [
        sheet_of(with_marks(mark(COACH, present=False)), SEAT),
        sheet_of(with_marks(mark(OTHER, present=True)), SEAT),
        sheet_of(with_marks(mark(COACH, present=True, minute=1)), SEAT),
        sheet_of(RECORDS, SEAT),
        replace(sheet, guardian_is_staff=True),
        replace(sheet, guardians_until=sheet.guardians_until - timedelta(days=1)),
        replace(sheet, month="2026-10"),
        replace(sheet, facts=sheet.facts[:1]),
        replace(sheet, facts=(replace(sheet.facts[0], excused=True), sheet.facts[1])),
        replace(sheet, facts=(replace(sheet.facts[0], took_place=False), sheet.facts[1])),
        replace(sheet, facts=(replace(sheet.facts[0], dispute=Standing(UUID(int=31), None)), sheet.facts[1])),
    ]
    digests = {digest_of(canonical(one.content())) for one in (sheet, *others)}
    assert len(digests) == len(others) + 1


def test_there_is_a_next_revision_only_if_there_is_something_new() -> None:
    sheet = sheet_of(RECORDS, SEAT)
    first = revise(sheet, None)
    assert first is not None
    assert first.number == 1
    assert first.digest == digest_of(first.text)
    assert revise(sheet, (1, first.digest)) is None
    changed = revise(replace(sheet, guardian_is_staff=True), (1, first.digest))
    assert changed is not None
    assert changed.number == 2
    nothing = replace(sheet, facts=())
    assert revise(nothing, None) is None
    emptied = revise(nothing, (3, first.digest))
    assert emptied is not None
    assert emptied.number == 4


def place(state: State, starts: date | None, ends: date | None, code: str | None = None) -> Place:
    request = Request(UUID(int=1), UUID(int=2), 1, date(2026, 9, 1), 0, NOON)
    return Place(request, state, starts_on=starts, ends_before=ends, code=code)


def test_a_seat_settles_by_itself_when_it_ended_or_came_late() -> None:
    year_end = date(2027, 1, 1)
    reserved = place("reserved", date(2026, 9, 1), year_end)
    assert settles_at(reserved, NOON) is None
    late = datetime(2026, 10, 20, tzinfo=UTC)
    assert settles_at(reserved, late) == late
    freed = place("freed", date(2026, 9, 1), date(2026, 9, 15))
    assert settles_at(freed, NOON) == closes_at("2026-09", date(2026, 9, 15))
    assert settles_at(freed, late) == late
    assert settles_at(replace(freed, code="group_closed"), NOON) is None
    assert settles_at(place("freed", date(2026, 9, 20), date(2026, 9, 20)), NOON) is None
    assert settles_at(place("waiting", None, None), NOON) is None
    assert settles_at(place("offered", date(2026, 9, 1), year_end), late) is None


def test_the_months_of_a_seat_are_those_of_its_days() -> None:
    assert months_of(SEAT) == ["2026-09", "2026-10", "2026-11", "2026-12"]
    assert months_of(replace(SEAT, ends_before=date(2026, 10, 1))) == ["2026-09"]
    assert months_of(replace(SEAT, ends_before=date(2026, 9, 1))) == []


STATEMENT = Statement(UUID(int=1), 3, UUID(int=4), "2026-09", 1, "ready", None, None)


def test_a_director_signs_once_what_is_complete_and_what_they_saw() -> None:
    check_signing(STATEMENT, version=3)
    for statement, version, error in (
        (STATEMENT, 2, StatementChangedError),
        (STATEMENT, 4, StatementChangedError),
        (replace(STATEMENT, state="open"), 3, StatementOpenError),
        (replace(STATEMENT, state="signed"), 3, StatementSignedError),
    ):
        with pytest.raises(error):
            check_signing(statement, version=version)


def test_a_long_statement_is_told_in_numbered_parts() -> None:
    lines = [Line(UUID(int=number), 1, "0" * 64) for number in range(5)]
    assert [(number, len(part)) for number, part in in_parts(lines, 2)] == [(1, 2), (2, 2), (3, 1)]


def test_a_dispute_that_stands_keeps_out_the_next_one() -> None:
    check_none_stands(None)
    for state, code in (("open", "dispute_open"), ("decided", "dispute_decided")):
        with pytest.raises(DisputeStandsError) as refusal:
            check_none_stands(state)  # type: ignore[arg-type] # one of both
        assert refusal.value.stable_code == code


def test_an_absence_is_a_month_at_most() -> None:
    check_days(date(2026, 9, 1), date(2026, 9, 1))
    check_days(date(2026, 9, 1), date(2026, 10, 1))
    for since, until, code in (
        (date(2026, 9, 2), date(2026, 9, 1), "absence_reversed"),
        (date(2026, 9, 1), date(2026, 10, 2), "absence_too_long"),
    ):
        with pytest.raises(AbsenceInvalidError) as refusal:
            check_days(since, until)
        assert refusal.value.stable_code == code
    assert months_between(date(2026, 9, 28), date(2026, 10, 3)) == ["2026-09", "2026-10"]
    assert months_between(date(2026, 9, 1), date(2026, 9, 30)) == ["2026-09"]
