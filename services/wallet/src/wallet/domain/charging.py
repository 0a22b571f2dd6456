"""What a month costs: which of its lessons count by the frozen evidence rules, and their share of the price.

Pure: `charge(terms, facts)` under another version of the rules is a call with other terms.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations, product
from typing import Any, Literal, NamedTuple
from uuid import UUID

from shared import clock
from wallet.domain.facts import Facts, LessonFacts, Said, Source
from wallet.domain.formulas import Month, price
from wallet.domain.holds import Lesson, Terms, covered


class Verdict(NamedTuple):
    """Whether a lesson is paid, and why."""

    lesson_id: UUID
    on: date
    verdict: Literal["counts", "does_not_count", "disputed"]
    code: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of the lessons that the child had a seat for; and what those that count cost."""

    lessons: tuple[Verdict, ...]
    cost_tiyn: int
    """What must be captured."""
    at_most_tiyn: int
    """What it becomes if every dispute is decided to count."""


class PricedVerdict(NamedTuple):
    """A verdict with its part of the month's cost."""

    verdict: Verdict
    price_tiyn: int


def charge(terms: Terms, facts: Facts) -> Verdicts:
    """The verdict of each lesson that the terms cover, and what they cost together.

    A lesson that the facts do not have is none of the child's: it had left by then, or had no seat yet.
    """
    known = dict(facts.lessons)
    verdicts = tuple(
        _judge(terms, facts, lesson, known[lesson.lesson_id])
        for lesson in covered(terms.lessons, terms.covers_from, terms.covers_until)
        if lesson.lesson_id in known
    )
    counting = sum(one.verdict == "counts" for one in verdicts)
    disputed = sum(one.verdict == "disputed" for one in verdicts)
    return Verdicts(verdicts, _cost(terms, verdicts, counting), _cost(terms, verdicts, counting + disputed))


def _cost(terms: Terms, own: Sequence[Verdict], counting: int) -> int:
    """Of several programs that pay, the one whose rule asks least says what the month costs."""
    month = Month(terms.price_tiyn, planned=len(terms.lessons), own=len(own))
    return min(price(rules.charge, month, counting) for rules in terms.rules)


def price_in_parts(verdicts: Iterable[Verdict], *, cost_tiyn: int, disputed_tiyn: int) -> list[PricedVerdict]:
    """Each lesson's part: of the cost if it counts, of the disputed amount if it is disputed."""
    lessons = list(verdicts)
    parts = {
        verdict: iter(in_parts(amount, sum(one.verdict == verdict for one in lessons)))
        for verdict, amount in (("counts", cost_tiyn), ("disputed", disputed_tiyn))
    }
    return [PricedVerdict(one, next(parts[one.verdict]) if one.verdict in parts else 0) for one in lessons]


def in_parts(amount: int, count: int) -> list[int]:
    """The amount in so many equal parts; what is left over goes to the first ones, a tiyn each."""
    if not count:
        return []
    part, left = divmod(amount, count)
    return [part + (place < left) for place in range(count)]


def _judge(terms: Terms, facts: Facts, lesson: Lesson, fact: LessonFacts) -> Verdict:
    if not fact.took_place:
        return _no(lesson, "did_not_take_place")
    if fact.decided is not None:
        counts = fact.decided == "count"
        return _yes(lesson, "decided_count") if counts else _no(lesson, "decided_not_to_count")
    if fact.disputed:
        return Verdict(*lesson, "disputed", "disputed")
    if fact.excused:
        paid = all(rules.charge["excused_is_paid"] for rules in terms.rules)
        return _yes(lesson, "excused_paid") if paid else _no(lesson, "excused")
    return _by_evidence(terms, facts, lesson, fact)


def _by_evidence(terms: Terms, facts: Facts, lesson: Lesson, fact: LessonFacts) -> Verdict:
    """A lesson that several programs pay counts only if it counts for each of them."""
    codes = [_weigh(rules.evidence, facts, lesson, fact) for rules in terms.rules]
    refusal = next((code for code in codes if code not in _ENOUGH), None)
    if refusal is not None:
        return _no(lesson, refusal)
    return _yes(lesson, "silence" if "silence" in codes else "confirmed")


_ENOUGH = frozenset({"confirmed", "silence"})


def _yes(lesson: Lesson, code: str) -> Verdict:
    return Verdict(*lesson, "counts", code)


def _no(lesson: Lesson, code: str) -> Verdict:
    return Verdict(*lesson, "does_not_count", code)


def _weigh(rule: Mapping[str, Any], facts: Facts, lesson: Lesson, fact: LessonFacts) -> str:
    """What one program's evidence rule says about a lesson that took place."""
    word = _last_words(fact.statements)
    required: set[Source] = set(rule["required"])
    if any(word.get(source) is False for source in required):
        return "absent"
    if word.get("coach") and word.get("device") is False:
        return "contradicted"
    witnesses = _witnesses(fact.statements, word)
    if _enough(rule, witnesses):
        return "confirmed"
    if _silence_counts(rule, facts, lesson, word) and _enough(rule, witnesses | {"guardian": {None}}):
        return "silence"
    return "too_few_sources" if required <= word.keys() else "not_marked"


def _last_words(statements: Iterable[Said]) -> dict[Source, bool]:
    """What each source says: its latest word; at the same moment an absence outweighs."""
    latest = sorted(statements, key=lambda said: (said.at, not said.present))
    return {said.source: said.present for said in latest}


def _witnesses(statements: Iterable[Said], word: Mapping[Source, bool]) -> dict[Source, set[UUID | None]]:
    """Who says that the child was there, by source, as far as the source says so at last."""
    found: dict[Source, set[UUID | None]] = {}
    for said in statements:
        if said.present and word[said.source]:
            found.setdefault(said.source, set()).add(said.person_id)
    return found


def _enough(rule: Mapping[str, Any], witnesses: Mapping[Source, set[UUID | None]]) -> bool:
    """Whether every required source and as many of the others as must agree speak, each by another person."""
    others = rule["one_of"]
    choices = combinations(others, min(rule.get("agreeing_min", 1), len(others)))
    return any(_by_different_people({*rule["required"], *choice}, witnesses) for choice in choices)


def _by_different_people(sources: set[Source], witnesses: Mapping[Source, set[UUID | None]]) -> bool:
    # Of one source no more people matter than there are sources.
    people = [sorted(witnesses.get(source, ()), key=str)[: len(sources)] for source in sources]
    return any(len(set(chosen)) == len(chosen) for chosen in product(*people))


def _silence_counts(
    rule: Mapping[str, Any], facts: Facts, lesson: Lesson, word: Mapping[Source, bool]
) -> bool:
    """Silence stands for a guardian who had the time to speak, said nothing, and is not of the provider."""
    days = rule["silence_counts_after_days"]
    if days is None or facts.guardian_is_staff or "guardian" in word:
        return False
    return facts.guardians_until >= clock.civil_moment(lesson.on + timedelta(days=days + 1))
