"""From Kafka to the handlers: one transaction per chunk holds offset, parked keys, inbox, effects and outbox.

Offsets live in the service's own database: a chunk that commits has moved its offset, one that does not has
left no trace. If a chunk fails it is halved until the culprit stands alone, and that one parks its key.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.dialects.postgresql import insert

from shared import parked
from shared.consumer import EventRouter, handle
from shared.database import Transaction, plumbing
from shared.edge import Edge
from shared.events.envelope import Envelope
from shared.kafka import KafkaError, Log, Place, Record
from shared.parked import Key, Why
from shared.retrying import until_it_passes
from shared.telemetry import registry

CHUNKS_IN_FLIGHT = 3
COMMIT_SECONDS = 5.0
LOOK_SECONDS = 30.0

Partition = tuple[str, int]

SKIPPED = Counter("events_skipped_total", "Records of types that nobody here handles", registry=registry)
PARKED = Counter("events_parked_total", "Records that had to wait", ["reason"], registry=registry)
LAG = Gauge("consumer_lag_records", "Records not yet taken in", ["topic", "partition"], registry=registry)

log = structlog.get_logger()

offsets = sa.Table(
    "consumer_offsets",
    plumbing,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("log_id", sa.Text, nullable=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)


class RecordsLostError(Exception):
    """Kafka no longer has records that were not taken in: a person must decide, so the worker stops."""


class StalledError(Exception):
    """Kafka has records for us and does not hand them out (A9, A10): a new process will get them."""


class _MovedError(Exception):
    """Another process has moved this partition's offset: what we hold is not ours to do."""


class _MustWaitError(Exception):
    """Some events of the chunk must park; rolls it back so that it can be done again without them."""

    def __init__(self, why: Mapping[Place, Why]) -> None:
        super().__init__()
        self.why = why


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition; `start` and `end` are offsets, `end` not included."""

    partition: Partition
    start: int
    end: int
    records: Sequence[Record]

    def halves(self) -> tuple["Chunk", "Chunk"]:
        middle = len(self.records) // 2
        border = self.records[middle].offset
        return (
            replace(self, end=border, records=self.records[:middle]),
            replace(self, start=border, records=self.records[middle:]),
        )


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
        self._in_flight = asyncio.Semaphore(CHUNKS_IN_FLIGHT)
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
                await asyncio.gather(
                    *(
                        self._take_in(log_, partition, records)
                        for partition, records in batches.items()
                        if partition not in unplaced  # sought anew, and comes again from there
                    )
                )
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
                self._next[partition] = position

    async def _positions(self, log_id: str, beginnings: Mapping[Partition, int]) -> dict[Partition, int]:
        async with self._edge.transaction() as tx:
            return await _positions(tx, log_id, beginnings)

    async def _take_in(self, log_: Log, partition: Partition, records: Sequence[Record]) -> None:
        position = self._next.get(partition)
        fresh = [one for one in records if position is not None and one.offset >= position]
        if position is None or not fresh:
            return
        if fresh[0].offset != position:
            del self._next[partition]  # a hole: look up where we are, and seek there
            return
        end = fresh[-1].offset + 1
        try:
            async with self._in_flight:
                await self._process(Chunk(partition, position, end, fresh), {})
        except _MovedError:
            log.warning("offset_moved", topic=partition[0], partition=partition[1])
            self._next.pop(partition, None)
            return
        if self._next.get(partition) == position:
            self._next[partition] = end
        LAG.labels(*partition).set((log_.end(partition) or end) - end)

    async def _process(self, chunk: Chunk, why: Mapping[Place, Why]) -> None:
        """Do a chunk, whatever it takes: again after a passing fault, in halves, or with a record parked."""
        try:
            await until_it_passes(self._attempt, chunk, why)
        except _MovedError:
            raise
        except _MustWaitError as must_wait:
            await self._process(chunk, {**why, **must_wait.why})
        except Exception as error:  # noqa: BLE001 - whatever a handler may raise parks its event
            await self._isolate(chunk, why, error)

    async def _isolate(self, chunk: Chunk, why: Mapping[Place, Why], error: Exception) -> None:
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
            await _claim(tx, chunk)
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
            if read is None:
                SKIPPED.inc()
            elif key is None:
                found.to_store.append((record, None))
            elif isinstance(read, Envelope) and not stopped and (key not in behind or read.event.full_state):
                found.to_handle.append((record, read))
            else:
                found.to_store.append((record, key))
                if stopped and key not in behind:
                    found.why[key] = stopped
                    behind.add(key)
        return found

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


async def _positions(
    tx: Transaction, log_id: str, beginnings: Mapping[Partition, int]
) -> dict[Partition, int]:
    """Where to go on, per partition. A log of another cluster is read from its beginning: the inbox knows."""
    row = insert(offsets)
    await tx.execute(
        row.on_conflict_do_update(
            index_elements=["topic", "partition"],
            set_={"log_id": row.excluded.log_id, "next_offset": row.excluded.next_offset},
            where=offsets.c.log_id != row.excluded.log_id,
        ),
        [
            {"topic": topic, "partition": number, "log_id": log_id, "next_offset": offset}
            for (topic, number), offset in sorted(beginnings.items())
        ],
    )
    rows = await tx.execute(
        sa.select(offsets.c.topic, offsets.c.partition, offsets.c.next_offset).where(
            sa.tuple_(offsets.c.topic, offsets.c.partition).in_(list(beginnings))
        )
    )
    return {(row.topic, row.partition): row.next_offset for row in rows}


async def _claim(tx: Transaction, chunk: Chunk) -> None:
    """Move the offset first: whoever lost the partition in the meantime finds it moved and does nothing."""
    topic, number = chunk.partition
    moved = await tx.execute(
        sa.update(offsets)
        .where(offsets.c.topic == topic, offsets.c.partition == number, offsets.c.next_offset == chunk.start)
        .values(next_offset=chunk.end)
    )
    if moved.rowcount != 1:
        raise _MovedError
