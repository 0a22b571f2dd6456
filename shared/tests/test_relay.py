"""The outbox leaves in order, complete, and without what was rolled back, whatever happens to the relay."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator

import asyncpg
import orjson
import pytest
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer

from shared import outbox
from shared.edge import Edge
from shared.relay import FLOOR_SECONDS, Relay
from shared.testing import Database, eventually
from shared.testing_line import Happened, Line, event_type


@pytest.fixture
async def relaying(line: Line, database: Database) -> AsyncIterator[asyncio.Task[None]]:
    """The relay under test, running."""
    relay = Relay(database.url("notifications"), line.kafka, line.edge.doorbell)
    task = asyncio.create_task(relay.run())
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Heard:
    """An observer outside: every number that arrives in a topic, per key, in the order of arrival."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.numbers: defaultdict[str, list[int]] = defaultdict(list)

    async def listen(self) -> None:
        async for record in self._consumer:
            self.numbers[record.key.decode()].append(orjson.loads(record.value)["number"])

    def count(self) -> int:
        return sum(len(numbers) for numbers in self.numbers.values())

    def without_repeats(self, key: str) -> list[int]:
        return list(dict.fromkeys(self.numbers[key]))


@pytest.fixture
async def heard(line: Line) -> AsyncIterator[Heard]:
    consumer = AIOKafkaConsumer(line.topic, bootstrap_servers=line.kafka, auto_offset_reset="earliest")
    await consumer.start()
    made = Heard(consumer)
    task = asyncio.create_task(made.listen())
    yield made
    task.cancel()
    await consumer.stop()


async def _heard(heard: Heard, wanted: int) -> None:
    async def enough() -> bool:
        return heard.count() >= wanted

    await eventually(enough)


@pytest.mark.usefixtures("relaying")
async def test_a_transaction_that_commits_late_is_not_passed_over(
    line: Line, database: Database, heard: Heard
) -> None:
    happened = event_type(line.topic, "happened")
    early = await asyncpg.connect(database.url("notifications"))
    late = early.transaction()
    await late.start()
    await early.execute(
        "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, 'early', '{}', '{\"number\": 1}')",
        line.topic,
    )
    async with line.edge.transaction() as tx:
        outbox.publish(tx, happened(thing="later", number=2))
    await _heard(heard, 1)
    await asyncio.sleep(3 * FLOOR_SECONDS)  # the floor would have passed the early id by now
    assert heard.numbers == {"later": [2]}
    await late.commit()
    await early.close()
    await _heard(heard, 2)
    assert heard.numbers == {"later": [2], "early": [1]}


@pytest.mark.usefixtures("relaying")
async def test_the_first_row_of_a_fresh_outbox_is_sent(line: Line, heard: Heard, database: Database) -> None:
    owner = await asyncpg.connect(database.superuser_url)
    await owner.execute("ALTER SEQUENCE notifications.outbox_id_seq RESTART")
    await owner.close()
    await asyncio.sleep(2 * FLOOR_SECONDS)
    async with line.edge.transaction() as tx:
        outbox.publish(tx, event_type(line.topic, "happened")(thing="first", number=1))
    await _heard(heard, 1)


_OF_THE_OUTBOX = "notifications.outbox"
_LOOKED_AT = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE relid = $1::regclass"
"""Entries of the outbox's only index that scans came by, also those of dead rows."""


@contextlib.asynccontextmanager
async def _held_open_elsewhere(database: Database) -> AsyncIterator[None]:
    """A transaction of this database that has read and written, but not here, and does not end."""
    other = await asyncpg.connect(database.superuser_url)
    await other.execute("CREATE SCHEMA elsewhere CREATE TABLE outbox (id bigint)")
    held = other.transaction(isolation="repeatable_read")
    await held.start()
    await other.execute("INSERT INTO elsewhere.outbox VALUES (1)")
    yield
    await held.rollback()
    await other.execute("DROP SCHEMA elsewhere CASCADE")
    await other.close()


async def _write_without_a_pause(database: Database, topic: str) -> None:
    """One row after the other, each transaction open for a while: of two of these, one always writes."""
    connection = await asyncpg.connect(database.url("notifications"))
    try:
        while True:
            async with connection.transaction():
                await connection.execute(_INSERT, topic, 1)
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


_INSERT = """
INSERT INTO outbox (topic, key, headers, value)
SELECT $1, 'many', '{}', '{"number": 1}' FROM generate_series(1, $2)
"""


@pytest.mark.usefixtures("relaying")
async def test_what_others_hold_open_or_write_without_a_pause_does_not_slow_the_relay(
    line: Line, database: Database, heard: Heard
) -> None:
    rows = 10_000
    superuser = await asyncpg.connect(database.superuser_url)
    async with _held_open_elsewhere(database):
        writing = asyncio.create_task(_write_without_a_pause(database, line.topic))
        await asyncio.sleep(0.05)
        writing_too = asyncio.create_task(_write_without_a_pause(database, line.topic))
        async with line.edge.transaction() as tx:
            await (await tx.driver()).execute(_INSERT, line.topic, rows)
        await _heard(heard, rows)
        await asyncio.sleep(4 * FLOOR_SECONDS)  # the floor rises, and the server counts up to here
        before = await superuser.fetchval(_LOOKED_AT, _OF_THE_OUTBOX)
        count = heard.count()
        await asyncio.sleep(4 * FLOOR_SECONDS)
        looked_at = await superuser.fetchval(_LOOKED_AT, _OF_THE_OUTBOX) - before
        for task in (writing, writing_too):
            task.cancel()
        await asyncio.gather(writing, writing_too, return_exceptions=True)
    await superuser.close()
    assert heard.count() > count  # what was written meanwhile has left
    assert before >= rows
    assert looked_at < rows  # a scan that comes by the dead rows looks at as many each time


async def _write(edge: Edge, happened: type[Happened], key: str, *, fails: bool, pause: float) -> bool:
    """Lock the thing, publish its next version, and commit after a pause, or not at all."""
    with contextlib.suppress(ZeroDivisionError):
        async with edge.transaction() as tx:
            raised = await tx.execute(
                sa.text(
                    "INSERT INTO things VALUES (:thing, 1) ON CONFLICT (thing)"
                    " DO UPDATE SET version = things.version + 1 RETURNING version"
                ),
                {"thing": key},
            )
            outbox.publish(tx, happened(thing=key, number=raised.scalar_one()))
            await asyncio.sleep(pause)
            if fails:
                raise ZeroDivisionError
        return True
    return False


async def test_versions_arrive_in_order_and_complete_while_the_relay_is_restarted(
    line: Line, database: Database, heard: Heard
) -> None:
    happened = event_type(line.topic, "happened")
    dice = random.Random(7)  # noqa: S311 - not a secret
    restarts = 0

    async def restart_now_and_then() -> None:
        nonlocal restarts
        while True:
            relay = Relay(database.url("notifications"), line.kafka, line.edge.doorbell)
            task = asyncio.create_task(relay.run())
            try:
                await asyncio.sleep(dice.uniform(0.1, 0.5))
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            restarts += 1

    async def write() -> int:
        committed = 0
        for _ in range(40):
            committed += await _write(
                line.edge,
                happened,
                f"thing-{dice.randrange(10)}",
                fails=dice.random() < 0.1,
                pause=dice.uniform(0, 0.03),
            )
        return committed

    restarting = asyncio.create_task(restart_now_and_then())
    committed = sum(await asyncio.gather(*(write() for _ in range(15))))

    async def outbox_is_empty() -> bool:
        async with line.edge.engine.connect() as connection:
            return not (await connection.execute(sa.text("SELECT count(*) FROM outbox"))).scalar_one()

    await eventually(outbox_is_empty, seconds=30)
    restarting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await restarting
    await _heard(heard, committed)
    assert restarts >= 3
    assert committed > 400
    found = {key: heard.without_repeats(key) for key in heard.numbers}
    assert {key: list(range(1, len(numbers) + 1)) for key, numbers in found.items()} == found
    assert sum(len(numbers) for numbers in found.values()) == committed


async def test_a_relay_whose_connection_is_cut_goes_on(
    line: Line, database: Database, heard: Heard, relaying: asyncio.Task[None]
) -> None:
    happened = event_type(line.topic, "happened")
    async with line.edge.transaction() as tx:
        outbox.publish(tx, happened(thing="a", number=1))
    await _heard(heard, 1)
    superuser = await asyncpg.connect(database.superuser_url)
    cut = await superuser.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await superuser.close()
    assert cut == 1
    async with line.edge.transaction() as tx:
        outbox.publish(tx, happened(thing="a", number=2))
    await _heard(heard, 2)
    assert heard.without_repeats("a") == [1, 2]
    assert not relaying.done()


async def test_what_no_record_can_hold_is_refused_where_it_is_published(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    with pytest.raises(asyncpg.CheckViolationError):
        async with line.edge.transaction() as tx:
            outbox.publish(tx, happened(thing="x" * 300_000, number=1))
