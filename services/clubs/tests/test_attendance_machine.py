"""Marks, endings, closings, disputes and corrections through PostgreSQL, against a naive model of one month.

The model keeps a list of what was said and looks at all of it each time. It knows no locks.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clubs.domain.disputes import Dispute
from clubs.domain.lessons import Said
from clubs.main import service as clubs
from clubs.testing import SEPTEMBER, Pupil, School
from clubs.usecases import disputes, lessons
from clubs.usecases.corrections import Correction, propose_correction
from clubs.usecases.sheets import read_attendance
from shared.approvals import Approvals
from shared.clock import civil_date, civil_moment
from shared.errors import DomainError

# The last test looks at what the one before it has reached.
pytestmark = [
    pytest.mark.servers,
    pytest.mark.xdist_group("attendance_machine"),
    pytest.mark.timeout(300),
]

DAYS = [date(2026, 9, day) for day in (4, 7, 11, 14, 18, 21, 25, 28)]
PUPILS = 3
BEGINS = datetime.fromisoformat("2026-09-10T20:00:00+05:00")
LESSON = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 5, 7])  # mostly those that many things happen to
PUPIL = st.sampled_from([0, 0, 1, 2])
WORDS = st.lists(st.tuples(PUPIL, st.booleans()), max_size=PUPILS, unique_by=lambda word: word[0])
STEP = st.one_of(
    st.tuples(st.just("tick"), st.integers(1, 9)),
    st.tuples(st.just("coach"), LESSON, WORDS),
    st.tuples(st.just("cancel"), LESSON),
    st.tuples(st.just("device"), LESSON, WORDS),
    st.tuples(st.just("confirm"), LESSON, PUPIL),
    st.tuples(st.just("dispute"), LESSON, PUPIL),
    st.tuples(st.just("dispute"), st.just(0), PUPIL),
    st.tuples(st.just("withdraw"), st.integers(0, 9)),
    st.tuples(st.just("decide"), st.integers(0, 9), st.sampled_from(["count", "do_not_count"])),
    st.tuples(st.just("correct"), LESSON, PUPIL, st.booleans()),
    st.tuples(st.just("end"), PUPIL, st.integers(0, 12)),
    st.tuples(st.just("sign")),
)
Words = list[tuple[int, bool]]
reached: Counter[str] = Counter()


@dataclass
class Model:
    """What everybody said, and when each child left."""

    now: datetime = BEGINS
    said: list[tuple[str, int, int, bool]] = field(default_factory=list)
    """Source (`correction` for a coach's), lesson, pupil, present."""
    reports: list[tuple[str, int, bool]] = field(default_factory=list)
    ends: dict[int, date] = field(default_factory=dict)
    standing: dict[tuple[int, int], str] = field(default_factory=dict)
    """By lesson and pupil: open, count, do_not_count."""
    later: Counter[int] = field(default_factory=Counter)
    """How often something happened to a pupil's sheet after it was closed."""

    def has(self, lesson: int, pupil: int) -> bool:
        return DAYS[lesson] < self.ends.get(pupil, date(2027, 1, 1))

    def closed(self, pupil: int) -> bool:
        last = min(self.ends.get(pupil, date(2027, 1, 1)), date(2026, 10, 1))
        over = self.now >= civil_moment(last + timedelta(days=4))
        return over and any(self.has(lesson, pupil) for lesson in range(len(DAYS)))

    @property
    def over(self) -> bool:
        return self.now >= civil_moment(date(2026, 10, 5))

    def begun(self, lesson: int) -> bool:
        return self.now >= civil_moment(DAYS[lesson]) + timedelta(hours=15)

    def held(self, lesson: int) -> bool:
        coach = [
            took_place for source, where, took_place in self.reports if (source, where) == ("coach", lesson)
        ]
        seen = any(word[:2] == ("device", lesson) and word[3] for word in self.said)
        return coach[-1] if coach else seen

    def refusal(self, lesson: int, pupils: list[int]) -> str | None:
        """Why nothing can be said of these pupils at a lesson, in the order in which it is found."""
        if not self.begun(lesson):
            return "lesson_not_begun"
        for pupil in pupils:
            if not self.has(lesson, pupil):
                return "child_without_seat"
            if self.closed(pupil) or self.over:
                return "month_closed"
        return None

    def report(self, source: str, lesson: int, words: Words, *, took_place: bool) -> str | None:
        refusal = self.refusal(lesson, [pupil for pupil, _ in words])
        if refusal or (self.over and not words):
            return refusal or "month_closed"
        before, length = self.held(lesson), len(self.said)
        self.reports.append((source, lesson, took_place))
        self.said += [(source, lesson, pupil, present) for pupil, present in words]
        on_a_sheet = any(self.closed(pupil) and self.has(lesson, pupil) for pupil in range(PUPILS))
        if self.held(lesson) != before and on_a_sheet:
            self.reports.pop()
            del self.said[length:]
            return "month_closed"
        return None

    def facts(self, pupil: int) -> list[tuple[Any, ...]]:
        """Of each lesson: did it take place, who says what, and the dispute."""
        found = []
        for lesson in range(len(DAYS)):
            if not self.has(lesson, pupil):
                continue
            words: dict[str, bool] = {}
            corrected = False
            for source, where, who, present in self.said:
                if (where, who) == (lesson, pupil):
                    words["coach" if source == "correction" else source] = present
                    corrected = source == "correction" if source in {"coach", "correction"} else corrected
            took_place = self.held(lesson) or (corrected and words.get("coach", False))
            found.append(
                (DAYS[lesson], took_place, sorted(words.items()), self.standing.get((lesson, pupil)))
            )
        return found


@dataclass
class Machine:
    """The model beside the service."""

    school: School
    lesson_ids: list[UUID]
    model: Model = field(default_factory=Model)
    cases: list[tuple[Dispute, int, int]] = field(default_factory=list)

    def pupil(self, number: int) -> Pupil:
        return self.school.pupils[number]

    async def expect(self, expected: str | None, act: Callable[[], Awaitable[object]]) -> bool:
        """Do it; whether it was done. It is refused exactly if the model says so."""
        try:
            await act()
        except DomainError as error:
            assert error.stable_code == expected  # noqa: PT017 - of either kind
        else:
            assert expected is None
        reached[expected or "done"] += 1
        return expected is None

    async def say(self, source: Any, lesson: int, words: Words, *, took_place: bool) -> None:  # noqa: ANN401 - a literal
        who = self.school.coach if source == "coach" else self.school.device
        children = [Said(self.pupil(pupil).child_id, present) for pupil, present in words]

        async def act() -> None:
            async with self.school.edge.transaction() as tx:
                await lessons.report(
                    tx,
                    who,
                    self.lesson_ids[lesson],
                    source=source,
                    took_place=took_place or source == "device",
                    children=children,
                )

        expected = self.model.report(source, lesson, words, took_place=took_place)
        await self.expect(expected, act)

    async def do(self, step: tuple[Any, ...]) -> None:  # noqa: C901, PLR0912 - one case a kind of step
        match step:
            case ("tick", days):
                self.model.now += timedelta(days=days)
                await self.school.at(self.model.now)
            case ("coach", lesson, words):
                await self.say("coach", lesson, words, took_place=True)
            case ("cancel", lesson):
                await self.say("coach", lesson, [], took_place=False)
            case ("device", lesson, words) if words:
                await self.say("device", lesson, words, took_place=any(present for _, present in words))
            case ("confirm", lesson, pupil):
                expected = self.model.refusal(lesson, [pupil])
                if await self.expect(
                    expected, lambda: self.school.confirm(self.lesson_ids[lesson], self.pupil(pupil))
                ):
                    self.model.said.append(("guardian", lesson, pupil, True))
            case ("dispute", lesson, pupil):
                await self.dispute(lesson, pupil)
            case ("withdraw" | "decide", number, *outcome) if self.cases:
                await self.close(*self.cases[number % len(self.cases)], *outcome)
            case ("correct", lesson, pupil, present):
                await self.correct(lesson, pupil, present=present)
            case ("end", pupil, days):
                on = civil_date(self.model.now) + timedelta(days=days)
                if on < self.model.ends.get(pupil, date(2027, 1, 1)):
                    self.model.ends[pupil] = on
                await self.school.end(self.pupil(pupil), on)
            case ("sign",):
                for statement in await self.school.statements():
                    if statement.state == "ready":
                        await self.school.sign(statement)

    async def dispute(self, lesson: int, pupil: int) -> None:
        expected = None
        if not self.model.begun(lesson):
            expected = "lesson_not_begun"
        elif not self.model.has(lesson, pupil):
            expected = "child_without_seat"
        elif stands := self.model.standing.get((lesson, pupil)):
            expected = "dispute_open" if stands == "open" else "dispute_decided"

        async def act() -> None:
            opened = await self.school.dispute(self.lesson_ids[lesson], self.pupil(pupil))
            self.cases.append((opened, lesson, pupil))

        if await self.expect(expected, act):
            self.model.standing[lesson, pupil] = "open"
            self.model.later[pupil] += self.model.closed(pupil)

    async def close(self, case: Dispute, lesson: int, pupil: int, outcome: Any = None) -> None:  # noqa: ANN401 - a literal
        latest = [one for one, *where in self.cases if where == [lesson, pupil]][-1]
        still_open = latest is case and self.model.standing.get((lesson, pupil)) == "open"

        async def act() -> None:
            if outcome:
                await self.school.decide(case, outcome)
                return
            async with self.school.edge.transaction() as tx:
                await disputes.withdraw(tx, self.pupil(pupil).guardian, case.id)

        if await self.expect(None if still_open else "case_closed", act):
            if outcome:
                self.model.standing[lesson, pupil] = outcome
            else:
                del self.model.standing[lesson, pupil]
            # A child that left meanwhile may no longer have the lesson: then its sheet says nothing of it.
            self.model.later[pupil] += self.model.closed(pupil) and self.model.has(lesson, pupil)

    async def correct(self, lesson: int, pupil: int, *, present: bool) -> None:
        expected = None
        if not self.model.begun(lesson):
            expected = "lesson_not_begun"
        elif not self.model.has(lesson, pupil):
            expected = "child_without_seat"
        elif not self.model.closed(pupil):
            expected = "month_open"

        async def act() -> None:
            wanted = Correction(
                lesson_id=self.lesson_ids[lesson],
                child_id=self.pupil(pupil).child_id,
                present=present,
                reason="Mistaken.",
            )
            async with self.school.edge.transaction() as tx:
                proposal = await propose_correction(tx, self.school.coach, wanted)
            async with self.school.edge.transaction() as tx:
                await Approvals(clubs.approvals).approve(tx, self.school.director, proposal.id)

        if await self.expect(expected, act):
            self.model.said.append(("correction", lesson, pupil, present))
            self.model.later[pupil] += 1

    async def compare(self) -> None:
        """The service knows what the model knows, and has told it."""
        told = await self.school.sheets()
        for number, pupil in enumerate(self.school.pupils):
            expected = self.model.facts(number)
            async with self.school.edge.transaction() as tx:
                if expected:
                    ((sheet, revision),) = await read_attendance(
                        tx, self.school.administrator, SEPTEMBER, enrollment_id=pupil.enrollment_id
                    )
                    assert [_known(facts) for facts in sheet.facts] == expected
                    closed = self.model.closed(number)
                    assert revision == (1 + self.model.later[number] if closed else None)
            sheets = [
                one for one in told if (one.enrollment_id, one.month) == (pupil.enrollment_id, SEPTEMBER)
            ]
            assert [one.revision for one in sheets] == list(range(1, len(sheets) + 1))
            if sheets:
                assert [_told(lesson) for lesson in sheets[-1].lessons] == expected
        assert await self.school.faults() == {}


def _known(facts: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a part of a sheet
    dispute = facts.dispute and (facts.dispute.outcome or "open")
    words = sorted((mark.source, mark.present) for mark in facts.marks)
    return facts.lesson.on, facts.took_place, words, dispute


def _told(lesson: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a part of an event
    words = sorted((word.source, word.present) for word in lesson.statements)
    return lesson.on, lesson.took_place, words, "open" if lesson.disputed else lesson.decided


@settings(
    max_examples=25,
    phases=[Phase.generate],  # shrinking through a database takes too long
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=20, max_size=50))
async def test_a_month_through_postgresql_is_what_the_naive_model_says(
    school: School, open_with: Callable[[int], Awaitable[UUID]], steps: list[tuple[Any, ...]]
) -> None:
    await school.at("2026-09-01T12:00:00+05:00")
    own = replace(school, group_id=await open_with(PUPILS), pupils=[])
    for _ in range(PUPILS):
        await own.seat()
    machine = Machine(own, [await own.lesson(day.day) for day in DAYS])
    await own.at(BEGINS)
    for step in steps:
        await machine.do(step)
        await own.act_on_deadlines()
    await machine.compare()


def test_the_steps_reached_every_refusal() -> None:
    assert {
        "done",
        "lesson_not_begun",
        "child_without_seat",
        "month_closed",
        "month_open",
        "dispute_open",
        "dispute_decided",
        "case_closed",
    } <= reached.keys()
