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

# The enrollment of each effect there is.
EFFECTS = {
    "seats": "SELECT enrollment_id::text FROM clubs.seats WHERE enrollment_id = ANY($1::uuid[])",
    "holds": "SELECT enrollment_id::text FROM wallet.holds WHERE enrollment_id = ANY($1::uuid[])",
    "operations": "SELECT split_part(key, '/', 1) FROM wallet.operations"
    " WHERE kind = 'hold' AND split_part(key, '/', 1) = ANY($1::text[])",
}
STEPS = (
    "enrollment.seat_requested.v1",
    "clubs.seat_reserved.v1",
    "enrollment.funding_requested.v1",
    "wallet.funds_held.v1",
    "enrollment.confirmed.v1",
)
GUARDIANS = """
SELECT e.id AS enrollment_id, l.person_id FROM enrollment.enrollments e
JOIN enrollment.guardian_links l ON l.child_id = e.child_id AND l.state = 'verified'
WHERE e.id = ANY($1::uuid[]) ORDER BY 1, 2
"""
CONFIRMATIONS = """
SELECT enrollment_id, person_id FROM notifications.messages
WHERE kind = 'confirmed' AND enrollment_id = ANY($1::uuid[]) ORDER BY 1, 2
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
    await system.settled(seconds=120)

    with capsys.disabled():
        print(f"\nkilled with this much in flight: {in_flight}")  # noqa: T201 - a figure of the run
    assert Counter(one.state for one in outcomes) == {"confirmed": len(requests)}
    await _assert_one_effect_each(system, [str(one.enrollment_id) for one in outcomes])
    audit = system.command("audit", check=False)
    assert audit.returncode == 0, audit.stdout


async def _assert_one_effect_each(system: System, ids: list[str]) -> None:
    """One seat, one hold by one operation, one event of each step, one message to each guardian."""
    async with system.database() as database:
        for what, query in EFFECTS.items():
            assert Counter(row[0] for row in await database.fetch(query, ids)) == Counter(ids), what
        expected, told = [await database.fetch(query, ids) for query in (GUARDIANS, CONFIRMATIONS)]
        assert len(expected) >= len(ids)
        assert told == expected
    for type_ in STEPS:
        events = (await system.published(f"{type_.partition('.')[0]}.events")).values()
        steps = Counter(content["enrollment_id"] for type_of, content in events if type_of == type_)
        assert {id_: steps[id_] for id_ in ids} == dict.fromkeys(ids, 1), type_


async def _busy(database: object) -> int:
    """Wait for a moment at which there is work in flight; how much."""
    for _ in range(400):
        count = int(await database.fetchval(IN_FLIGHT))  # type: ignore[attr-defined] # asyncpg's connection
        if count:
            return count
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was in flight for two seconds")
