"""Something happens to enrollments: lock, read, decide, write, tell. All but their start goes this way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter, Histogram

from enrollment import repository
from enrollment.domain.calendar import Circumstances, deadlines
from enrollment.domain.decider import Decision, Input, Outcome, Refused, decide
from enrollment.domain.enrollment import Enrollment, State
from enrollment.domain.months import FundsHeld
from enrollment.repository.groups import KnownGroup, Program
from enrollment.usecases.recalling import Asked, recall
from enrollment.usecases.telling import tell
from shared import deadlines as deadline_rows
from shared.consumer import NotYet
from shared.database import Transaction
from shared.deadlines import Deadline
from shared.telemetry import registry, seconds_since

IMPOSSIBLE = Counter(
    "enrollment_impossible",
    "Inputs that cannot happen unless somebody is wrong",
    ["input"],
    registry=registry,
)

DECIDED = Histogram(
    "enrollment_decided_seconds",
    "From the request to the answer; without those that waited in a queue",
    ["state"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=registry,
)
STEPS_WITHOUT_QUEUE = 3
"""Requested, a seat, an answer about money: the version that this makes."""
_UNDECIDED = frozenset({State.REQUESTED, State.FUNDING})


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens to an enrollment. `tx` carries its cause, `fired` is the deadline it came by.

    An answer of clubs says what was asked, should nobody here know it any more.
    """

    tx: Transaction
    enrollment_id: UUID
    event: Input
    fired: str | None = None
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The projections that decisions look at."""

    groups: dict[UUID, KnownGroup]
    programs: dict[UUID, Program]

    def circumstances(self, enrollment: Enrollment, now: datetime) -> Circumstances:
        """What counts for this enrollment now."""
        program = self.programs.get(enrollment.program_id) if enrollment.program_id else None
        return Circumstances(now, self.groups[enrollment.group_id].plan, program.days if program else None)


async def happen(tx: Transaction, happenings: Sequence[Happening]) -> list[Outcome | NotYet | None]:
    """Let these happen in order; an answer each: NotYet if a fact is missing, None if nobody knows it."""
    before = await repository.enrollments.lock(tx, {one.enrollment_id for one in happenings})
    lost = [one.asked for one in happenings if one.asked and one.enrollment_id not in before]
    recalled = await recall(tx, lost) if lost else {}
    before |= {id_: one for id_, one in recalled.items() if isinstance(one, Enrollment)}
    knowledge = await _learn(tx, before, happenings)
    current = dict(before)
    answers: list[Outcome | NotYet | None] = []
    for one in happenings:
        enrollment = current.get(one.enrollment_id)
        if isinstance(waiting := recalled.get(one.enrollment_id), NotYet):
            answers.append(waiting)
            continue
        if enrollment is None:
            IMPOSSIBLE.labels(one.event.name).inc()
            answers.append(None)
            continue
        answer = _decide(enrollment, one, knowledge)
        answers.append(answer)
        if isinstance(answer, Decision):
            current[enrollment.id] = answer.enrollment
            tell(one.tx, answer.enrollment, answer.effects, knowledge.groups[enrollment.group_id])
    await _write(tx, before, current, knowledge, {one.enrollment_id: one.fired for one in happenings})
    return answers


def _decide(enrollment: Enrollment, happening: Happening, knowledge: Knowledge) -> Outcome | NotYet:
    event = happening.event
    if enrollment.group_id not in knowledge.groups:
        return NotYet("group_described")
    if isinstance(event, FundsHeld) and event.program_id not in knowledge.programs:
        return NotYet("program_described")
    circumstances = knowledge.circumstances(enrollment, happening.tx.now)
    if isinstance(event, FundsHeld) and circumstances.days is None:
        program = knowledge.programs[event.program_id]
        circumstances = Circumstances(circumstances.now, circumstances.plan, program.days)
    outcome = decide(enrollment, event, circumstances)
    if isinstance(outcome, Decision) and outcome.impossible:
        IMPOSSIBLE.labels(event.name).inc()
    return outcome


async def _learn(
    tx: Transaction, enrollments: dict[UUID, Enrollment], happenings: Sequence[Happening]
) -> Knowledge:
    group_ids = {one.group_id for one in enrollments.values()}
    program_ids = {one.program_id for one in enrollments.values() if one.program_id is not None}
    program_ids |= {one.event.program_id for one in happenings if isinstance(one.event, FundsHeld)}
    return Knowledge(
        groups=await repository.groups.known(tx, group_ids),
        programs=await repository.groups.find_programs(tx, program_ids),
    )


async def _write(
    tx: Transaction,
    before: dict[UUID, Enrollment],
    after: dict[UUID, Enrollment],
    knowledge: Knowledge,
    fired: dict[UUID, str | None],
) -> None:
    changes = [(before[id_], after[id_]) for id_ in before if before[id_] != after[id_]]
    await repository.enrollments.save_all(tx, changes)
    for _, changed in changes:
        tx.touch(changed.id)
    _show_decided(changes)
    wanted: list[Deadline] = []
    for id_, enrollment in after.items():
        if enrollment.group_id not in knowledge.groups:
            continue
        had = deadlines(before[id_], knowledge.circumstances(before[id_], tx.now))
        had.pop(fired.get(id_) or "", None)
        wants = deadlines(enrollment, knowledge.circumstances(enrollment, tx.now))
        wanted += [Deadline(kind, id_, at) for kind, at in wants.items() if had.get(kind) != at]
        for kind in had.keys() - wants.keys():
            await deadline_rows.clear(tx, kind=kind, subject_id=id_)
    await deadline_rows.set_all(tx, wanted)


def _show_decided(changes: Sequence[tuple[Enrollment, Enrollment]]) -> None:
    for before, after in changes:
        decided = before.state in _UNDECIDED and after.state in {State.CONFIRMED, State.REJECTED}
        if decided and after.version <= STEPS_WITHOUT_QUEUE:
            DECIDED.labels(after.state).observe(seconds_since(after.id))


def refused(outcome: Outcome | NotYet | None) -> str | None:
    """The code, if a person's command was refused."""
    return outcome.code if isinstance(outcome, Refused) else None
