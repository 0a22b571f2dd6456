"""A parked key is served by the intake or by the replay, never by both at once, and in its order."""

import asyncio

from shared.consumer import NotYet
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.kafka import Message
from shared.testing import eventually
from shared.testing_line import Line, event_type, note_effect


class _Gate:
    """Stops whoever passes until it is opened, and knows that somebody waits."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        await self.opened.wait()


async def _effects(line: Line, thing: str, wanted: list[int], seconds: float = 10) -> None:
    async def as_wanted() -> bool:
        return await line.effects(thing) == wanted

    await eventually(as_wanted, seconds=seconds)


async def _parked_count(line: Line, wanted: int) -> None:
    async def counted() -> bool:
        async with line.edge.engine.connect() as connection:
            rows = await connection.exec_driver_sql("SELECT count(*) FROM parked_records")
            return bool(rows.scalar_one() == wanted)

    await eventually(counted)


async def test_what_comes_while_a_key_is_replayed_is_done_after_it(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    gate, fact_is_there = _Gate(), False

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> NotYet | None:
        if not fact_is_there:
            return NotYet("fact")
        await note_effect(tx, envelope.event)
        await gate.passed()
        return None

    async with line.consuming():
        await line.send(happened(thing="a", number=1))
        await _parked_count(line, 1)
        fact_is_there = True
        await gate.reached.wait()  # the replay has locked the key, and written, and has not committed
        await line.send(happened(thing="a", number=2))
        await asyncio.sleep(1)  # the intake has had time to overtake, were it not for the lock
        meanwhile = await line.effects("a")
        gate.opened.set()
        assert meanwhile == []
        await _effects(line, "a", [1, 2])
        await _parked_count(line, 0)


async def test_a_later_event_of_a_parked_key_waits_although_it_could_go_on(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    fact_is_there = False

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> NotYet | None:
        if envelope.event == happened(thing="a", number=1) and not fact_is_there:
            return NotYet("fact")
        await note_effect(tx, envelope.event)
        return None

    async with line.consuming():
        await line.send(*(happened(thing="a", number=number) for number in (1, 2)))  # behind it in one chunk
        await _parked_count(line, 2)
        await line.send(happened(thing="a", number=3))  # and in a later one
        await _parked_count(line, 3)
        assert await line.effects("a") == []
        fact_is_there = True
        await _effects(line, "a", [1, 2, 3])


async def test_a_replay_waits_for_a_chunk_that_holds_its_key(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    state = event_type(line.topic, "described", full_state=True)
    gate, fact_is_there = _Gate(), False

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> NotYet | None:
        if not fact_is_there:
            return NotYet("fact")
        await note_effect(tx, envelope.event)
        return None

    @line.router.on(state)
    async def on_described(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)
        await gate.passed()

    async with line.consuming():
        await line.send(happened(thing="a", number=1))
        await _parked_count(line, 1)
        # One chunk: the next event of the parked key is stored behind it, then the chunk stops before commit.
        await line.send(happened(thing="a", number=2), state(thing="a", number=100))
        await gate.reached.wait()
        fact_is_there = True
        await asyncio.sleep(1.5)  # the replay is due by now, and waits for the key's row
        meanwhile = await line.effects("a")
        gate.opened.set()
        assert meanwhile == []
        await _effects(line, "a", [100, 1, 2])
        await _parked_count(line, 0)


async def test_what_came_first_goes_on_although_a_later_one_of_its_key_cannot(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    fact_is_there = False

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> NotYet | None:
        thing, number = envelope.event.key, envelope.event.model_dump()["number"]
        if not fact_is_there or (thing == "waits" and number == 3):
            return NotYet("fact")
        if thing == "fails" and number == 3:
            raise ValueError
        await note_effect(tx, envelope.event)
        return None

    things = ("waits", "fails", "unreadable")
    async with line.consuming():
        for thing in things:
            await line.send(*(happened(thing=thing, number=number) for number in (1, 2)))
        await line.send(*(happened(thing=thing, number=3) for thing in things[:2]))
        headers = {"ce_type": happened.type}
        await line.send_raw(Message(line.topic, "unreadable", headers, b"{"))
        await line.send(*(happened(thing=thing, number=4) for thing in things))
        await _parked_count(line, 12)
        fact_is_there = True
        for thing in things:
            await _effects(line, thing, [1, 2])
        await _parked_count(line, 6)
