"""The records of a running system, as they lie in Kafka: mixed, and put in once more."""

import random
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from rig.system import System


def mixed(
    records: Sequence[ConsumerRecord[bytes, bytes]], dice: random.Random
) -> list[ConsumerRecord[bytes, bytes]]:
    """Topics and keys mixed at random; each key of a topic keeps its order."""
    of_key: dict[tuple[str, bytes | None], list[ConsumerRecord[bytes, bytes]]] = {}
    for record in records:
        of_key.setdefault((record.topic, record.key), []).append(record)
    turns = [whose for whose, of_one in of_key.items() for _ in of_one]
    dice.shuffle(turns)
    waiting = {whose: iter(of_one) for whose, of_one in of_key.items()}
    return [next(waiting[whose]) for whose in turns]


async def put_in_again(system: System, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
    """Send them in this order, each to its partition, and wait until all of it has been taken in."""
    if not records:
        raise AssertionError("there is nothing to put in again")
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


async def empty_inboxes(system: System, services: Sequence[str]) -> None:
    """Let services forget what they have taken in: whatever comes again is handled again."""
    async with system.database() as database:
        for service in services:
            await database.execute(f"TRUNCATE {service}.inbox")
