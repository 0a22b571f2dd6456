"""100,000 records wait for a worker that stood still: how soon it has them, on what memory, who notices.

The worker of notifications is stopped. 100,000 confirmations of planted children are written to enrollment's
outbox, as its use cases would, and enrollment's relay carries them to Kafka. Then the worker is killed, and
the supervisor starts another one. It must have told each child's guardian once. Before, the same with 1,000:
the peak of its memory must not depend on how much waits.

Meanwhile people enroll, three a second, and read what services have for them, eight requests a second; both
begin while the worker still stands, and the two times are compared. The load is on the same cores.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, system
from rig.figures import memory, percentile, tell, tell_below
from shared.database import new_id
from shared.events.enrollment import ENROLLMENT_EVENTS, Confirmed
from shared.events.envelope import to_headers
from shared.tls import tls

SMALL, LARGE = 1_000, 100_000
CHILDREN = 5_000
WORKER = "notifications-worker"
ENROLLMENTS = 3.0
READS = 8.0
"""A second, each."""
BEFORE_SECONDS = 10.0
REST_SECONDS = 5.0
BURST = 15
GROWTH_MAX = 1.2
DRAIN_SECONDS_MAX = 300.0
LOOKS = (
    ("enrollment", "/v1/children"),
    ("clubs", "/v1/groups"),
    ("enrollment", "/v1/enrollments?child_id={child_id}"),
    ("notifications", "/v1/inbox"),
)
_TAKEN_IN = "SELECT sum(next_offset)::bigint FROM notifications.consumer_offsets WHERE topic = $1"
_TOLD = """
SELECT count(*) AS messages, count(DISTINCT enrollment_id) AS enrollments FROM notifications.messages
WHERE kind = 'confirmed' AND enrollment_id = ANY($1)
"""


@dataclass
class Drain:
    """What was seen while the backlog was taken in."""

    seconds: float = 0
    records: int = 0
    """Taken in between the first look and the last."""
    peak: float = 0
    reads: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: {"before": [], "during": []})
    """Of each request the seconds and the status."""
    enrolled: list[load.Outcome] = field(default_factory=list)


@dataclass
class Backlog:
    """A system in which one worker falls behind."""

    running: system.System
    database: Any
    """Of asyncpg, which has no types."""
    applicants: Any
    requests: Any
    children: Sequence[UUID] = ()
    group_id: UUID | None = None

    async def plant_children(self) -> None:
        """Children of whose guardians notifications has heard; nobody has an address to write to."""
        self.group_id = await self.database.fetchval("SELECT id FROM clubs.groups LIMIT 1")
        self.children = [new_id() for _ in range(CHILDREN)]
        await self.database.copy_records_to_table(
            "guarded_children",
            schema_name="notifications",
            columns=["child_id", "version"],
            records=[(child, 1) for child in self.children],
        )
        await self.database.copy_records_to_table(
            "grants",
            schema_name="notifications",
            columns=["id", "person_id", "role", "scope_kind", "scope_id", "version", "ended"],
            records=[
                (uuid5(child, "guardian"), new_id(), "guardian", "child", child, 1, False)
                for child in self.children
            ],
        )

    async def let_wait(self, count: int) -> list[UUID]:
        """Stop the worker, tell so many confirmations, and wait until Kafka has them; the enrollments."""
        os.kill(self.running.pid(WORKER), signal.SIGSTOP)
        now = await self.database.fetchval("SELECT clock_timestamp() + shift FROM development.clock")
        events = [
            Confirmed(
                child_id=child_id,
                enrollment_id=new_id(),
                group_id=self.group_id or new_id(),
                provider_id=new_id(),
                starts_on=date(2026, 9, 14),
                month="2026-09",
            )
            for child_id in itertools.islice(itertools.cycle(self.children), count)
        ]
        rows = []
        for event in events:
            headers = to_headers(
                event, id_=new_id(), time=now, correlation_id=new_id(), causation_id=None, traceparent=None
            )
            rows.append((event.topic, event.key, json.dumps(headers), event.model_dump_json().encode()))
        await self.database.copy_records_to_table(
            "outbox",
            schema_name="enrollment",
            columns=["topic", "key", "headers", "value"],
            records=rows,
        )
        while await self.database.fetchval("SELECT EXISTS (SELECT FROM enrollment.outbox)"):  # noqa: ASYNC110 - the relay's
            await asyncio.sleep(0.1)
        return [event.enrollment_id for event in events]

    async def drain(self, count: int) -> Drain:
        """Let a new worker take in what waits, while people go on."""
        seen = Drain()
        before = await self._taken_in()
        async with self._people(seen, "before"):
            await asyncio.sleep(BEFORE_SECONDS)
        self.running.kill(WORKER)
        watching = asyncio.create_task(self._watch(seen))
        async with self._people(seen, "during"), asyncio.timeout(DRAIN_SECONDS_MAX):
            first = await self._until_taken_in(before + 1)
            started = time.monotonic()
            last = await self._until_taken_in(before + count)
            seen.seconds, seen.records = time.monotonic() - started, last - first
            await asyncio.sleep(REST_SECONDS)
        watching.cancel()
        return seen

    async def _watch(self, seen: Drain) -> None:
        """Keep the highest memory of the worker, whichever it is."""
        while True:
            with contextlib.suppress(ValueError, FileNotFoundError):  # it is just being started
                seen.peak = max(seen.peak, memory(self.running.pid(WORKER)))
            await asyncio.sleep(0.1)

    async def _until_taken_in(self, wanted: int) -> int:
        while (now := await self._taken_in()) < wanted:  # noqa: ASYNC110 - the worker's
            await asyncio.sleep(0.05)
        return now

    async def _taken_in(self) -> int:
        return int(await self.database.fetchval(_TAKEN_IN, ENROLLMENT_EVENTS))

    @contextlib.asynccontextmanager
    async def _people(self, seen: Drain, when: str) -> AsyncIterator[None]:
        """Enrollments and reading for as long as the block runs."""
        over = asyncio.Event()
        reading = asyncio.create_task(self._read(seen.reads[when], over))
        enrolling = asyncio.create_task(self._enroll(over))
        try:
            yield
        finally:
            over.set()
            await reading
            outcomes = await enrolling
            if when == "during":
                seen.enrolled = outcomes

    async def _enroll(self, over: asyncio.Event) -> list[load.Outcome]:
        """Ask, whatever becomes of the earlier ones; what was asked for is followed to its end."""
        asking = []
        while not over.is_set():
            burst = list(itertools.islice(self.requests, BURST))
            asking.append(asyncio.create_task(load.enroll(self.running, burst, rate=ENROLLMENTS)))
            await asyncio.sleep(BURST / ENROLLMENTS)
        return [outcome for some in asking for outcome in await some]

    async def _read(self, answers: list[tuple[float, int]], over: asyncio.Event) -> None:
        """Open loop: from the moment at which a request was due."""
        looks = itertools.cycle(itertools.product(self.applicants[:50], LOOKS))
        reading = []
        started = time.monotonic()
        async with httpx.AsyncClient(trust_env=False, timeout=30, verify=tls()) as http:
            for number in itertools.count():
                if over.is_set():
                    break
                due = started + number / READS
                await asyncio.sleep(max(due - time.monotonic(), 0))
                applicant, (service, path) = next(looks)
                reading.append(asyncio.create_task(self._look(http, applicant, service + path, due)))
            answers += await asyncio.gather(*reading)

    async def _look(
        self, http: httpx.AsyncClient, applicant: load.Applicant, what: str, due: float
    ) -> tuple[float, int]:
        service, _, path = what.partition("/")
        headers = {"Authorization": f"Bearer {applicant.token}"}
        path = path.format(child_id=applicant.child_id)
        answer = await http.get(f"{self.running.address(service)}/{path}", headers=headers)
        return time.monotonic() - due, answer.status_code


def tell_people(name: str, seen: Drain) -> bool:
    """How those fared who went on."""
    for when, answers in seen.reads.items():
        seconds = [second for second, _ in answers]
        tell(f"{name}_reads_{when}_p50", percentile(seconds, 50), "s")
        tell(f"{name}_reads_{when}_p99", percentile(seconds, 99), "s")
    confirmed = [one.seconds for one in seen.enrolled if one.state == "confirmed"]
    tell(f"{name}_enrollment_p50", percentile(confirmed, 50), "s")
    tell(f"{name}_enrollment_p99", percentile(confirmed, 99), "s")
    failed = sum(status != httpx.codes.OK for answers in seen.reads.values() for _, status in answers)
    return all(
        (
            tell_below(f"{name}_reads_failed", failed, f"of_{sum(map(len, seen.reads.values()))}", 0),
            tell_below(
                f"{name}_enrollments_not_confirmed",
                len(seen.enrolled) - len(confirmed),
                f"of_{len(seen.enrolled)}",
                0,
            ),
        )
    )


async def measure(backlog: Backlog) -> bool:
    """Small, then large; what became of all of it."""
    await backlog.plant_children()
    drains, reached = {}, []
    for count in (SMALL, LARGE):
        enrollments = await backlog.let_wait(count)
        drains[count] = seen = await backlog.drain(count)
        await backlog.running.settled(seconds=120)
        told = await backlog.database.fetchrow(_TOLD, enrollments)
        name = f"backlog_{count}"
        if count == LARGE:
            tell(f"{name}_drained", seen.records / seen.seconds, "per_s")
        tell(f"{name}_peak", seen.peak, "MB")
        wrong = abs(told["messages"] - count) + abs(told["enrollments"] - count)
        reached += [tell_below(f"{name}_told_wrong", wrong, "messages", 0), tell_people(name, seen)]
    growth = drains[LARGE].peak / drains[SMALL].peak
    reached.append(tell_below("backlog_memory_growth", growth, "x", GROWTH_MAX))
    return all(reached)


async def main() -> int:
    with system.running() as running:
        ground = await load.prepare(running, groups=5, children=150)
        await running.settled(seconds=60)
        async with running.database() as database:
            backlog = Backlog(running, database, ground.applicants, iter(ground.requests()))
            return 0 if await measure(backlog) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
