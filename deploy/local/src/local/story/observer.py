"""Watches Kafka from outside, to tell which events followed from which request."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaConsumer

from local.client import PATIENCE_SECONDS
from local.layout import Layout

TOPICS = ("enrollment.events", "clubs.events", "wallet.events", "wallet.runs")


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as anybody can read it."""

    type: str
    time: str
    correlation_id: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """`clubs.seat_reserved`, without the version."""
        return self.type.rpartition(".v")[0]


@dataclass(slots=True)
class Observer:
    """All events since the story began."""

    seen: list[Seen] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def watching(cls, system: Layout) -> AsyncIterator[Self]:
        """An observer that reads along, in no consumer group."""
        log = AIOKafkaConsumer(*TOPICS, bootstrap_servers=system.bootstrap, auto_offset_reset="latest")
        observer = cls()
        await log.start()
        await log.seek_to_end()
        reading = asyncio.ensure_future(observer._read(log))
        try:
            yield observer
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
            await log.stop()

    async def _read(self, log: AIOKafkaConsumer) -> None:
        async for record in log:
            headers = {name: value.decode() for name, value in record.headers}
            self.seen.append(
                Seen(
                    headers.get("ce_type", "unknown.v0"),
                    headers.get("ce_time", ""),
                    headers.get("ce_correlationid", ""),
                    orjson.loads(record.value),
                )
            )

    async def following(self, correlation_id: str, expected: Collection[str]) -> list[Seen]:
        """The events that a request led to, in the order in which they happened; waits for as many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = [event for event in self.seen if event.correlation_id == correlation_id]
            if len(found) >= len(expected) or time.monotonic() > deadline:
                return sorted(found, key=lambda event: event.time)
            await asyncio.sleep(0.02)

    async def since(self, number: int, name: str, *, count: int) -> list[Seen]:
        """Events of a name that came after the first `number` events; waits for as many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = [event for event in self.seen[number:] if event.name == name]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.02)
