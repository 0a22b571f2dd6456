"""Reads all topics from outside the whole time, with a public library and `docs/events.md` only.

Checks the order that is promised: versions of an aggregate rise, and the steps of an enrollment follow each
other. A record that comes again, with the id it had, may come at any time.
"""

import asyncio
import json
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from rig.system import CLONE, TOPICS, System
from shared.kafka import PARTITIONS, end_offsets

AGGREGATES = {
    "enrollment.child_described.v1": ("version", "child_id"),
    "enrollment.entitlement_described.v1": ("version", "entitlement_id"),
    "enrollment.grant_described.v1": ("version", "grant_id"),
    "clubs.provider_described.v1": ("version", "provider_id"),
    "clubs.staff_described.v1": ("version", "grant_id"),
    "clubs.group_described.v1": ("version", "group_id"),
    "clubs.group_month_planned.v1": ("version", "group_id", "month"),
    "clubs.attendance_closed.v1": ("revision", "enrollment_id", "month"),
    "wallet.program_described.v1": ("version", "program_id"),
    "wallet.fund_described.v1": ("version", "fund_id"),
    "wallet.month_charged.v1": ("revision", "enrollment_id", "month"),
}
"""By type: what rises, and whose it is."""
STEPS = {
    "enrollment.seat_requested.v1": 1,
    "enrollment.funding_requested.v1": 2,
    "enrollment.confirmed.v1": 3,
    "enrollment.rejected.v1": 3,
    "enrollment.canceled.v1": 3,
    "enrollment.ended.v1": 4,
}
"""Of an enrollment, all in one topic under one key; the months that follow ask for funding again."""
READERS = {
    type_: frozenset(readers.split(", "))
    for type_, readers in re.findall(
        r"^\| \[`(.+?)`\].*?\| `.+?` \| (.+?) \|$", (CLONE / "docs/events.md").read_text(), re.MULTILINE
    )
}
"""By type: the services that handle it."""
SILENT_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 5.0
_ERRORS_SHOWN = 20

Place = tuple[str, int]
"""Topic and partition."""


@dataclass
class Observer:
    """What was seen."""

    bootstrap: str
    records: int = 0
    repeats: int = 0
    started_again: int = 0
    """How often its own consumer fell silent or failed, and was replaced."""
    versions_checked: int = 0
    wrong: list[str] = field(default_factory=list)
    types: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many events, each counted once, by type and enrollment."""
    watching: "asyncio.Task[None] | None" = None
    next: dict[Place, int] = field(default_factory=dict)
    _log: defaultdict[Place, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    _ids: set[str] = field(default_factory=set)
    _latest: defaultdict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))

    def see(self, record: ConsumerRecord) -> None:
        """Take one record, and say what is wrong with its place in the order."""
        self.records += 1
        headers = {name: value.decode() for name, value in record.headers}
        self._log[record.topic, record.partition].append((record.offset, headers["ce_type"]))
        if headers["ce_id"] in self._ids:
            self.repeats += 1
            return
        self._ids.add(headers["ce_id"])
        type_, content = headers["ce_type"], json.loads(record.value)
        where = f"{record.topic}/{record.partition}@{record.offset} {type_}"
        if type_ in AGGREGATES:
            what, *whose = AGGREGATES[type_]
            self._rises((type_, *(str(content[name]) for name in whose)), content[what], where)
        if "enrollment_id" in content:
            self.types[type_, content["enrollment_id"]] += 1
        if type_ in STEPS and self.types[type_, content["enrollment_id"]] == 1:
            self._rises(("enrollment", content["enrollment_id"]), STEPS[type_], where)

    def _rises(self, aggregate: tuple[str, ...], version: int, where: str) -> None:
        self.versions_checked += 1
        before = self._latest[aggregate]
        if version <= before and len(self.wrong) < _ERRORS_SHOWN:
            self.wrong.append(f"{where}: {version} of {' '.join(aggregate)} after {before}")
        self._latest[aggregate] = max(version, before)

    def before(self, service: str, positions: Mapping[Place, int]) -> int:
        """How many records that a service is to handle were seen here and lie before its positions."""
        return sum(
            service in READERS[type_]
            for place, position in positions.items()
            for type_ in self._from(place, position)
        )

    def _from(self, place: Place, position: int) -> Iterator[str]:
        for offset, type_ in reversed(self._log[place]):
            if offset < position:
                return
            yield type_

    async def watch(self) -> None:
        """Read until canceled, over whatever happens to the broker."""
        while True:
            with suppress(KafkaError, OSError, TimeoutError):
                await self._read_until_silent()
            self.started_again += 1
            await asyncio.sleep(1)

    async def _read_until_silent(self) -> None:
        log = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, request_timeout_ms=5000)
        try:
            async with asyncio.timeout(SILENT_SECONDS_MAX):
                await log.start()
            places = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
            log.assign(places)
            for place in places:
                log.seek(place, self.next.setdefault((place.topic, place.partition), 0))
            moved = time.monotonic()
            while time.monotonic() - moved < SILENT_SECONDS_MAX or not await self._misses(log, places):
                async with asyncio.timeout(SILENT_SECONDS_MAX):
                    batches = await log.getmany(timeout_ms=200)
                if batches:
                    moved = time.monotonic()
                for place, records in batches.items():
                    for record in records:
                        self.see(record)
                    self.next[place.topic, place.partition] = records[-1].offset + 1
        finally:
            # In a task of its own: after a broker's end `stop` may raise the cancellation of its parts.
            await asyncio.wait({asyncio.create_task(log.stop())}, timeout=STOP_SECONDS_MAX)

    async def _misses(self, log: Any, places: list[TopicPartition]) -> bool:  # noqa: ANN401 - aiokafka has no types
        """Whether there are records that do not come to us."""
        ends = await log.end_offsets(places)
        return any(self.next[place.topic, place.partition] < end for place, end in ends.items())

    async def until_caught_up(self, system: System) -> None:
        """Wait until all that is in the log was seen. Raises what ended the watching, if anything did."""
        log = AIOKafkaConsumer(bootstrap_servers=system.kafka_bootstrap, group_id=None)
        await log.start()
        try:
            places = [TopicPartition(topic, number) for topic in TOPICS for number in range(PARTITIONS)]
            async with asyncio.timeout(60):
                misses = True
                while misses:
                    await asyncio.sleep(0.2)
                    misses = await self._misses(log, places)
                    if self.watching and self.watching.done():
                        await self.watching
        finally:
            await log.stop()


@asynccontextmanager
async def watching(system: System, *, from_now: bool = False) -> AsyncIterator[Observer]:
    """An observer at work, from the first record on or from those that come next."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters comes as an exception
    observer = Observer(system.kafka_bootstrap)
    if from_now:
        observer.next.update(await end_offsets(system.kafka_bootstrap, TOPICS))
    observer.watching = task = asyncio.create_task(observer.watch())
    try:
        yield observer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
