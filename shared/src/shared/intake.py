"""From Kafka to the handlers: one transaction a chunk holds offsets, parked keys, inbox, effects and outbox.

Offsets live in the service's own database: a chunk that commits has moved its offset, one that does not has
left no trace. If a chunk fails it is halved until the culprit stands alone, and that one parks its key.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge

from shared import parked
from shared.consumer import EventRouter, handle
from shared.edge import Edge
from shared.events.envelope import Envelope
from shared.kafka import KafkaError, Log, Place, Record
from shared.offsets import Chunk, MovedError, Partition, claim, positions
from shared.parked import Key, Why
from shared.retrying import until_it_passes
from shared.telemetry import registry

COMMIT_SECONDS = 5.0
LOOK_SECONDS = 30.0
GATHER_SECONDS = 0.01
"""Between two reads: what comes close together is taken together, and the broker is asked less often."""

SKIPPED = Counter("events_skipped_total", "Records of types that nobody here handles", registry=registry)
PARKED = Counter("events_parked_total", "Records that had to wait", ["reason"], registry=registry)
LAG = Gauge("consumer_lag_records", "Records not yet taken in", ["topic", "partition"], registry=registry)

log = structlog.get_logger()


class RecordsLostError(Exception):
    """Kafka no longer has records that were not taken in: a person must decide, so the worker stops."""


class StalledError(Exception):
    """Kafka has records for us and does not hand them out (A9, A10): a new process will get them."""


class _MustWaitError(Exception):
    """Some events of the chunk must park; rolls it back so that it can be done again without them."""

    def __init__(self, why: Mapping[Place, Why]) -> None:
        super().__init__()
        self.why = why


@dataclass(slots=True)
class _Sorted:
    """What is to become of each record of a chunk."""

    to_handle: list[tuple[Record, Envelope]]
    to_store: list[tuple[Record, Key | None]]
    why: dict[Key, Why]


class Intake:
    """The consumer of one service."""

    def __init__(self, edge: Edge, router: EventRouter, *, group: str, kafka_bootstrap: str) -> None:
        self._edge = edge
        self._router = router
        self._group = group
        self._kafka_bootstrap = kafka_bootstrap
        self._next: dict[Partition, int] = {}
        """What to read next, per partition that is ours."""
        self._stored: dict[Partition, int] = {}
        """The same as the database knows it: less, if what came since was only skipped."""
        self._shown: set[Partition] = set()
        """Those whose lag is told to whoever asks for metrics."""
        self._seen: dict[Partition, int] = {}
        self._stalled = False
        self.last_read = time.monotonic()
        """When the log last answered, for the watchdog."""

    @property
    def placed(self) -> bool:
        """Whether any partition is ours and its position known."""
        return bool(self._next)

    async def run(self, stopping: asyncio.Event) -> None:
        """Take in until told to stop; the chunk at hand is finished."""
        log_ = await until_it_passes(self._open)
        beside = asyncio.create_task(self._commit_and_look(log_))
        try:
            while not stopping.is_set():
                batches = await log_.read()
                self.last_read = time.monotonic()
                if batches:
                    self._stalled = False
                elif self._stalled:
                    raise StalledError
                unplaced = log_.assigned() - self._next.keys()
                if unplaced:
                    await self._place(log_, unplaced)
                # What was just placed is sought anew, and comes again from there.
                await self._take_in({one: batches[one] for one in batches.keys() - unplaced})
                if not batches:
                    await self._store_skipped()
                self._show_lag(log_, batches)
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            beside.cancel()
            await log_.close()

    async def _open(self) -> Log:
        return await Log.open(
            self._kafka_bootstrap, group=self._group, topics=self._router.topics, positions=self._next
        )

    async def _place(self, log_: Log, partitions: Collection[Partition]) -> None:
        """Seek to where the database says we are; from the first record where it says nothing."""
        beginnings, ends = await log_.beginnings(partitions), await log_.ends(partitions)
        positions = await until_it_passes(self._positions, log_.id, beginnings)
        for partition, position in positions.items():
            if not beginnings[partition] <= position <= ends[partition]:
                there = f"{beginnings[partition]} to {ends[partition]}"
                raise RecordsLostError(f"{partition} has {there}, but {position} is next")
            if partition in log_.assigned():
                log_.seek(partition, position)
                self._next[partition] = self._stored[partition] = position

    async def _positions(self, log_id: str, beginnings: Mapping[Partition, int]) -> dict[Partition, int]:
        async with self._edge.transaction() as tx:
            return await positions(tx, log_id, beginnings)

    async def _take_in(self, batches: Mapping[Partition, Sequence[Record]]) -> None:
        """Do what is next, of all partitions in one chunk: at a trickle one transaction serves them all.

        Where everything is skipped no transaction is opened; the offset moves with a later one.
        """
        records: list[Record] = []
        ends: dict[Partition, int] = {}
        for partition in sorted(batches):
            position = self._next.get(partition)
            fresh = [one for one in batches[partition] if position is not None and one.offset >= position]
            if fresh and fresh[0].offset != position:
                del self._next[partition]  # a hole: look up where we are, and seek there
            elif fresh:
                ends[partition] = self._next[partition] = fresh[-1].offset + 1
                wanted = [one for one in fresh if self._router.wants(one)]
                SKIPPED.inc(len(fresh) - len(wanted))
                records += wanted
        partitions = {one.log_partition for one in records}
        if records:
            starts = {partition: self._stored[partition] for partition in partitions}
            await self._process(Chunk(records, starts, {one: ends[one] for one in partitions}), {})

    async def _store_skipped(self) -> None:
        """Nothing came: let the database know how far we are where everything was skipped."""
        ends = {one: end for one, end in self._next.items() if self._stored[one] != end}
        if ends:
            await self._process(Chunk([], {one: self._stored[one] for one in ends}, ends), {})

    async def _process(self, chunk: Chunk, why: Mapping[Place, Why]) -> None:
        """Do a chunk, whatever it takes: again after a passing fault, in halves, or with a record parked."""
        try:
            await until_it_passes(self._attempt, chunk, why)
        except MovedError as moved:
            log.warning("offsets_moved", partitions=sorted(moved.partitions))
            for partition in moved.partitions:
                self._next.pop(partition, None)
            if (left := chunk.without(moved.partitions)).starts:
                await self._process(left, why)
        except _MustWaitError as must_wait:
            await self._process(chunk, {**why, **must_wait.why})
        except Exception as error:  # noqa: BLE001 - whatever a handler may raise parks its event
            await self._isolate(chunk, why, error)
        else:
            self._stored |= chunk.ends

    async def _isolate(self, chunk: Chunk, why: Mapping[Place, Why], error: Exception) -> None:
        if not chunk.records:
            raise error
        if len(chunk.records) > 1:
            for half in chunk.halves():
                await self._process(half, why)
            return
        place = chunk.records[0].place
        if place in why:
            raise error  # not even parking it works
        log.error("event_failed", place=place, exc_info=error)
        await self._process(chunk, {**why, place: Why("failed", type(error).__name__)})

    async def _attempt(self, chunk: Chunk, why: Mapping[Place, Why]) -> None:
        async with self._edge.transaction() as tx:
            await claim(tx, chunk)
            keys = {key for record in chunk.records if (key := parked.key_of(record))}
            found = self._sort(chunk.records, why, await parked.lock(tx, keys))
            await parked.park(tx, found.why, found.to_store)
            must_wait = await handle(tx, self._router, [envelope for _, envelope in found.to_handle])
            if must_wait:
                facts = {id(envelope): answer.fact for envelope, answer in must_wait}
                raise _MustWaitError(
                    {
                        record.place: Why("not_yet", facts[id(envelope)])
                        for record, envelope in found.to_handle
                        if id(envelope) in facts
                    }
                )
        for one in found.why.values():
            PARKED.labels(one.reason).inc()

    def _sort(self, records: Sequence[Record], why: Mapping[Place, Why], already: set[Key]) -> _Sorted:
        """Each record is handled, or stored because it or its key cannot go on, or skipped."""
        found = _Sorted([], [], {})
        behind = set(already)
        for record in records:
            read = self._router.read(record)
            key = parked.key_of(record)
            stopped = why.get(record.place) or (read if isinstance(read, Why) else None)
            if key is None:
                found.to_store.append((record, None))
            elif isinstance(read, Envelope) and not stopped and (key not in behind or read.event.full_state):
                found.to_handle.append((record, read))
            else:
                found.to_store.append((record, key))
                if stopped and key not in behind:
                    found.why[key] = stopped
                    behind.add(key)
        return found

    def _show_lag(self, log_: Log, partitions: Collection[Partition]) -> None:
        for gone in self._shown - self._next.keys():  # another process shows it now
            LAG.remove(*gone)
            self._shown.remove(gone)
        for partition in self._next.keys() & partitions:
            position = self._next[partition]
            LAG.labels(*partition).set((log_.end(partition) or position) - position)
            self._shown.add(partition)

    async def _commit_and_look(self, log_: Log) -> None:
        """Commit for lag figures (it may hang: A5), and look whether what is there still comes to us."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            try:
                await log_.commit(dict(self._next))
                if time.monotonic() - looked_at > LOOK_SECONDS:
                    looked_at = time.monotonic()
                    await self._look(log_)
            except KafkaError as error:  # A21: a partition that has just moved; only figures suffer
                log.info("commit_skipped", error=type(error).__name__)

    async def _look(self, log_: Log) -> None:
        """Stalled: records are there, and the position is where it was at the last look."""
        ends = await log_.ends(list(self._next))
        before, self._seen = self._seen, dict(self._next)
        waiting = [one for one, position in self._seen.items() if ends.get(one, 0) > position]
        self._stalled = any(before.get(one) == self._seen[one] for one in waiting)
