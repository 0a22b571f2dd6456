"""A funding run of 1,000,000 wallets, alone, against a plain `INSERT … SELECT` of as many postings.

The children are planted by the server itself; a worker of the wallet, as deployed, does the run. It is over
when the worker has deleted the run's last row from the outbox, which it does once Kafka has acknowledged it;
what Kafka has is counted then. The same server copies as many postings into a table like theirs, then as many
of all rows that a run writes (operation, account, wallet, posting), each in one statement a table.

Another number of children can be given as the argument.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

sys.path.insert(0, str(Path(__file__).parents[1]))

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from rig import alone
from rig.alone import Process, Stand
from rig.askers import STARTED
from rig.figures import memory, tell, tell_above, tell_below
from shared.edge import Edge
from shared.events.wallet import CHILDREN_PER_RECORD_MAX, WALLET_RUNS
from shared.kafka import PARTITIONS
from shared.testing import set_clock
from wallet.main import service as wallet
from wallet.testing import World
from wallet.usecases.runs import CHILDREN_AT_ONCE, OUTBOX_ROWS_MAX

CHILDREN = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
LOOK_SECONDS = 0.2
UNTIL = date(2026, 12, 31)
RATIO_MIN = 0.15
GROWTH_MAX = 1.2
SLOWER_MAX = 1.3
RECORDS_PER_CHUNK = CHILDREN_AT_ONCE // CHILDREN_PER_RECORD_MAX
"""Rows by which the outbox may be longer: those of the chunk that was begun when it was not."""
_PLANT = """
INSERT INTO wallet.entitlements (id, version, child_id, program_id, starts_on, until, coefficient_percent)
SELECT uuidv7(), 1, uuidv7(), $1, '2026-09-01', '2027-05-31', 100 FROM generate_series(1, $2::int)
"""
_COPIED = ("postings", "operations", "accounts", "wallets")
_PROGRESS = """
SELECT state, funded, allotted_tiyn, (SELECT count(*) FROM wallet.outbox) AS outbox
FROM wallet.funding_runs WHERE id = $1
"""


@dataclass(slots=True)
class Watched:
    """What was seen of the run while it went on: seconds from its start, children, MB, rows."""

    seconds: list[float] = field(default_factory=list)
    funded: list[int] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    outbox_max: int = 0

    def at(self, percent: int) -> int:
        """Which look was the first at which so many percent were funded."""
        return next(n for n, funded in enumerate(self.funded) if funded * 100 >= CHILDREN * percent)

    def pace(self, first: int, last: int) -> float:
        """Children a second between two looks."""
        seconds = self.seconds[last] - self.seconds[first]
        return (self.funded[last] - self.funded[first]) / seconds if seconds else 0


async def plant(stand: Stand, edge: Edge, superuser: Any) -> World:  # noqa: ANN401 - asyncpg's connection
    """A program with the children, and a fund with money for all of them."""
    await set_clock(stand.database, STARTED)
    world = World(edge)
    await world.found()
    await superuser.execute(_PLANT, world.program_id, CHILDREN, timeout=600)
    await superuser.execute("UPDATE wallet.funds SET budget_tiyn = $1", 10**15)
    await world.pay_in(world.ahead, 4 * 1_000_000 * CHILDREN)
    await superuser.execute("VACUUM ANALYZE", timeout=600)
    await superuser.execute("CHECKPOINT")
    return world


async def watch(superuser: Any, run_id: UUID, worker: Process) -> Watched:  # noqa: ANN401 - asyncpg's connection
    """Until the last row has left the outbox."""
    watched, started = Watched(), time.monotonic()
    while True:
        row = await superuser.fetchrow(_PROGRESS, run_id)
        watched.seconds.append(time.monotonic() - started)
        watched.funded.append(row["funded"])
        watched.used.append(memory(worker.pid))
        watched.outbox_max = max(watched.outbox_max, row["outbox"])
        if row["state"] == "done" and not row["outbox"]:
            return watched
        await asyncio.sleep(LOOK_SECONDS)


async def told(kafka: str, run_id: UUID) -> int:
    """Of how many different children Kafka has a record of this run."""
    children: set[str] = set()
    partitions = [TopicPartition(WALLET_RUNS, number) for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None) as log:
        log.assign(partitions)
        await log.seek_to_beginning(*partitions)
        left = {one: end for one, end in (await log.end_offsets(partitions)).items() if end}
        while left:
            for records in (await log.getmany(*left, timeout_ms=500)).values():
                for record in records:
                    if record.key == str(run_id).encode():
                        children.update(orjson.loads(record.value)["child_ids"])
            left = {one: end for one, end in left.items() if await log.position(one) < end}
    return len(children)


async def copy_rate(superuser: Any, tables: Sequence[str]) -> float:  # noqa: ANN401 - asyncpg's connection
    """Children whose rows one statement a table copies in a second, with all indexes and constraints."""
    await superuser.execute("CREATE SCHEMA bench")
    for table in tables:
        await superuser.execute(f"CREATE TABLE bench.{table} (LIKE wallet.{table} INCLUDING ALL)")
    await superuser.execute("CHECKPOINT")
    started = time.monotonic()
    async with superuser.transaction():
        for table in tables:
            await superuser.execute(f"INSERT INTO bench.{table} SELECT * FROM wallet.{table}", timeout=600)  # noqa: S608 - ours
    seconds = time.monotonic() - started
    await superuser.execute("DROP SCHEMA bench CASCADE")
    return CHILDREN / seconds


def tell_run(watched: Watched, plain: float, all_rows: float) -> bool:
    """Rate, ratios, memory and outbox; whether the aims were reached."""
    begun, ended = watched.at(10), len(watched.used) - 1
    rate = CHILDREN / watched.seconds[-1]
    tell("funding_run", rate, "per_s")
    tell("funding_run_seconds", watched.seconds[-1], "s")
    tell("funding_run_plain_insert_select", plain, "per_s")
    tell("funding_run_against_all_rows_copied", rate / all_rows, "x")
    tell("funding_run_pss_at_10_percent", watched.used[begun], "MB")
    tell("funding_run_pss_at_the_end", watched.used[ended], "MB")
    growth = max(watched.used[begun:]) / watched.used[begun]
    early, late = watched.pace(begun, watched.at(30)), watched.pace(watched.at(80), watched.at(100))
    return all(
        (
            tell_above("funding_run_against_insert_select", rate / plain, "x", RATIO_MIN),
            tell_below("funding_run_memory_growth", growth, "x", GROWTH_MAX),
            tell_below("funding_run_slower_in_the_end", early / late if late else 1, "x", SLOWER_MAX),
            tell_below(
                "funding_run_outbox_longest", watched.outbox_max, "rows", OUTBOX_ROWS_MAX + RECORDS_PER_CHUNK
            ),
        )
    )


async def measure(stand: Stand, edge: Edge, superuser: Any) -> bool:  # noqa: ANN401 - asyncpg's connection
    """Print the figures; whether the aims were reached."""
    world = await plant(stand, edge, superuser)
    worker = stand.start("wallet")
    try:
        await worker.until_ready()
        run_id = await world.start_funding(UNTIL)
        watched = await watch(superuser, run_id, worker)
    finally:
        worker.stop()
    missing = CHILDREN - await told(stand.kafka, run_id)
    plain = await copy_rate(superuser, _COPIED[:1])
    all_rows = await copy_rate(superuser, _COPIED)
    return all(
        (
            tell_run(watched, plain, all_rows),
            tell_below("funding_run_children_not_told", missing, "children", 0),
            tell_below("funding_run_audit", stand.audit("wallet").returncode, "exit", 0),
        )
    )


async def main() -> int:
    async with (
        alone.opened(enrollment, clubs, wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.superuser() as superuser,
    ):
        return 0 if await measure(stand, edge, superuser) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
