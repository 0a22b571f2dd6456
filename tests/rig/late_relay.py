"""A relay that is late on purpose: holds every record for a while, so that keys overtake each other.

It takes the lock of each service's relay, which then steps aside as it does for a relay of another process,
and carries the outboxes itself: each key of a topic in its order, every record after a delay of its own, in
an order among the keys that a seeded dice decides. What Kafka acknowledged is deleted, as the real one does.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rig.state import Connection
from rig.system import SERVICES, System
from shared.kafka import Message, Outlet

POLL_SECONDS = 0.02
DELAY_SECONDS_MAX = 3.0
_TAKE = "SELECT pg_advisory_lock(hashtext('relay'), hashtext($1))"
_END_HOLDER = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND pid <> $2
  AND classid::bigint = hashtext('relay')::bigint & 4294967295
  AND objid::bigint = hashtext($1)::bigint & 4294967295
"""

Row = Any
"""Of asyncpg, which has no types."""


@dataclass
class LateRelay:
    """How the records of all services were carried."""

    dice: random.Random
    carried: int = 0
    overtaken: int = 0
    """Records that were sent when a younger one of their service had been."""
    _due: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the first record of a key is to go, by service and id."""

    def ready(self, service: str, rows: Iterable[Row]) -> list[Row]:
        """Of each key the first record, if it has waited long enough; in an order of the dice."""
        heads: dict[tuple[str, str], Row] = {}
        for row in rows:
            heads.setdefault((row["topic"], row["key"]), row)
        now = time.monotonic()
        found = [
            row
            for row in heads.values()
            if self._due.setdefault((service, row["id"]), now + self._delay()) <= now
        ]
        self.dice.shuffle(found)
        return found

    def _delay(self) -> float:
        """Mostly short, seldom long."""
        return DELAY_SECONDS_MAX * self.dice.random() ** 4


@asynccontextmanager
async def late(system: System, dice: random.Random) -> AsyncIterator[LateRelay]:
    """Carry everything late until the block ends; then the services' own relays come back."""
    relay = LateRelay(dice)
    async with AsyncExitStack() as stack:
        for service in SERVICES:
            await _take(await stack.enter_async_context(system.database()), system, service)
        carrying = [asyncio.create_task(_carry(system, service, relay)) for service in SERVICES]
        try:
            yield relay
        finally:
            for task in carrying:
                task.cancel()
            ended = await asyncio.gather(*carrying, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _take(database: Connection, system: System, service: str) -> None:
    """Queue up for the lock and end the connection of who has it; it is kept as long as the connection."""
    taking = asyncio.create_task(database.execute(_TAKE, service))
    async with system.database() as other:
        while not taking.done():
            await other.execute(_END_HOLDER, service, database.get_server_pid())
            await asyncio.wait({taking}, timeout=0.2)
    await taking


async def _carry(system: System, service: str, relay: LateRelay) -> None:
    outlet = await Outlet.open(system.kafka_bootstrap)
    latest = 0
    try:
        async with system.database() as database:
            while True:
                rows = await database.fetch(f"SELECT * FROM {service}.outbox ORDER BY id")  # noqa: S608 - ours
                ready = relay.ready(service, rows)
                if ready:
                    await outlet.send([_message(row) for row in ready])
                    ids = [row["id"] for row in ready]
                    await database.execute(f"DELETE FROM {service}.outbox WHERE id = ANY($1)", ids)  # noqa: S608 - ours
                    relay.carried += len(ids)
                    for id_ in ids:
                        relay.overtaken += id_ < latest
                        latest = max(latest, id_)
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await outlet.close()


def _message(row: Row) -> Message:
    return Message(row["topic"], row["key"], json.loads(row["headers"]), row["value"])
