"""The story in a system of its own; and what it left does not change when its records come again.

The amounts it checks are computed from the calendar in `deploy/local/tests`, by nothing of the services.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from rig import system as rig
from rig.system import SERVICES, TOPICS, System
from shared.kafka import PARTITIONS

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("story"), pytest.mark.timeout(600)]

SEED = 20260914
PLUMBING = frozenset(
    {
        "alembic_version",
        "consumer_offsets",
        "idempotency",
        "inbox",
        "outbox",
        "parked_keys",
        "parked_records",
    }
)
LOCKS = {("wallet", "wallets")}
"""Tables whose version counts locks, not changes."""


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[System, str]]:
    """A system in which the story has been played, and what was printed."""
    with rig.reserved() as system:
        demo = system.command("demo", "--base-port", str(system.base_port), check=False)
        yield system, demo.stdout


async def test_every_step_goes_as_told_and_the_books_are_right(played: tuple[System, str]) -> None:
    _, told = played
    assert "steps went as told" in told, told
    assert "NOT CLEAN" not in told, told


async def test_the_trace_of_an_order_leads_to_the_marks_and_to_the_budget_line(
    played: tuple[System, str],
) -> None:
    system, told = played
    (payout_id,) = re.findall(r"social-wallet trace payout (\S+)", told)
    trace = system.command("trace", "payout", payout_id).stdout
    for part in (
        "ACSC",
        "deposit 15\u202f000.00",
        "Children of the Steppe",
        "guardian present",
        "device present",
    ):
        assert part in trace, trace


async def test_every_record_may_come_twice(played: tuple[System, str]) -> None:
    system, _ = played
    before = await _state(system)
    records = await _records(system)
    await _send(system, records)
    assert await _state(system) == before


async def test_every_record_may_be_handled_again_in_another_order_of_keys(
    played: tuple[System, str],
) -> None:
    system, _ = played
    before = await _state(system)
    records = _shuffled(await _records(system))
    async with system.database() as database:
        for service in SERVICES:
            await database.execute(f"TRUNCATE {service}.inbox")
    await _send(system, records)
    assert await _state(system) == before
    audit = system.command("audit", check=False)
    assert audit.returncode == 0, audit.stdout


async def _records(system: System) -> list[ConsumerRecord[bytes, bytes]]:
    """All there are, as they lie in Kafka."""
    found: list[ConsumerRecord[bytes, bytes]] = []
    async with AIOKafkaConsumer(bootstrap_servers=system.kafka_bootstrap, group_id=None) as log:
        for topic in TOPICS:
            for number in range(PARTITIONS):
                partition = TopicPartition(topic, number)
                log.assign([partition])
                await log.seek_to_beginning(partition)
                end = (await log.end_offsets([partition]))[partition]
                while await log.position(partition) < end:
                    found += (await log.getmany(timeout_ms=500)).get(partition, [])
    return found


def _shuffled(records: list[ConsumerRecord[bytes, bytes]]) -> list[ConsumerRecord[bytes, bytes]]:
    """Topics and keys mixed at random; each key of a topic keeps its order."""
    of_key: dict[tuple[str, bytes | None], list[ConsumerRecord[bytes, bytes]]] = {}
    for record in records:
        of_key.setdefault((record.topic, record.key), []).append(record)
    turns = [whose for whose, of_one in of_key.items() for _ in of_one]
    random.Random(SEED).shuffle(turns)  # noqa: S311 - an order
    waiting = {whose: iter(of_one) for whose, of_one in of_key.items()}
    return [next(waiting[whose]) for whose in turns]


async def _send(system: System, records: list[ConsumerRecord[bytes, bytes]]) -> None:
    """Put them into Kafka once more, and wait until all of it has been taken in."""
    assert records
    async with AIOKafkaProducer(bootstrap_servers=system.kafka_bootstrap) as producer:
        for record in records:
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                headers=[*record.headers],
                partition=record.partition,
            )
    await system.settled(seconds=120)


async def _state(system: System) -> dict[str, str]:
    """A hash of each table of each service, without what the plumbing keeps."""
    await system.settled(seconds=60)
    async with system.database() as database:
        return {
            f"{service}.{table}": await _hash(database, service, table)
            for service in SERVICES
            for table in await _tables(database, service)
        }


async def _tables(database: Any, service: str) -> list[str]:  # noqa: ANN401 - asyncpg's connection
    rows = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", service
    )
    return [row["tablename"] for row in rows if row["tablename"] not in PLUMBING]


async def _hash(database: Any, service: str, table: str) -> str:  # noqa: ANN401 - asyncpg's connection
    without = " - 'version'" if (service, table) in LOCKS else ""
    rows = await database.fetch(
        f"SELECT (to_jsonb(t){without})::text AS content FROM {service}.{table} AS t ORDER BY 1"  # noqa: S608 - ours
    )
    digest = hashlib.sha256("\n".join(row["content"] for row in rows).encode()).hexdigest()
    return f"{len(rows)} rows {digest[:16]}"
