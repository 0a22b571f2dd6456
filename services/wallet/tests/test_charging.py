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
from wallet.domain.formulas import Month, price
from wallet.domain.holds import FrozenRules, Lesson, Terms
from wallet.domain.working_days import due_day, is_working_day
from wallet.usecases.plans import ChargeRule, EvidenceRule

COACH, MOTHER, FATHER, DEVICE = (UUID(int=n) for n in range(1, 5))
LESSON = Lesson(UUID(int=100), date(2026, 10, 5))
MIDNIGHT = clock.civil_moment(date(2026, 10, 9))
"""Three full days after the lesson's own are over."""
EVIDENCE: dict[str, Any] = {
    "required": ["coach"],
    "one_of": ["guardian", "device"],
    "silence_counts_after_days": 3,
}
CHARGE: dict[str, Any] = {"formula": "counted_over_planned", "excused_is_paid": False, "due_on_day": 18}


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


def charged(agreed: Terms, *kinds: str) -> tuple[int, int]:
    """What a month of such lessons costs at least and at most: y counts, d is disputed, n does not count."""
    facts = [
        LessonFacts(lesson.on, took_place=True, statements=(HERE,) * (kind != "n"), disputed=kind == "d")
        for lesson, kind in zip(agreed.lessons, "".join(kinds), strict=False)
    ]
    of_lessons = tuple((lesson.lesson_id, fact) for lesson, fact in zip(agreed.lessons, facts, strict=False))
    found = charge(agreed, Facts(of_lessons, MIDNIGHT, guardian_is_staff=False))
    return found.cost_tiyn, found.at_most_tiyn


WEEKLY = tuple(Lesson(UUID(int=100 + day), date(2026, 10, 1 + day)) for day in range(8))
FLAT = frozen({"one_of": []}, {"formula": "flat"})


def threshold(percent: int, below: str) -> FrozenRules:
    charging = {"formula": "threshold", "threshold_percent": percent, "below_threshold": below}
    return frozen({"one_of": []}, charging)


@pytest.mark.parametrize(
    ("rules", "kinds", "amounts"),
    [
        (FLAT, "nnnnnnnn", (0, 0)),
        (FLAT, "nnnnnnny", (1000, 1000)),
        (FLAT, "nnnnnnnd", (0, 1000)),
        (FLAT, "yddddddd", (1000, 1000)),
        (threshold(75, "per_lesson"), "yyyyyynn", (1000, 1000)),  # six of eight are 75 %
        (threshold(76, "per_lesson"), "yyyyyynn", (750, 750)),
        (threshold(75, "nothing"), "yyyyynnn", (0, 0)),
        (threshold(75, "nothing"), "yyyyydnn", (0, 1000)),
        (threshold(75, "per_lesson"), "yyyyydnn", (625, 1000)),
        (threshold(1, "nothing"), "nnnnnnnn", (0, 0)),
        (threshold(75, "per_lesson"), "yyyn", (500, 500)),  # the child left: of its own four it had three
    ],
)
def test_a_month_is_paid_by_its_charge_rule(rules: FrozenRules, kinds: str, amounts: tuple[int, int]) -> None:
    assert charged(terms(rules, lessons=WEEKLY), kinds) == amounts


def test_of_several_programs_the_rule_that_asks_least_says_what_the_month_costs() -> None:
    per_lesson = frozen({"one_of": []})
    assert charged(terms(FLAT, per_lesson, lessons=WEEKLY), "yynnnnnn") == (250, 250)
    assert charged(terms(threshold(50, "nothing"), FLAT, lessons=WEEKLY), "yynnnnnn") == (0, 0)


def test_the_whole_of_a_month_begun_in_its_middle_is_the_share_of_the_own_lessons() -> None:
    late = replace(terms(FLAT, lessons=WEEKLY), covers_from=WEEKLY[5].on)
    assert charged(late, "nnnnnynn") == (375, 375)


RULES = st.one_of(
    st.just(CHARGE),
    st.just(CHARGE | {"formula": "flat"}),
    st.builds(
        lambda percent, below: threshold(percent, below).charge,
        st.integers(1, 100),
        st.sampled_from(["per_lesson", "nothing"]),
    ),
)


@given(rule=RULES, amount=st.integers(0, 2**53), planned=st.integers(1, 31), data=st.data())
def test_more_lessons_never_cost_less_and_never_more_than_is_held(
    rule: dict[str, Any], amount: int, planned: int, data: st.DataObject
) -> None:
    month = Month(amount, planned, own=data.draw(st.integers(1, planned)))
    prices = [price(rule, month, counting) for counting in range(month.own + 1)]
    assert prices == sorted(prices)
    assert (prices[0], prices[-1]) == (0, amount * month.own // planned)


def test_as_many_of_the_other_sources_as_the_rule_wants_must_agree() -> None:
    both = terms(frozen({"agreeing_min": 2}))
    device = said("device", DEVICE)
    assert verdict_of(HERE, CONFIRMED, device, agreed=both) == ("counts", "confirmed")
    assert verdict_of(HERE, CONFIRMED, agreed=both) == ("does_not_count", "too_few_sources")
    assert verdict_of(HERE, device, agreed=both) == ("counts", "silence")  # which stands for the guardian
    assert verdict_of(HERE, agreed=both) == ("does_not_count", "too_few_sources")
    any_two = terms(frozen({"required": [], "one_of": ["coach", "guardian", "device"], "agreeing_min": 2}))
    assert verdict_of(CONFIRMED, device, agreed=any_two) == ("counts", "confirmed")
    assert verdict_of(said("guardian", COACH), HERE, agreed=any_two) == ("does_not_count", "too_few_sources")


@pytest.mark.parametrize(
    "rule",
    [
        {"required": [], "one_of": []},
        {"required": ["coach"], "one_of": ["coach"]},
        {"one_of": ["device", "device"]},
        {"one_of": ["device"], "agreeing_min": 2},
        {"one_of": [], "agreeing_min": 2},
    ],
)
def test_an_evidence_rule_that_nobody_or_everybody_could_meet_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"source|agreeing_min"):
        EvidenceRule.model_validate(rule)


@pytest.mark.parametrize(
    "rule",
    [
        {"formula": "threshold"},
        {"formula": "threshold", "threshold_percent": 75},
        {"formula": "flat", "threshold_percent": 75},
        {"below_threshold": "nothing"},
        {"formula": "threshold", "threshold_percent": 0, "below_threshold": "nothing"},
        {"formula": "by_mood"},
    ],
)
def test_a_charge_rule_has_all_that_its_formula_needs_and_nothing_else(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"threshold|formula"):
        ChargeRule.model_validate(rule)


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
