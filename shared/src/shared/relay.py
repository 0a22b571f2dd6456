"""Carries the outbox to Kafka: one relay per service, in the order of the ids, deleting what is acknowledged.

After any error everything is dropped and it starts again at the first row, so an event may be sent twice and
is never lost or overtaken. The scan begins at a floor over which no row can appear any more (`settled`), so
that dead rows pinned by somebody's long transaction cost nothing.
"""

import asyncio
import time
from contextlib import suppress

import asyncpg
import orjson
import structlog
from prometheus_client import Counter

from shared.database import connect
from shared.doorbell import Doorbell
from shared.kafka import KafkaError, Message, Outlet
from shared.retrying import LINE_LOST
from shared.settled import Settled
from shared.telemetry import registry

POLL_SECONDS = 0.05
ROWS_PER_ROUND = 500
RESTART_SECONDS = 0.5
FLOOR_SECONDS = 1.0
OUTLET_SECONDS_MAX = 24 * 3600  # A22: a producer's sequence must not wrap

RELAYED = Counter("outbox_relayed_total", "Events that Kafka acknowledged", registry=registry)
RESTARTS = Counter("outbox_relay_restarts_total", "Times it began again after an error", registry=registry)

HEALED_BY_RESTART = (
    *(KafkaError, TimeoutError, OSError),
    *(asyncpg.PostgresError, *LINE_LOST),
)
"""Anything else ends the worker, loudly."""

log = structlog.get_logger()

_LOCK = "SELECT pg_try_advisory_lock(hashtext('relay'), hashtext(current_schema()))"
_NEXT = "SELECT id, topic, key, headers, value FROM outbox WHERE id > $1 ORDER BY id LIMIT $2"
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"


class Relay:
    """The relay of one service. The doorbell says when rows were committed; it polls in any case."""

    def __init__(self, database_url: str, kafka_bootstrap: str, doorbell: Doorbell) -> None:
        self._database_url = database_url
        self._kafka_bootstrap = kafka_bootstrap
        self._doorbell = doorbell

    async def run(self) -> None:
        """Carry until canceled."""
        while True:
            try:
                await self._carry_until_error()
            except HEALED_BY_RESTART as error:
                RESTARTS.inc()
                log.warning("relay_restarts", error=type(error).__name__)
            await asyncio.sleep(RESTART_SECONDS)

    async def _carry_until_error(self) -> None:
        connection = await connect(self._database_url, command_timeout=30)
        try:
            if not await connection.fetchval(_LOCK):
                return  # another process is the relay; ask again after the pause
            outlet = await Outlet.open(self._kafka_bootstrap)
            self._doorbell.relay_is_here = True
            try:
                await self._carry(connection, outlet)
            finally:
                self._doorbell.relay_is_here = False
                await outlet.close()
        finally:
            connection.terminate()

    async def _carry(self, connection: "asyncpg.Connection[asyncpg.Record]", outlet: Outlet) -> None:
        started = time.monotonic()
        floor, looked_at, settled = 0, 0.0, Settled("outbox")
        while time.monotonic() - started < OUTLET_SECONDS_MAX:
            self._doorbell.outbox_rang.clear()
            if time.monotonic() - looked_at >= FLOOR_SECONDS:
                looked_at = time.monotonic()
                await settled.look(connection)
            rows = await connection.fetch(_NEXT, floor, ROWS_PER_ROUND)
            if rows:
                await outlet.send([_message(row) for row in rows])
                await connection.execute(_DELETE, [row["id"] for row in rows])
                RELAYED.inc(len(rows))
            if len(rows) == ROWS_PER_ROUND:
                floor = max(floor, min(settled.up_to, rows[-1]["id"]))
                continue
            floor = settled.up_to
            # Not wait_for: Python 3.11's loses a cancellation that comes together with the ring.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._doorbell.outbox_rang.wait()


def _message(row: asyncpg.Record) -> Message:
    return Message(row["topic"], row["key"], orjson.loads(row["headers"]), row["value"])
