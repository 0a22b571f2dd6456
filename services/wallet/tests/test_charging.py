"""Which lessons count by the evidence rules, and what they cost: the whole table, by example."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from wallet.domain.charging import Verdict, charge, in_parts, price_in_parts
from wallet.domain.facts import Facts, LessonFacts, Said, Source
from wallet.domain.holds import FrozenRules, Lesson, Terms
from wallet.domain.working_days import due_day, is_working_day

COACH, MOTHER, FATHER, DEVICE = (UUID(int=n) for n in range(1, 5))
LESSON = Lesson(UUID(int=100), date(2026, 10, 5))
MIDNIGHT = clock.civil_moment(date(2026, 10, 9))
"""Three full days after the lesson's own are over."""
EVIDENCE: dict[str, Any] = {
    "required": ["coach"],
    "one_of": ["guardian", "device"],
    "silence_counts_after_days": 3,
}
CHARGE: dict[str, Any] = {"excused_is_paid": False, "due_on_day": 18}


def said(source: Source, person: UUID, *, present: bool = True, hour: int = 18) -> Said:
    return Said(source, person, present, datetime(2026, 10, 5, hour, tzinfo=clock.CIVIL))


def frozen(evidence: dict[str, Any] | None = None, charging: dict[str, Any] | None = None) -> FrozenRules:
    return FrozenRules(UUID(int=9), 1, EVIDENCE | (evidence or {}), CHARGE | (charging or {}))


def terms(*rules: FrozenRules, lessons: tuple[Lesson, ...] = (LESSON,), price: int = 1000) -> Terms:
    return Terms(
        UUID(int=7), UUID(int=8), "chess", price, lessons, date(2026, 10, 1), None, rules or (frozen(),)
    )


def verdict_of(
    *words: Said,
    agreed: Terms | None = None,
    until: datetime = MIDNIGHT,
    guardian_is_staff: bool = False,
    **changes: Any,  # noqa: ANN401 - any field of the facts
) -> tuple[str, str]:
    """What is said of one lesson by these words."""
    fact = replace(LessonFacts(LESSON.on, took_place=True, statements=words), **changes)
    facts = Facts(((LESSON.lesson_id, fact),), until, guardian_is_staff)
    (found,) = charge(agreed or terms(), facts).lessons
    assert (found.lesson_id, found.on) == LESSON
    return found.verdict, found.code


HERE, CONFIRMED = said("coach", COACH), said("guardian", MOTHER)
GONE = said("coach", COACH, present=False)


def test_a_lesson_that_two_sources_confirm_counts() -> None:
    assert verdict_of(HERE, CONFIRMED) == ("counts", "confirmed")
    assert verdict_of(HERE, said("device", DEVICE)) == ("counts", "confirmed")


def test_a_lesson_that_did_not_take_place_never_counts_and_one_without_facts_is_not_the_childs() -> None:
    assert verdict_of(HERE, CONFIRMED, took_place=False, decided="count") == (
        "does_not_count",
        "did_not_take_place",
    )
    nothing = charge(terms(), Facts((), MIDNIGHT, guardian_is_staff=False))
    assert nothing.lessons == ()
    assert (nothing.cost_tiyn, nothing.at_most_tiyn) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decided": "count", "disputed": True}, ("counts", "decided_count")),
        ({"decided": "do_not_count", "excused": True}, ("does_not_count", "decided_not_to_count")),
        ({"disputed": True, "excused": True}, ("disputed", "disputed")),
        ({"excused": True}, ("does_not_count", "excused")),
    ],
)
def test_a_decision_outweighs_a_dispute_and_a_dispute_an_excuse(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert verdict_of(GONE, **changes) == expected


def test_an_excused_lesson_is_paid_only_if_every_program_pays_it() -> None:
    pays = frozen(charging={"excused_is_paid": True})
    assert verdict_of(GONE, excused=True, agreed=terms(pays)) == ("counts", "excused_paid")
    assert verdict_of(GONE, excused=True, agreed=terms(pays, frozen())) == ("does_not_count", "excused")


def test_a_child_that_the_coach_did_not_see_was_not_there_whoever_else_says_so() -> None:
    assert verdict_of(GONE, CONFIRMED, said("device", DEVICE)) == ("does_not_count", "absent")


def test_a_device_that_did_not_see_the_child_contradicts_the_coach() -> None:
    missed = said("device", DEVICE, present=False)
    assert verdict_of(HERE, CONFIRMED, missed) == ("does_not_count", "contradicted")


def test_the_latest_word_of_a_source_counts_and_at_the_same_moment_the_absence() -> None:
    corrected = said("coach", FATHER, hour=20)
    assert verdict_of(GONE, CONFIRMED, corrected) == ("counts", "confirmed")
    assert verdict_of(corrected, CONFIRMED, said("coach", COACH, present=False, hour=20)) == (
        "does_not_count",
        "absent",
    )


def test_one_person_counts_for_one_source_only() -> None:
    assert verdict_of(HERE, said("guardian", COACH)) == ("does_not_count", "too_few_sources")
    # The coach is also the father: the device stands for itself, and one of the two for the other.
    assert verdict_of(HERE, said("guardian", COACH), said("device", DEVICE)) == ("counts", "confirmed")
    three = terms(frozen({"required": ["coach", "guardian"], "one_of": ["device"]}))
    assert verdict_of(HERE, said("guardian", COACH), said("device", DEVICE), agreed=three) == (
        "does_not_count",
        "too_few_sources",
    )


def test_the_assignment_that_helps_is_chosen() -> None:
    words = (HERE, said("coach", FATHER), said("guardian", FATHER))
    assert verdict_of(*words) == ("counts", "confirmed")


def test_the_silence_of_a_guardian_who_had_time_counts() -> None:
    assert verdict_of(HERE) == ("counts", "silence")
    early = clock.civil_moment(date(2026, 10, 8))
    assert verdict_of(HERE, until=early) == ("does_not_count", "too_few_sources")


def test_silence_never_stands_for_a_guardian_of_the_provider_or_where_the_rule_wants_words() -> None:
    assert verdict_of(HERE, guardian_is_staff=True) == ("does_not_count", "too_few_sources")
    strict = terms(frozen({"silence_counts_after_days": None}))
    assert verdict_of(HERE, agreed=strict) == ("does_not_count", "too_few_sources")
    devices = terms(frozen({"one_of": ["device"]}))
    assert verdict_of(HERE, agreed=devices) == ("does_not_count", "too_few_sources")


def test_a_lesson_that_nobody_of_the_required_reported_is_not_marked() -> None:
    assert verdict_of() == ("does_not_count", "not_marked")
    assert verdict_of(CONFIRMED, said("device", DEVICE)) == ("does_not_count", "not_marked")


def test_a_lesson_that_several_programs_pay_counts_by_all_of_them() -> None:
    strict = frozen({"silence_counts_after_days": None})
    assert verdict_of(HERE, CONFIRMED, agreed=terms(frozen(), strict)) == ("counts", "confirmed")
    assert verdict_of(HERE, agreed=terms(frozen(), strict)) == ("does_not_count", "too_few_sources")
    late = frozen({"one_of": []})
    assert verdict_of(HERE, agreed=terms(late, frozen())) == ("counts", "silence")


def test_lessons_cost_their_share_of_all_planned_and_disputed_ones_may_still() -> None:
    lessons = tuple(Lesson(UUID(int=100 + n), date(2026, 10, 5 + 7 * n)) for n in range(3))
    facts = [
        LessonFacts(lesson.on, took_place=True, statements=(HERE, CONFIRMED), disputed=n == 1)
        for n, lesson in enumerate(lessons)
    ]
    of_lessons = tuple((lesson.lesson_id, fact) for lesson, fact in zip(lessons, facts, strict=True))
    agreed = replace(terms(lessons=lessons), covers_from=lessons[1].on)
    found = charge(agreed, Facts(of_lessons, MIDNIGHT, guardian_is_staff=False))
    assert [one.on for one in found.lessons] == [lessons[1].on, lessons[2].on]
    assert (found.cost_tiyn, found.at_most_tiyn) == (333, 666)


@given(amount=st.integers(0, 10**12), count=st.integers(1, 100))
def test_parts_differ_by_at_most_a_tiyn_and_sum_to_the_whole(amount: int, count: int) -> None:
    parts = in_parts(amount, count)
    assert sum(parts) == amount
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


def test_each_lesson_has_its_part_of_what_counts_or_of_what_is_disputed() -> None:
    kinds = ["counts", "disputed", "counts", "does_not_count", "counts"]
    verdicts = [Verdict(UUID(int=n), LESSON.on, kind, "x") for n, kind in enumerate(kinds)]  # type: ignore[arg-type] # literals
    priced = price_in_parts(verdicts, cost_tiyn=1000, disputed_tiyn=33)
    assert [one.price_tiyn for one in priced] == [334, 33, 333, 0, 333]


@pytest.mark.parametrize(
    ("month", "created", "due"),
    [
        ("2026-10", date(2026, 11, 5), date(2026, 11, 18)),
        ("2026-09", date(2026, 10, 5), date(2026, 10, 19)),  # the 18th is a Sunday
        ("2026-09", date(2026, 10, 19), date(2026, 10, 19)),
        ("2026-09", date(2026, 10, 20), date(2026, 11, 18)),
        ("2026-02", date(2026, 3, 5), date(2026, 3, 18)),
        ("2026-11", date(2026, 12, 5), date(2026, 12, 18)),
    ],
)
def test_an_item_is_due_on_the_18th_or_the_next_working_day(month: str, created: date, due: date) -> None:
    assert due_day(month, 18, created) == due


def test_holidays_of_kazakhstan_are_no_working_days() -> None:
    assert not is_working_day(date(2026, 3, 23))
    assert not is_working_day(date(2026, 12, 16))
    assert is_working_day(date(2026, 11, 18))
