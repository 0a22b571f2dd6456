"""The wallet's decider through PostgreSQL, at once and ten times the data; and the same from Kafka to Kafka.

First in this process: requests for money and sheets are handled as the worker does it, in chunks of 500, with
inbox, decision, books and outbox, one after the other. 2,000 enrollment-months are held and charged on an
empty ledger, and 2,000 more when it has ten times as many.

Then 4,000 sheets lie in Kafka, and a worker of the wallet is started: what it charges is read in its topic.
Beside it, what aiokafka does alone: the same records read and written again, one batch at a time.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

sys.path.insert(0, str(Path(__file__).parents[1]))

from clubs.main import service as clubs
from rig import alone
from rig.alone import Stand
from rig.askers import PRICE_TIYN, found_world
from rig.figures import tell, tell_above, tell_below
from rig.office import Sheet
from shared import outbox
from shared.consumer import handle
from shared.database import new_id
from shared.edge import Edge
from shared.events.envelope import Event
from shared.kafka import create_topics
from shared.testing import envelope_of, set_clock
from wallet.main import service as wallet
from wallet.testing import World, asked

CHUNK = 500
MEASURED = 2_000
TEN_TIMES = 9 * MEASURED
THROUGH_KAFKA = 4_000
PROVIDERS = 100
CHARGED_AT = datetime.fromisoformat("2026-11-06T09:00:00+05:00")
GROWTH_MAX = 1.3
AGAINST_AIOKAFKA_MIN = 0.2
AGAINST_BATCH_MIN = 0.5
SECONDS_MAX = 120.0
_ENTITLED = """
INSERT INTO wallet.entitlements (id, version, child_id, program_id, starts_on, until, coefficient_percent)
SELECT uuidv7(), 1, child_id, $2, '2026-09-01', '2027-05-31', 100 FROM unnest($1::uuid[]) AS row(child_id)
"""


@dataclass
class Bench:
    """Children who are entitled, and where they go."""

    stand: Stand
    edge: Edge
    superuser: Any
    """Of asyncpg, which has no types."""
    world: World
    providers: Sequence[Any]

    async def sheets(self, count: int) -> list[Sheet]:
        """Months of so many new children."""
        requests = [
            asked(new_id(), new_id(), price=PRICE_TIYN).model_copy(
                update={"provider_id": self.providers[number % len(self.providers)]}
            )
            for number in range(count)
        ]
        children = [one.child_id for one in requests]
        await self.superuser.execute(_ENTITLED, children, self.world.program_id)
        return [Sheet(one) for one in requests]

    async def take_in(self, events: Sequence[Event]) -> float:
        """As the worker does it, chunk by chunk; how many a second."""
        chunks = [
            [envelope_of(event, CHARGED_AT) for event in events[start : start + CHUNK]]
            for start in range(0, len(events), CHUNK)
        ]
        started = time.monotonic()
        for chunk in chunks:
            async with self.edge.transaction() as tx:
                if waiting := await handle(tx, wallet.events, chunk):
                    raise AssertionError(waiting)
        return len(events) / (time.monotonic() - started)

    async def hold_and_charge(self, count: int) -> tuple[float, float]:
        """How many a second of each."""
        sheets = await self.sheets(count)
        held = await self.take_in([sheet.request for sheet in sheets])
        return held, await self.take_in([sheet.closed() for sheet in sheets])


async def measure_growth(bench: Bench) -> tuple[bool, float]:
    """Small, and at ten times the data; whether it stayed the same, and how many are charged a second."""
    await bench.hold_and_charge(CHUNK)  # plans and caches become warm
    await bench.superuser.execute("VACUUM ANALYZE")
    psutil.cpu_percent()
    small = await bench.hold_and_charge(MEASURED)
    tell("wallet_cpu_left", 100 - psutil.cpu_percent(), "%")
    for name, first in zip(("holds", "charges"), small, strict=True):
        tell(f"wallet_{name}", first, "per_s")
    await bench.hold_and_charge(TEN_TIMES)
    await bench.superuser.execute("VACUUM ANALYZE")
    large = await bench.hold_and_charge(MEASURED)
    reached = []
    for name, first, then in zip(("holds", "charges"), small, large, strict=True):
        tell(f"wallet_{name}_ten_times", then, "per_s")
        reached.append(tell_below(f"wallet_{name}_growth", first / then, "x", GROWTH_MAX))
    return all(reached), large[1]


async def put_into_kafka(bench: Bench) -> None:
    """Sheets of months that are held, told by clubs, and carried by its relay."""
    sheets = await bench.sheets(THROUGH_KAFKA)
    await bench.take_in([sheet.request for sheet in sheets])
    await bench.superuser.execute("TRUNCATE wallet.outbox")  # what was answered up to here is nobody's
    async with bench.stand.database.edge("clubs") as telling, bench.stand.relaying("clubs"):
        for start in range(0, len(sheets), CHUNK):
            async with telling.transaction() as tx:
                for sheet in sheets[start : start + CHUNK]:
                    outbox.publish(tx, sheet.closed())
        while await bench.superuser.fetchval("SELECT count(*) FROM clubs.outbox"):  # noqa: ASYNC110 - the relay's
            await asyncio.sleep(0.1)


async def aiokafka_alone(kafka: str) -> float:
    """The sheets read, and written to another topic: how many a second."""
    await create_topics(kafka, ["bench.copies"])
    read = 0
    async with (
        AIOKafkaConsumer(
            "clubs.events", bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
        ) as consumer,
        AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as producer,
    ):
        started = time.monotonic()
        while read < THROUGH_KAFKA:
            batches = await consumer.getmany(timeout_ms=200, max_records=CHUNK)
            records = list(itertools.chain(*batches.values()))
            sending = [
                await producer.send("bench.copies", one.value, key=one.key, headers=[*one.headers])
                for one in records
            ]
            await asyncio.gather(*sending)
            read += len(records)
        return read / (time.monotonic() - started)


async def charged_through_kafka(bench: Bench) -> tuple[float, float]:
    """How many a second leave as charged, from the first to the last; and what CPU was left."""
    worker = bench.stand.start("wallet")
    try:
        async with (
            asyncio.timeout(SECONDS_MAX),
            AIOKafkaConsumer(
                "wallet.events",
                bootstrap_servers=bench.stand.kafka,
                group_id=None,
                auto_offset_reset="earliest",
            ) as consumer,
        ):
            charged = at_first = 0
            started = 0.0
            while charged < THROUGH_KAFKA:
                batches = await consumer.getmany(timeout_ms=200)
                charged += sum(
                    dict(one.headers)["ce_type"] == b"wallet.month_charged.v1"
                    for one in itertools.chain(*batches.values())
                )
                if charged and not at_first:
                    at_first, started = charged, time.monotonic()
                    psutil.cpu_percent()
            seconds = time.monotonic() - started
            return (charged - at_first) / seconds, 100 - psutil.cpu_percent()
    finally:
        worker.kill()


async def main() -> int:
    async with (
        alone.opened(clubs, wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.superuser() as superuser,
    ):
        world = await found_world(stand, edge)
        bench = Bench(stand, edge, superuser, world, [new_id() for _ in range(PROVIDERS)])
        await set_clock(stand.database, CHARGED_AT)
        flat, in_batches = await measure_growth(bench)
        await put_into_kafka(bench)
        alone_ = await aiokafka_alone(stand.kafka)
        through, idle = await charged_through_kafka(bench)
        tell("aiokafka_in_and_out", alone_, "per_s")
        tell("kafka_charged_out", through, "per_s")
        tell("kafka_charged_out_cpu_left", idle, "%")
        reached = [
            flat,
            tell_above("kafka_charged_against_aiokafka", through / alone_, "x", AGAINST_AIOKAFKA_MIN),
            tell_above("kafka_charged_against_batches", through / in_batches, "x", AGAINST_BATCH_MIN),
            tell_below("wallet_batch_audit", stand.audit("wallet").returncode, "exit", 0),
        ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
