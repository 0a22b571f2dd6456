"""Wakes those who wait for a commit: the relay for new outbox rows, `?wait=` for a newer version.

A doorbell is a hint and may be lost; whoever waits also polls. NOTIFY goes over an autocommit connection of
its own, debounced: inside a business transaction it would queue all commits of the cluster behind one lock.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from uuid import UUID

import asyncpg
import structlog

from shared.database import connect
from shared.retrying import LINE_LOST

DEBOUNCE_SECONDS = 0.005
RECONNECT_SECONDS = 0.5
POLL_SECONDS = 10.0
"""How often to look although nobody rang. Hundreds who wait would otherwise take the time that their answers
need; whose ring was lost waits no longer than this."""
PAYLOAD_IDS_MAX = 200  # NOTIFY takes 8,000 bytes; an id is 36 and a comma

log = structlog.get_logger()


class Doorbell:
    """One per process: rings after commits, hears the rings of the service's other processes."""

    def __init__(self, database_url: str, service: str) -> None:
        self._database_url = database_url
        self._outbox_channel = f"{service}_outbox"
        self._touched_channel = f"{service}_touched"
        self._pending_outbox = False
        self._pending_touched: set[UUID] = set()
        self._pending = asyncio.Event()
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self.outbox_rang = asyncio.Event()
        self.relay_is_here = False
        """The relay of the service runs in this process: nobody else need hear of new rows."""

    def ring_outbox(self) -> None:
        """Rows were committed to the outbox."""
        self.outbox_rang.set()
        if not self.relay_is_here:
            self._pending_outbox = True
            self._pending.set()

    def ring_touched(self, ids: Iterable[UUID]) -> None:
        """These resources have a newer version."""
        self._pending_touched.update(ids)
        if self._pending_touched:
            self._wake(self._pending_touched)
            self._pending.set()

    @contextlib.contextmanager
    def _registered(self, resource_id: UUID) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[resource_id].add(event)
        try:
            yield event
        finally:
            self._waiting[resource_id].discard(event)
            if not self._waiting[resource_id]:
                del self._waiting[resource_id]

    async def run(self) -> None:
        """Ring and listen until canceled; a lost connection is made again."""
        while True:
            try:
                await self._serve_one_connection()
            except (OSError, asyncpg.PostgresError, *LINE_LOST, TimeoutError) as error:
                log.warning("doorbell_lost", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _serve_one_connection(self) -> None:
        connection = await connect(self._database_url, command_timeout=5)
        try:
            await connection.add_listener(self._outbox_channel, lambda *_: self.outbox_rang.set())
            await connection.add_listener(self._touched_channel, self._hear_touched)
            while True:
                await self._pending.wait()
                await asyncio.sleep(DEBOUNCE_SECONDS)
                await self._send(connection)
        finally:
            connection.terminate()

    async def _send(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._pending.clear()
        rang, self._pending_outbox = self._pending_outbox, False
        ids, self._pending_touched = list(self._pending_touched), set()
        if rang:
            await connection.execute("SELECT pg_notify($1, '')", self._outbox_channel)
        for start in range(0, len(ids), PAYLOAD_IDS_MAX):
            payload = ",".join(map(str, ids[start : start + PAYLOAD_IDS_MAX]))
            await connection.execute("SELECT pg_notify($1, $2)", self._touched_channel, payload)

    def _hear_touched(self, *notification: object) -> None:
        payload = str(notification[-1])
        self._wake(UUID(part) for part in payload.split(",") if part)

    def _wake(self, ids: Iterable[UUID]) -> None:
        for resource_id in ids:
            for event in self._waiting.get(resource_id, ()):
                event.set()

    async def touches(self, resource_id: UUID, *, seconds: float) -> AsyncIterator[None]:
        """Yield at once, then whenever the resource may have changed, and now and then, for so long."""
        deadline = asyncio.get_running_loop().time() + seconds
        with self._registered(resource_id) as rang:
            while True:
                rang.clear()
                yield
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                try:
                    async with asyncio.timeout(min(left, POLL_SECONDS)):
                        await rang.wait()
                except TimeoutError:
                    if left <= POLL_SECONDS:
                        return
