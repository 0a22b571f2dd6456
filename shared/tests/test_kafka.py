"""What `shared.kafka` promises about aiokafka's clients beyond what the tests of relay and intake see."""

import asyncio
import gc
from collections.abc import Coroutine
from uuid import uuid4

import pytest

from shared.kafka import Log, Message, Outlet, Record, create_topics, partition_of
from shared.testing import eventually


async def _canceled_after(seconds: float, opening: Coroutine[None, None, Outlet | Log]) -> None:
    task = asyncio.create_task(opening)
    await asyncio.sleep(seconds)
    task.cancel()
    try:
        opened = await task
    except asyncio.CancelledError:
        return
    await opened.close()


@pytest.mark.parametrize("milliseconds", range(0, 40, 4))
async def test_a_client_canceled_while_it_starts_leaves_nothing_open(kafka: str, milliseconds: int) -> None:
    await create_topics(kafka, ["test.canceled"])
    await _canceled_after(milliseconds / 1000, Outlet.open(kafka))
    await _canceled_after(
        milliseconds / 1000, Log.open(kafka, group="canceled", topics=["test.canceled"], positions={})
    )
    gc.collect()  # what was left open warns when it goes, and a warning is an error


def test_a_key_stays_in_its_partition_whoever_writes() -> None:
    keys = ("a", "b", "enrollment", "Қазақстан", "0199b3a0-0000-7000-8000-000000000001")
    assert [partition_of(key) for key in keys] == [4, 8, 11, 6, 7]  # as Kafka's own clients have it


async def test_what_does_not_fit_into_a_batch_follows_in_its_order(kafka: str) -> None:
    topic = f"test.{uuid4().hex}"
    await create_topics(kafka, [topic])
    outlet = await Outlet.open(kafka)
    sizes = (300_000, 300_000, 1_000, 300_000, 1_000)
    await outlet.send(
        [Message(topic, "key", {}, str(place).encode().ljust(size)) for place, size in enumerate(sizes)]
    )
    await outlet.close()
    log = await Log.open(kafka, group=topic, topics=[topic], positions={})
    arrived: list[int] = []

    async def all_of_them() -> bool:
        for records in (await log.read()).values():
            arrived.extend(int(record.value) for record in records)
        return len(arrived) == len(sizes)

    await eventually(all_of_them, seconds=20)
    await log.close()
    assert arrived == [0, 1, 2, 3, 4]


async def test_records_larger_than_what_is_fetched_at_once_arrive(kafka: str) -> None:
    topic = f"test.{uuid4().hex}"
    await create_topics(kafka, [topic])
    outlet = await Outlet.open(kafka)
    await outlet.send([Message(topic, f"key-{number % 6}", {}, b"x" * 200_000) for number in range(18)])
    await outlet.close()
    log = await Log.open(kafka, group=topic, topics=[topic], positions={})
    arrived: list[Record] = []

    async def all_of_them() -> bool:
        for records in (await log.read()).values():
            arrived.extend(records)
        return len(arrived) == 18

    await eventually(all_of_them, seconds=20)
    await log.close()
