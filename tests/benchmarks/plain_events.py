"""Events out of the outbox into Kafka, and out of Kafka through the inbox: the plumbing without a business.

50,000 events of some 0.5 kB, of 5,000 keys, lie in an outbox; the relay carries them. Then an intake takes
them in with a handler that does nothing: what is left are offsets, parked keys, inbox and commits. Beside it,
what aiokafka reads alone of the same records. Relay and intake run in this process, one after the other.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer

sys.path.insert(0, str(Path(__file__).parents[1]))

from clubs.main import service as clubs
from rig import alone
from rig.alone import Stand
from rig.figures import tell, tell_below
from shared.consumer import EventRouter, NotYet
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.events.envelope import Envelope, to_headers
from shared.intake import Intake
from shared.kafka import create_topics
from shared.testing_line import Happened, event_type

EVENTS = 50_000
KEYS = 5_000
WARM = 2_000
"""Taken in before the time is taken."""
TOPIC = "bench.events"
PADDING = "x" * 420
_COLUMNS = ("topic", "key", "headers", "value")


async def plant(stand: Stand, edge: Edge, happened: type[Happened]) -> None:
    """Fill the outbox, as so many transactions would have."""
    async with edge.transaction() as tx:
        now = tx.now
    rows = []
    for number in range(EVENTS):
        event = happened(thing=f"{number % KEYS:036}", number=number)
        headers = to_headers(
            event, id_=new_id(), time=now, correlation_id=new_id(), causation_id=None, traceparent=None
        )
        content = event.model_dump_json()[:-1] + f',"padding":"{PADDING}"}}'
        rows.append((TOPIC, event.key, json.dumps(headers), content.encode()))
    async with stand.superuser() as superuser:
        await superuser.copy_records_to_table("outbox", schema_name="clubs", columns=_COLUMNS, records=rows)
        await superuser.execute("VACUUM ANALYZE clubs.outbox")


async def relay(stand: Stand) -> tuple[float, float]:
    """How many a second, and what CPU was left."""
    async with stand.superuser() as superuser:
        psutil.cpu_percent()
        async with stand.relaying("clubs"):
            first = EVENTS
            while first == EVENTS:
                first = await superuser.fetchval("SELECT count(*) FROM clubs.outbox")
            started = time.monotonic()
            while await superuser.fetchval("SELECT EXISTS (SELECT FROM clubs.outbox)"):  # noqa: ASYNC110 - the relay's
                await asyncio.sleep(0.02)
            return first / (time.monotonic() - started), 100 - psutil.cpu_percent()


async def aiokafka_alone(kafka: str) -> float:
    """How many a second it reads."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
    ) as consumer:
        read, started = 0, time.monotonic()
        while read < EVENTS:
            read += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
        return EVENTS / (time.monotonic() - started)


async def take_in(stand: Stand, edge: Edge, happened: type[Happened]) -> tuple[float, float]:
    """How many a second with a handler that does nothing, and what CPU was left."""
    router = EventRouter()
    seen = 0
    warm, done = asyncio.Event(), asyncio.Event()

    @router.on_batch(happened)
    async def on_happened(_: Transaction, envelopes: Sequence[Envelope]) -> list[NotYet | None]:
        nonlocal seen
        seen += len(envelopes)
        if seen >= WARM:
            warm.set()
        if seen == EVENTS:
            done.set()
        return [None] * len(envelopes)

    stopping = asyncio.Event()
    taking_in = asyncio.create_task(
        Intake(edge, router, group="bench", kafka_bootstrap=stand.kafka).run(stopping)
    )
    await warm.wait()
    before, started = seen, time.monotonic()
    psutil.cpu_percent()
    await done.wait()
    rate = (EVENTS - before) / (time.monotonic() - started)
    idle = 100 - psutil.cpu_percent()
    stopping.set()
    await taking_in
    return rate, idle


async def main() -> int:
    async with alone.opened(clubs) as stand, stand.database.edge("clubs") as edge:
        await create_topics(stand.kafka, [TOPIC])
        happened = event_type(TOPIC, "happened")
        await plant(stand, edge, happened)
        relayed, relay_idle = await relay(stand)
        read_alone = await aiokafka_alone(stand.kafka)
        taken_in, intake_idle = await take_in(stand, edge, happened)
        async with stand.superuser() as superuser:
            known = await superuser.fetchval("SELECT count(*) FROM clubs.inbox")
    tell("relay", relayed, "events_per_s")
    tell("relay_cpu_left", relay_idle, "%")
    tell("aiokafka_read_alone", read_alone, "events_per_s")
    tell("intake", taken_in, "events_per_s")
    tell("intake_against_aiokafka", taken_in / read_alone, "x")
    tell("intake_cpu_left", intake_idle, "%")
    return 0 if tell_below("intake_lost", EVENTS - known, "events", 0) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
