"""What is published leaves with its transaction or not at all, from one relay at a time, and is not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import outbox
from shared.kafka import end_offsets
from shared.relay import Relay
from shared.telemetry import registry
from shared.testing import Database, eventually
from shared.testing_line import Line, event_type, note_effect


@asynccontextmanager
async def relaying(line: Line, database: Database) -> AsyncIterator[None]:
    relay = Relay(database.url("notifications"), line.kafka, line.edge.doorbell)
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def left(line: Line) -> int:
    async with line.edge.engine.connect() as connection:
        return int(
            (await connection.execute(sa.select(sa.func.count()).select_from(outbox.outbox))).scalar_one()
        )


async def test_what_cannot_be_published_takes_its_transaction_with_it(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    async def do_and_tell() -> None:
        async with line.edge.transaction() as tx:
            await note_effect(tx, happened(thing="a", number=1))
            outbox.publish(tx, happened(thing="x" * 300_000, number=1))

    with pytest.raises(asyncpg.CheckViolationError):
        await do_and_tell()
    assert await line.effects() == []


async def test_what_is_told_again_is_another_event(line: Line) -> None:
    again = event_type(line.topic, "described", full_state=True)(thing="a", number=1)
    for _ in range(2):
        async with line.edge.transaction() as tx:
            outbox.publish(tx, again)
    async with line.edge.engine.connect() as connection:
        ids = (await connection.execute(sa.text("SELECT headers->>'ce_id' FROM outbox"))).scalars().all()
    assert len(set(ids)) == 2, "an inbox that knows the first would not hear the second"


async def test_a_row_stays_until_kafka_has_it(line: Line, database: Database) -> None:
    nowhere = event_type(f"test.{uuid4().hex}", "happened")  # a topic that nobody made
    async with line.edge.transaction() as tx:
        outbox.publish(tx, nowhere(thing="a", number=1))
    async with relaying(line, database):
        for _ in range(30):
            await asyncio.sleep(0.1)
            assert await left(line) == 1


async def test_of_two_relays_one_carries(line: Line, database: Database) -> None:
    happened = event_type(line.topic, "happened")
    numbers, restarts = list(range(100)), registry.get_sample_value("outbox_relay_restarts_total")
    async with AsyncExitStack() as running:
        for _ in range(2):
            await running.enter_async_context(relaying(line, database))
        await asyncio.sleep(1)
        for number in numbers:
            async with line.edge.transaction() as tx:
                outbox.publish(tx, happened(thing="a", number=number))

        async def all_left() -> bool:
            return not await left(line)

        await eventually(all_left)
    arrived = [
        happened.model_validate_json(value).model_dump()["number"] for value in await everything_in(line)
    ]
    if registry.get_sample_value("outbox_relay_restarts_total") != restarts:
        arrived = list(dict.fromkeys(arrived))  # after an error a relay may send again what it had sent
    assert arrived == numbers, "sent twice, or in another order"


async def everything_in(line: Line) -> list[bytes]:
    """All that lies in the topic, up to its end now."""
    (here, end), *others = [one for one in (await end_offsets(line.kafka, [line.topic])).items() if one[1]]
    assert not others, "one key is in one partition"
    found: list[bytes] = []
    async with AIOKafkaConsumer(bootstrap_servers=line.kafka, group_id=None) as log:
        partition = TopicPartition(*here)
        log.assign([partition])
        await log.seek_to_beginning(partition)
        while len(found) < end:
            batches = await log.getmany(partition, timeout_ms=500)
            found += [record.value for records in batches.values() for record in records]
    return found
