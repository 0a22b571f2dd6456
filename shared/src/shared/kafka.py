"""Kafka as we use it: the only module that knows aiokafka, and where its traps are handled once.

No Kafka transactions: events are delivered at least once, and the inbox makes that effectively once. Why each
setting is what it is stands beside it; the numbers A1-A23 are rows of `docs/reliability.md`.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2

PARTITIONS = 12
"""Fixed for ever: the partition of a key must not move."""
RETENTION_MS = 30 * 24 * 3600 * 1000
REQUEST_BYTES_MAX = 1_000_000  # the broker's own limit is a little above
BATCH_BYTES_MAX = 512 * 1024  # holds the largest outbox row and its headers
ACKNOWLEDGED_SECONDS_MAX = 30  # A3: an idempotent batch never expires by itself
STOP_SECONDS_MAX = 5

__all__ = [
    "KafkaError",
    "Log",
    "Message",
    "Outlet",
    "Place",
    "Record",
    "create_topics",
    "end_offsets",
    "partition_of",
]

Place = tuple[str, int, int]
"""Topic, partition and offset: where a record is."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it came, bytes and all (A8: deserializers that raise would loop for ever)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def place(self) -> Place:
        return self.topic, self.partition, self.offset

    @property
    def log_partition(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.topic, self.partition

    def text_key(self) -> str | None:
        """The key as text, or None if there is none, or none that could be stored."""
        try:
            key = (self.key or b"").decode()
        except UnicodeDecodeError:
            return None
        return key if key and "\0" not in key else None

    def text_headers(self) -> dict[str, str]:
        """The headers as text; one that is no UTF-8 is left out."""
        found = {}
        for name, value in self.headers:
            with suppress(UnicodeDecodeError):
                found[name] = value.decode()
        return found


def partition_of(key: str) -> int:
    """The partition of a key: the same for whoever writes in whatever language."""
    partition: int = (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS
    return partition


async def create_topics(bootstrap: str, names: Iterable[str], *, replication: int = 1) -> None:
    """Create what is missing; topics that exist stay as they are."""
    configs = {"retention.ms": str(RETENTION_MS)}
    topics = [NewTopic(name, PARTITIONS, replication, topic_configs=configs) for name in names]
    async with _admin(bootstrap) as admin:
        answer = await admin.create_topics(topics)
    for name, code, *_ in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(f"topic {name} could not be created")


async def end_offsets(bootstrap: str, topics: Collection[str]) -> dict[tuple[str, int], int]:
    """How far each partition has been written, read from outside any group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    await _start(consumer, let_go=_stop)
    try:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        found = await consumer.end_offsets(partitions)
    finally:
        await _stop(consumer)
    return {(tp.topic, tp.partition): offset for tp, offset in found.items()}


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await _start(admin, let_go=AIOKafkaAdminClient.close)
    try:
        yield admin
    finally:
        await admin.close()


async def _start(client: Any, *, let_go: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401 - aiokafka has no types
    """Start a client, and let it go if that does not succeed.

    A cancellation waits a while for it: aiokafka forgets the connection it is just getting in with.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait({starting}, timeout=STOP_SECONDS_MAX)
        starting.cancel()
        await asyncio.wait({starting})
        await let_go(client)
        raise


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, if that can be done soon."""
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping}, timeout=STOP_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out."""

    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes


class Outlet:
    """Writes whole batches and waits for their acknowledgment.

    After any error it is to be closed and replaced: an aiokafka producer that lost a batch can stay broken
    (A2), and a batch that failed does not stop the next one of its partition (A4).
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    @classmethod
    async def open(cls, bootstrap: str) -> Self:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",  # A1: the default is 1
            enable_idempotence=True,
            linger_ms=0,  # batches are made by us
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=10_000,
            metadata_max_age_ms=30_000,
        )
        await _start(producer, let_go=_abandon)
        return cls(producer)

    async def send(self, messages: Sequence[Message]) -> None:
        """Write all in their order; per partition one batch is in flight at a time.

        Raises KafkaError or TimeoutError if not all were acknowledged: any of them may be written or not.
        """
        waiting = list(messages)
        while waiting:
            waiting = await self._send_one_wave(waiting)

    async def _send_one_wave(self, messages: Sequence[Message]) -> list[Message]:
        batches: defaultdict[tuple[str, int], Any] = defaultdict(self._producer.create_batch)
        full: set[tuple[str, int]] = set()
        left = []
        for message in messages:
            to = message.topic, partition_of(message.key)
            if to in full or not _append(batches[to], message):
                full.add(to)
                left.append(message)
        sent = [
            await self._producer.send_batch(batch, topic, partition=partition)
            for (topic, partition), batch in batches.items()
        ]
        done, pending = await asyncio.wait(sent, timeout=ACKNOWLEDGED_SECONDS_MAX)
        if pending:
            raise TimeoutError("Kafka did not acknowledge in time")
        for one in done:
            one.result()
        return left

    async def close(self) -> None:
        """Let go, without waiting for what was not acknowledged: it is still in the outbox."""
        await _abandon(self._producer)


def _append(batch: Any, message: Message) -> bool:  # noqa: ANN401 - aiokafka has no types
    headers = [(name, value.encode()) for name, value in message.headers.items()]
    return (
        batch.append(key=message.key.encode(), value=message.value, timestamp=None, headers=headers)
        is not None
    )


async def _abandon(producer: AIOKafkaProducer) -> None:
    # `stop()` would flush first, without a limit of time (A3); sender and connections are all there is.
    if producer._sender.sender_task is not None:  # noqa: SLF001 - no public way
        await producer._sender.close()  # noqa: SLF001 - as above
    producer._closed = True  # noqa: SLF001 - as above
    await producer.client.close()


class Log:
    """The topics a service reads, from positions that the service keeps itself."""

    def __init__(self, consumer: AIOKafkaConsumer, cluster_id: str) -> None:
        self._consumer = consumer
        self.id = cluster_id
        """Names the log that offsets belong to: another cluster has other offsets."""

    @classmethod
    async def open(
        cls, bootstrap: str, *, group: str, topics: Collection[str], positions: dict[tuple[str, int], int]
    ) -> Self:
        """Join the group. A partition that comes or goes is removed from `positions`; no more is done."""
        async with _admin(bootstrap) as admin:
            cluster_id = (await admin.describe_cluster())["cluster_id"]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,  # A1
            auto_offset_reset="earliest",  # A1; positions are sought right after, gaps are looked for
            max_poll_records=500,
            fetch_max_bytes=1 << 20,  # A18: what is prefetched is thrown away by a seek,
            max_partition_fetch_bytes=64 << 10,  # and what comes later waits behind it
            session_timeout_ms=10_000,  # a killed worker's partitions move soon
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=20_000,  # A20: below the 40 s of a request
            max_poll_interval_ms=300_000,
            metadata_max_age_ms=30_000,
        )
        consumer.subscribe(topics=list(topics), listener=OnMove(positions))
        await _start(consumer, let_go=_stop)
        return cls(consumer, cluster_id)

    async def read(self) -> dict[tuple[str, int], list[Record]]:
        """What came, per partition in order. Never cancel it (A7); it may take longer than it says (A6)."""
        batches = await self._consumer.getmany(timeout_ms=200)
        return {
            (tp.topic, tp.partition): [
                Record(tp.topic, tp.partition, one.offset, one.key, tuple(one.headers), one.value or b"")
                for one in records
            ]
            for tp, records in batches.items()
        }

    def assigned(self) -> set[tuple[str, int]]:
        return {(tp.topic, tp.partition) for tp in self._consumer.assignment()}

    def seek(self, partition: tuple[str, int], offset: int) -> None:
        self._consumer.seek(TopicPartition(*partition), offset)

    async def beginnings(self, partitions: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The first offset that is still there, per partition."""
        found = await self._consumer.beginning_offsets([TopicPartition(*one) for one in partitions])
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def ends(self, partitions: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The offset after the last record, per partition, as the broker says now."""
        found = await self._consumer.end_offsets([TopicPartition(*one) for one in partitions])
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    def end(self, partition: tuple[str, int]) -> int | None:
        """The offset after the last record, as far as the last fetch knew; None if it is no longer ours."""
        if partition not in self.assigned():
            return None
        highwater: int | None = self._consumer.highwater(TopicPartition(*partition))
        return highwater

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Tell Kafka, for lag figures only."""
        await self._consumer.commit({TopicPartition(*one): offset for one, offset in offsets.items()})

    async def close(self) -> None:
        await _stop(self._consumer)


class OnMove(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Forgets the positions of partitions that move; does nothing that could fail or wait (A19)."""

    def __init__(self, positions: dict[tuple[str, int], int]) -> None:
        self._positions = positions

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        for tp in revoked:
            self._positions.pop((tp.topic, tp.partition), None)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for tp in assigned:
            self._positions.pop((tp.topic, tp.partition), None)
