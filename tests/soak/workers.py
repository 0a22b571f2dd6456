"""2, 4, 1, 3 workers of the wallet during 100 events a second; then a transaction held open elsewhere.

Of four workers, two are told to end and one is killed. Every 0.05 s enrollment's outbox gets what is due of
100 events a second (`rig/askers.py`); a relay carries it, the workers answer, an observer reads the answers
in Kafka. Nothing may be lost, done twice or overtaken: each child's answers are looked at one by one, in
their order, and each depends on the order in which its script was taken in.

Then, for ten minutes, somebody holds a transaction open that has read, and has written to another schema's
outbox. The time from a request's commit to its answer must stay what it was.

`HELD_SECONDS` and `PHASE_SECONDS` shorten it; `RATE` asks less of a machine that has not enough to give.
"""

import asyncio
import contextlib
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

sys.path.insert(0, str(Path(__file__).parents[1]))

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from rig import alone
from rig.alone import Process, Stand
from rig.askers import Askers, Observer, found_world
from rig.figures import percentile, tell, tell_below
from wallet.main import service as wallet

RATE = float(os.environ.get("RATE", "100"))
SCALES = (2, 4, 1, 3)
PHASE_SECONDS = float(os.environ.get("PHASE_SECONDS", "30"))
HELD_SECONDS = float(os.environ.get("HELD_SECONDS", "600"))
SETTLE_SECONDS_MAX = 120.0
SLOWER_MAX = 1.3
COUNTS = {
    "events taken in": "SELECT count(*) FROM wallet.inbox WHERE source = '/enrollment'",
    "holds": "SELECT count(*) FROM wallet.holds",
    "months held": "SELECT count(DISTINCT (enrollment_id, month)) FROM wallet.holds",
    "open holds": "SELECT count(*) FROM wallet.holds WHERE open",
    "operations of a hold": "SELECT count(*) FROM wallet.operations WHERE kind = 'hold'",
    "parked": "SELECT count(*) FROM wallet.parked_records",
}


@dataclass
class Crew:
    """The workers of the wallet."""

    stand: Stand
    working: list[Process] = field(default_factory=list)

    async def become(self, count: int) -> None:
        """So many; the first to go is killed, the others may finish."""
        for number in range(len(self.working) - count):
            process = self.working.pop(0)
            if number == 0:
                process.kill()
            else:
                await asyncio.to_thread(process.stop)
        new = [self.stand.start("wallet") for _ in range(count - len(self.working))]
        self.working += new
        await asyncio.gather(*(process.until_ready() for process in new))


@contextlib.asynccontextmanager
async def held_open(stand: Stand) -> AsyncIterator[None]:
    """A transaction that sees the database as it is now, has written to clubs' outbox, and does not end."""
    connection = await asyncpg.connect(stand.database.superuser_url)
    held = connection.transaction(isolation="repeatable_read")
    await held.start()
    await connection.execute(
        "INSERT INTO clubs.outbox (topic, key, headers, value) VALUES ('clubs.events', 'held', '{}', '{}')"
    )
    try:
        yield
    finally:
        await held.rollback()
        await connection.close()


@dataclass
class Shift:
    """The run: who tells, who listens, who works."""

    askers: Askers
    observer: Observer
    crew: Crew

    async def work(self) -> dict[str, tuple[float, float]]:
        """All scales, then with the transaction held open; when each part began and ended."""
        parts = {}
        for scale in SCALES:
            began = time.monotonic()
            await self.crew.become(scale)
            await asyncio.sleep(PHASE_SECONDS)
            parts[f"with_{scale}"] = began, time.monotonic()
        window = min(60.0, HELD_SECONDS / 2)
        async with held_open(self.crew.stand):
            await asyncio.sleep(HELD_SECONDS)
            ended = time.monotonic()
        steady = parts[f"with_{SCALES[-1]}"][1]
        parts["before_held"] = steady - PHASE_SECONDS / 2, steady
        parts["held_at_last"] = ended - window, ended
        return parts

    async def settle(self) -> None:
        """Until all is answered, or nothing more can be expected."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while self.observer.heard < self.askers.answers and time.monotonic() < deadline:  # noqa: ASYNC110 - others do it
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)  # for what may come twice

    def seconds(self, began: float, ended: float) -> list[float]:
        """From the commit to the answer, of what was asked for in this time."""
        return [
            heard - committed
            for subject, heard in self.observer.heard_at.items()
            if began <= (committed := self.askers.committed_at[subject]) < ended
        ]


def tell_times(shift: Shift, parts: dict[str, tuple[float, float]]) -> bool:
    """How long answers took in each part."""
    medians = {}
    for name, part in parts.items():
        seconds = shift.seconds(*part)
        medians[name] = percentile(seconds, 50)
        tell(f"workers_{name}_p50", medians[name], "s")
        tell(f"workers_{name}_p99", percentile(seconds, 99), "s")
        tell(f"workers_{name}_max", max(seconds), "s")
    slower = medians["held_at_last"] / medians["before_held"]
    return tell_below("workers_held_open_slower", slower, "x", SLOWER_MAX)


async def tell_effects(shift: Shift, database: Any) -> bool:  # noqa: ANN401 - asyncpg's connection
    """Nothing lost, doubled or overtaken, seen from outside and in the tables."""
    expected, heard = shift.askers.expected, shift.observer.answers
    wrong = [child for child in expected.keys() | heard.keys() if expected.get(child) != heard.get(child)]
    holds = sum(type_.endswith("funds_held.v1") for answers in expected.values() for _, type_ in answers)
    wanted = {
        "events taken in": shift.askers.told,
        "holds": holds,
        "months held": holds,
        "open holds": shift.askers.held,
        "operations of a hold": shift.askers.answers,
        "parked": 0,
    }
    found = {name: await database.fetchval(query) for name, query in COUNTS.items()}
    for child in wrong[:5]:
        sys.stdout.write(f"child {child}: expected {expected.get(child)}, heard {heard.get(child)}\n")
    sys.stdout.write(f"wanted {wanted}\nfound  {found}\n")
    audit = shift.crew.stand.audit("wallet")
    tell("workers_events", shift.askers.told, "events")
    tell("workers_answers", shift.observer.heard, f"of_{shift.askers.answers}")
    tell("workers_records_sent_again", shift.observer.repeated, "records")
    differ = [name for name in wanted if found[name] != wanted[name]]
    return all(
        (
            tell_below("workers_children_answered_wrong", len(wrong), "children", 0),
            tell_below("workers_tables_wrong", len(differ), "counts", 0),
            tell_below("workers_audit", audit.returncode, "exit", 0),
        )
    )


async def main() -> int:
    dice = os.environ.get("DICE") or str(secrets.randbelow(10**6))
    sys.stdout.write(f"DICE={dice}\n")
    async with (
        alone.opened(enrollment, clubs, wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.database.edge("enrollment") as telling,
        stand.relaying("enrollment"),
    ):
        askers = Askers(await found_world(stand, edge), random.Random(dice))  # noqa: S311 - no secret
        shift = Shift(askers, Observer(), Crew(stand))
        listening = asyncio.create_task(shift.observer.listen(stand.kafka))
        over = asyncio.Event()
        try:
            await shift.crew.become(SCALES[0])
            going_on = asyncio.create_task(askers.tell(telling, rate=RATE, until=over))
            parts = await shift.work()
            over.set()
            await going_on
            await shift.settle()
            async with edge.engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                reached = [tell_times(shift, parts), await tell_effects(shift, driver)]
        finally:
            listening.cancel()
            alone.end(shift.crew.working)
            await asyncio.gather(listening, return_exceptions=True)
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
