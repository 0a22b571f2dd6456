"""Several workers of one service share its partitions, and take them from each other at any moment."""

import asyncio

import sqlalchemy as sa

from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.intake import Intake
from shared.testing import eventually
from shared.testing_line import Line, event_type, note_effect

KEYS = 40
NUMBERS = 5
_WAITS_FOR_A_LOCK = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def test_a_worker_whose_partitions_move_while_it_works_on_them_goes_on(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    begun, go_on = asyncio.Event(), asyncio.Event()

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)
        begun.set()
        await go_on.wait()

    async def another_waits_for_our_offsets() -> bool:
        async with line.edge.engine.connect() as connection:
            return bool((await connection.execute(sa.text(_WAITS_FOR_A_LOCK))).scalar_one())

    async def all_done() -> bool:
        return len(await line.effects()) >= KEYS * NUMBERS

    stopping = asyncio.Event()
    intakes = [Intake(line.edge, line.router, group=line.topic, kafka_bootstrap=line.kafka) for _ in range(2)]
    await line.send(
        *(happened(thing=f"{key}", number=number) for number in range(NUMBERS) for key in range(KEYS))
    )
    first = asyncio.create_task(intakes[0].run(stopping))
    await asyncio.wait_for(begun.wait(), 60)
    second = asyncio.create_task(intakes[1].run(stopping))
    await eventually(another_waits_for_our_offsets, seconds=60)
    go_on.set()
    await eventually(all_done, seconds=60)
    await eventually(lambda: _both_placed(intakes), seconds=60)
    assert not first.done()
    assert not second.done()
    stopping.set()
    await asyncio.gather(first, second)
    for key in range(KEYS):
        assert await line.effects(f"{key}") == list(range(NUMBERS))


async def _both_placed(intakes: list[Intake]) -> bool:
    return all(intake.placed for intake in intakes)
