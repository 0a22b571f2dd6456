"""A process may die at any moment: nothing is lost, nothing happens twice, and it settles by itself."""

import asyncio
from collections import Counter

import pytest

from rig import load
from rig.system import SERVICES, System

pytestmark = [pytest.mark.xdist_group("system"), pytest.mark.timeout(600)]

RATE = 5.0
SECONDS_BETWEEN_KILLS = 4.0

# What is on its way when a worker dies: events not yet sent, and requests nobody has answered yet.
IN_FLIGHT = """
SELECT (SELECT count(*) FROM enrollment.outbox) + (SELECT count(*) FROM clubs.outbox)
     + (SELECT count(*) FROM wallet.outbox)
     + (SELECT count(*) FROM enrollment.enrollments WHERE state IN ('requested', 'funding'))
"""


async def test_every_worker_is_killed_under_load_and_everything_settles(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    ground = await load.prepare(system, groups=1, children=160)
    requests = ground.requests()[: int(RATE * SECONDS_BETWEEN_KILLS * (len(SERVICES) + 2))]
    in_flight = {}

    async def kill_each() -> None:
        async with system.database() as database:
            for service in SERVICES:
                await asyncio.sleep(SECONDS_BETWEEN_KILLS)
                in_flight[service] = await _busy(database)
                system.kill(f"{service}-worker")

    outcomes, _ = await asyncio.gather(load.enroll(system, requests, rate=RATE), kill_each())
    await system.settled(seconds=60)

    with capsys.disabled():
        print(f"\nkilled with this much in flight: {in_flight}")  # noqa: T201 - a figure of the run
    assert Counter(one.state for one in outcomes) == {"confirmed": len(requests)}
    async with system.database() as database:
        once = "SELECT count(*), count(DISTINCT {}) FROM {} WHERE enrollment_id = ANY($1::uuid[])"
        ids = [one.enrollment_id for one in outcomes]
        for column, table in (("enrollment_id", "wallet.holds"), ("enrollment_id", "clubs.seats")):
            rows, distinct = await database.fetchrow(once.format(column, table), ids)
            assert (rows, distinct) == (len(requests), len(requests)), table
    audit = system.command("audit", check=False)
    assert audit.returncode == 0, audit.stdout


async def _busy(database: object) -> int:
    """Wait for a moment at which there is work in flight; how much."""
    for _ in range(400):
        count = int(await database.fetchval(IN_FLIGHT))  # type: ignore[attr-defined] # asyncpg's connection
        if count:
            return count
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was in flight for two seconds")
