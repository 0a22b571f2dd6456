"""Whether everything held, one line each: what was promised, and the numbers."""

import contextlib
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rig.faults.kinds import DATABASE
from rig.faults.nemesis import Window
from rig.faults.observer import Observer
from rig.faults.traffic import Answer, between
from rig.faults.world import PROCESSES
from rig.system import System

NO_HANG_SECONDS = 10.0
"""Of the time in which the database is away. In the crowd before and after it one waits for a turn, but never
longer than a request may take."""
REQUEST_SECONDS_MAX = 35.0
ANSWERED_PERCENT = 99.0

# The enrollment of each effect there is.
EFFECTS = {
    "seats": "SELECT enrollment_id::text FROM clubs.seats WHERE enrollment_id = ANY($1::uuid[])",
    "holds": "SELECT enrollment_id::text FROM wallet.holds WHERE enrollment_id = ANY($1::uuid[])",
    "operations": "SELECT h.enrollment_id::text FROM wallet.operations o"
    " LEFT JOIN wallet.repeated_holds r ON r.operation_id = o.id"
    " JOIN wallet.holds h ON h.id = coalesce(r.hold_id, o.id)"
    " WHERE o.kind = 'hold' AND h.enrollment_id = ANY($1::uuid[])",
}
STEPS = (
    "enrollment.seat_requested.v1",
    "clubs.seat_reserved.v1",
    "enrollment.funding_requested.v1",
    "wallet.funds_held.v1",
    "enrollment.confirmed.v1",
)
_GUARDIANS = """
SELECT e.id AS enrollment_id, l.person_id FROM enrollment.enrollments e
JOIN enrollment.guardian_links l ON l.child_id = e.child_id AND l.state = 'verified'
WHERE e.id = ANY($1::uuid[]) ORDER BY 1, 2
"""
_CONFIRMATIONS = """
SELECT enrollment_id, person_id FROM notifications.messages
WHERE kind = 'confirmed' AND enrollment_id = ANY($1::uuid[]) ORDER BY 1, 2
"""
_STATES = "SELECT id::text, state FROM enrollment.enrollments WHERE id = ANY($1::uuid[])"
_COPIES = """
SELECT d.id::text, d.channel, d.state FROM notifications.deliveries AS d
JOIN notifications.messages AS m ON m.id = d.message_id WHERE m.enrollment_id = ANY($1::uuid[])
"""


_TELLING = frozenset({"commit_skipped"})
"""Of no consequence, and a sign of what Kafka's client went through."""


@dataclass
class Verdicts:
    """What was found, line by line."""

    held: bool = True
    lines: list[str] = field(default_factory=list)

    def tell(self, holds: bool, text: str) -> None:  # noqa: FBT001 - ok or not, then what
        self.held &= holds
        self.lines.append(f"{'ok    ' if holds else 'NOT ok'} {text}")
        sys.stdout.write(f"{self.lines[-1]}\n")
        sys.stdout.flush()


async def effects(system: System, ids: Sequence[str], steps: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """What is not there exactly once, of enrollments that are to be confirmed: nothing, as it should be.

    Each has one seat, one hold by one operation, one event of each step, one message to each guardian.
    """
    wrong: dict[str, str] = {}

    def compare(what: str, found: Iterable[Any], wanted: Iterable[Any]) -> None:
        missing, more = Counter(wanted), Counter(found)
        missing, more = missing - more, more - missing
        if missing or more:
            wrong[what] = f"{missing.total()} missing, {more.total()} too many"

    async with system.database() as database:
        states = Counter({state for _, state in await database.fetch(_STATES, ids)})
        compare("states", states, ["confirmed"])
        for what, query in EFFECTS.items():
            compare(what, [row[0] for row in await database.fetch(query, ids)], ids)
        guardians, told = [await database.fetch(query, ids) for query in (_GUARDIANS, _CONFIRMATIONS)]
        compare("messages", map(tuple, told), map(tuple, guardians))
        if len(guardians) < len(ids):
            wrong["guardians"] = "some enrollment has none"
    for type_ in STEPS:
        compare(type_, [id_ for id_ in ids for _ in range(steps[type_, id_])], ids)
    return wrong


async def copies(system: System, ids: Sequence[str], faults: int, verdicts: Verdicts) -> None:
    """E-mail and SMS as they arrived: all that was sent, under its id, no oftener than faults explain."""
    arrived = _arrived(system)
    async with system.database() as database:
        rows = await database.fetch(_COPIES, ids)
    sent = [(row["channel"], row["id"]) for row in rows if row["state"] == "sent"]
    lost = sum(one not in arrived for one in sent)
    ours = {(row["channel"], row["id"]) for row in rows}
    repeats = [times - 1 for one, times in arrived.items() if one in ours and times > 1]
    waiting = Counter(row["state"] for row in rows)
    verdicts.tell(
        bool(sent) and not lost and max(repeats, default=0) <= faults,
        f"e-mail and SMS: {dict(waiting)}, {lost} of them never arrived; {len(repeats)} came again under the"
        f" same id, {max(repeats, default=0)} times at most, with {faults} faults that may do that",
    )


def _arrived(system: System) -> dict[tuple[str, str], int]:
    """How often each e-mail and SMS came to the catchers, by channel and the id of its delivery."""
    channels = {"mail": "email", "sms": "sms"}
    store = sqlite3.connect(f"file:{system.state / 'outside.sqlite'}?mode=ro", uri=True)
    with contextlib.closing(store):
        rows = store.execute("SELECT channel, id, times FROM messages").fetchall()
    return {(channels[channel], id_.strip("<>").partition("@")[0]): times for channel, id_, times in rows}


def logged(system: System) -> Counter[str]:
    """What our own code wrote about its troubles in the workers, by event and error."""
    found: Counter[str] = Counter()
    for log in sorted((system.state / "log").glob("*-worker.log")):
        for line in log.read_text(errors="replace").splitlines():
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            if (" " not in told["event"] and told["level"] != "info") or told["event"] in _TELLING:
                found[" ".join((log.stem, told["event"], told.get("error", ""))).strip()] += 1
    return found


def answers(found: Sequence[Answer], windows: Sequence[Window], verdicts: Verdicts) -> None:
    """How each API answered, while it could and while the database was away."""
    for api in (process for process in PROCESSES if process.endswith("-api")):
        own = [one for one in found if one.api == api]
        spans = [(one.began, one.ended) for one in windows if one.down & {api, DATABASE}]
        excluded = set(map(id, between(own, spans)))
        counted = [one for one in own if id(one) not in excluded]
        bad = Counter(_after(one, windows) for one in counted if one.status == 0 or one.status >= 500)
        percent = 100 * (1 - bad.total() / len(counted)) if counted else 0.0
        verdicts.tell(
            percent >= ANSWERED_PERCENT,
            f"{api}: {percent:.2f} % of {len(counted)} answers outside of {_length(spans):.0f} s were not 5xx"
            f" (0 is no answer: {dict(bad)})",
        )
    away = [(one.began, one.ended) for one in windows if DATABASE in one.down]
    stopped = {api: [(w.began, w.ended) for w in windows if api in w.down] for api in PROCESSES}
    living = [one for one in found if not between([one], stopped[one.api])]
    troubled = [one for one in between(living, away) if one.status >= 500 or one.status == 0]
    strange = Counter(one.status for one in troubled if one.status != 503 or not one.retry_after)
    if away:
        verdicts.tell(
            bool(troubled) and not strange,
            f"database away: {len(troubled)} answers 503 with Retry-After, and {dict(strange)} others",
        )
    hung = [(_hung(one, away), one) for one in between(living, away)]
    during = Counter(
        f"{one.api} {one.status} during"
        f" {', '.join(w.kind for w in windows if between([one], [(w.began, w.ended)]))}"
        for seconds, one in hung
        if seconds > NO_HANG_SECONDS
    )
    longest = max((seconds for seconds, _ in hung), default=0.0)
    verdicts.tell(
        not during,
        f"database away: nobody hung longer than 10 s of that time, the longest {longest:.1f},"
        f" {during.total()} longer {dict(during)}",
    )
    longest = _longest(living)
    verdicts.tell(longest <= REQUEST_SECONDS_MAX, f"of all answers the longest took {longest:.1f} s")


def _after(answer: Answer, windows: Sequence[Window]) -> str:
    """Its status, the fault before it, and how long it waited for it."""
    before = max(
        (one for one in windows if one.began < answer.began), key=lambda one: one.ended, default=None
    )
    then = f"{answer.began - before.ended:.0f} s after {before.kind}" if before else "at first"
    return f"{answer.status} in {answer.seconds:.0f} s, {then}"


def _hung(answer: Answer, away: Sequence[tuple[float, float]]) -> float:
    """Seconds that it waited, beyond what was asked for, in one of these times."""
    spans = (min(answer.ended, end) - max(answer.began, begin) for begin, end in away)
    return max(spans) - answer.asked_to_wait


def _longest(answers: Sequence[Answer]) -> float:
    return max((one.seconds for one in answers), default=0.0)


def _length(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds, those that lie in several once."""
    return float(len({second for begin, end in spans for second in range(int(begin), int(end))}))


def order(observer: Observer, verdicts: Verdicts) -> None:
    """What the observer saw."""
    verdicts.tell(
        not observer.wrong and observer.versions_checked > 0,
        f"the observer saw {observer.records} records, {observer.repeats} of them again, and"
        f" {observer.versions_checked} versions in their order but for {len(observer.wrong)}"
        f" {observer.wrong[:3] or ''}(its own consumer was replaced {observer.started_again} times)",
    )
