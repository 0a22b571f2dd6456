"""From a guardian's dispute of a charged month to the commit in which the wallet freezes it; 5 a second.

Children with a month of marks are planted (how: `rig/months.py`), the clock closes their month, the wallet
charges it. Then a guardian of each disputes one lesson that was captured, over HTTP, open loop, by a
generator on the same cores. A dispute begins when its request should have been sent, and ends with the commit
of the frozen month as PostgreSQL notes it (`track_commit_timestamp`, which is turned on for this): one
machine, so one clock.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from local import people
from rig import load, months, system
from rig.figures import percentile, tell, tell_below
from shared.tls import tls

SEATS = 100
GROUPS = 4
LAST_DAY = date(2026, 9, 30)
BEFORE = "2026-10-03T12:00"
CLOSES_AT = "2026-10-05T00:00:00+05:00"
GUARDIANS = 300
RATE = 5.0
WARM = 30
MEASURED = 300
P99_SECONDS_MAX = 1.0
BUSY = 503
"""Asked again with the same key; the time goes on."""
_GRANT = """
INSERT INTO clubs.grants (id, person_id, role, scope_kind, scope_id, version, ended)
VALUES ($1, $2, 'guardian', 'child', $3, 1, false)
"""
_COUNTED = """
SELECT enrollment_id, child_id,
    (SELECT lesson ->> 0 FROM jsonb_array_elements(verdicts) AS lesson WHERE lesson ->> 2 = 'counts' LIMIT 1)
        AS lesson_id
FROM wallet.charges WHERE group_id = ANY($1) AND captured_tiyn > 0 ORDER BY enrollment_id
"""
_FROZEN = """
SELECT enrollment_id, pg_xact_commit_timestamp(xmin) AS at
FROM wallet.enrollment_months WHERE enrollment_id = ANY($1) AND frozen
"""
_ITEMS = (
    "SELECT count(DISTINCT enrollment_id) FROM wallet.payable_items WHERE enrollment_id = ANY($1) AND frozen"
)


@dataclass(frozen=True)
class Doubt:
    """A lesson that was captured, and the token of a guardian who doubts it."""

    enrollment_id: UUID
    child_id: UUID
    lesson_id: str
    token: str


async def charge(running: system.System) -> list[UUID]:
    """Months of planted children, closed by their deadlines and charged; the groups."""
    await load.prepare(running, groups=1, children=1)  # the program that pays
    group_ids = await months.open_groups(running, GROUPS, seats=SEATS, ends_on=LAST_DAY)
    await running.settled(seconds=30)
    pupils = await months.ask_for_seats(running, group_ids, seats=SEATS)
    await running.settled(seconds=120)
    await months.hold_lessons(running, pupils)
    running.command("clock", "--to", BEFORE)
    async with running.database() as database:
        move = "UPDATE development.clock SET shift = $1 - clock_timestamp()"
        await database.execute(move, datetime.fromisoformat(CLOSES_AT))
        query = "SELECT count(*) FROM wallet.charges WHERE group_id = ANY($1)"
        while await database.fetchval(query, group_ids) < len(pupils):  # noqa: ASYNC110 - the wallet's
            await asyncio.sleep(0.2)
    await running.settled(seconds=120)
    return group_ids


async def doubts(running: system.System, group_ids: Sequence[UUID]) -> list[Doubt]:
    """One a child; people who can sign in become guardians of the children, besides the planted ones."""
    logins = [f"guardian-{number}" for number in range(1, GUARDIANS + 1)]
    tokens = [await running.token(login) for login in logins]
    async with running.database() as database:
        counted = [row for row in await database.fetch(_COUNTED, group_ids) if row["lesson_id"]]
        persons = [people.person_id(logins[place % GUARDIANS]) for place in range(len(counted))]
        children = [row["child_id"] for row in counted]
        grants = [
            (uuid5(child_id, str(person_id)), person_id, child_id)
            for child_id, person_id in zip(children, persons, strict=True)
        ]
        await database.executemany(_GRANT, grants)
    return [
        Doubt(row["enrollment_id"], row["child_id"], row["lesson_id"], tokens[place % GUARDIANS])
        for place, row in enumerate(counted)
    ]


async def dispute(running: system.System, wanted: Sequence[Doubt]) -> dict[UUID, float]:
    """Send them at the rate, whatever becomes of the earlier ones; when each was to be sent."""
    started = time.time() + 0.1
    async with httpx.AsyncClient(
        base_url=running.address("clubs"), trust_env=False, timeout=30, verify=tls()
    ) as http:

        async def one(number: int, doubt: Doubt) -> tuple[UUID, float]:
            intended = started + number / RATE
            await asyncio.sleep(max(intended - time.time(), 0))
            headers = {"Authorization": f"Bearer {doubt.token}", "Idempotency-Key": str(doubt.enrollment_id)}
            body = {"child_id": str(doubt.child_id), "lesson_id": doubt.lesson_id}
            while True:
                answer = await http.post("/v1/disputes", json=body, headers=headers)
                if answer.status_code != BUSY:
                    answer.raise_for_status()
                    return doubt.enrollment_id, intended
                await asyncio.sleep(float(answer.headers["Retry-After"]))

        return dict(await asyncio.gather(*(one(number, doubt) for number, doubt in enumerate(wanted))))


async def frozen(database: Any, asked: Sequence[UUID]) -> dict[UUID, datetime]:  # noqa: ANN401 - asyncpg's connection
    """When the freeze of each was committed, once nothing is on its way."""
    return {row["enrollment_id"]: row["at"] for row in await database.fetch(_FROZEN, asked)}


async def measure(running: system.System) -> bool:
    """Print the figures; whether the aim was reached."""
    wanted = await doubts(running, await charge(running))
    if len(wanted) < WARM + MEASURED:
        raise AssertionError(f"only {len(wanted)} months with a lesson that counts")
    await dispute(running, wanted[:WARM])
    await running.settled(seconds=60)
    sent = await dispute(running, wanted[WARM : WARM + MEASURED])
    await running.settled(seconds=120)
    async with running.database() as database:
        at = await frozen(database, list(sent))
        items = await database.fetchval(_ITEMS, list(sent))
    seconds = [(at[one] - datetime.fromtimestamp(sent[one], UTC)).total_seconds() for one in at]
    p99 = percentile(seconds, 99)
    tell("dispute_freeze_p50", percentile(seconds, 50), "s")
    tell("dispute_freeze_max", max(seconds), "s")
    return all(
        (
            tell("dispute_frozen", len(seconds), "of_all", f"{MEASURED}", reached=len(seconds) == MEASURED),
            tell("dispute_frozen_with_items", items, "of_all", f"{MEASURED}", reached=items == MEASURED),
            tell_below("dispute_freeze_p99", p99, "s", P99_SECONDS_MAX),
        )
    )


async def note_commit_times(running: system.System) -> None:
    """Turn them on; the server has to start again for it."""
    async with running.database() as database:
        await database.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    running.command("down")
    running.command("up", "--base-port", str(running.base_port))


async def main() -> int:
    with system.running() as running:
        await note_commit_times(running)
        return 0 if await measure(running) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
