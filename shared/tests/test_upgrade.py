"""Two versions of a consumer at once: the older does not know a type of event that the newer one handles."""

import asyncio
from contextlib import AsyncExitStack

from shared import parked
from shared.consumer import NotYet
from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.testing import eventually
from shared.testing_line import Happened, Line, event_type, note_effect

THINGS = [f"{number}" for number in range(24)]
"""Enough for keys in each partition."""
OF_THE_NEW_TYPE = 1000


class _Versions:
    """Both versions of the consumer, on one topic, in one group, over one database."""

    def __init__(self, line: Line) -> None:
        self.happened, self.added = event_type(line.topic, "happened"), event_type(line.topic, "added")
        self.old, self.new = line, Line(line.edge, line.kafka, line.topic)
        self.fact_is_there = True
        for router in (self.old.router, self.new.router):
            router.on(self.happened)(_note)
        self.new.router.on(self.added)(self._add)

    async def _add(self, tx: Transaction, envelope: Envelope) -> NotYet | None:
        if not self.fact_is_there:
            return NotYet("fact")
        await _note(tx, envelope)
        return None

    async def send(self, number: int) -> None:
        """One event of each type about each thing, the known one last."""
        events: list[Happened] = []
        for thing in THINGS:
            events.append(self.added(thing=thing, number=OF_THE_NEW_TYPE + number))
            events.append(self.happened(thing=thing, number=number))
        await self.old.send(*events)

    async def done(self, number: int) -> None:
        """Wait until what both know has been done up to this number, for each thing."""

        async def of_all() -> bool:
            return (await self.old.effects()).count(number) == len(THINGS)

        await eventually(of_all, seconds=30)

    async def summaries(self) -> list[parked.Summary]:
        async with self.old.edge.transaction() as tx:
            return await parked.summaries(tx)


async def _note(tx: Transaction, envelope: Envelope) -> None:
    await note_effect(tx, envelope.event)


async def test_the_old_version_skips_the_new_type_and_nothing_it_knows_is_lost(line: Line) -> None:
    versions = _Versions(line)
    async with AsyncExitStack() as old:
        await old.enter_async_context(versions.old.consuming())
        await versions.send(0)
        await versions.done(0)
        async with versions.new.consuming():
            for number in range(1, 6):  # while partitions move to the new one
                await versions.send(number)
                await asyncio.sleep(0.3)
            await versions.done(5)
            await old.aclose()
            await versions.send(6)
            await versions.done(6)
    for thing in THINGS:
        effects = await line.effects(thing)
        assert [one for one in effects if one < OF_THE_NEW_TYPE] == list(range(7)), "once, and in order"
        added = [one for one in effects if one >= OF_THE_NEW_TYPE]
        assert added == sorted(set(added))
        assert OF_THE_NEW_TYPE not in added, "skipped for good: whoever writes it must be upgraded last"
        assert added[-1] == OF_THE_NEW_TYPE + 6, "the old version has gone"
    assert await versions.summaries() == []


async def test_the_old_version_leaves_alone_what_the_new_one_parked(line: Line) -> None:
    versions = _Versions(line)
    versions.fact_is_there = False
    async with versions.new.consuming():
        await line.send(versions.added(thing="a", number=1), versions.happened(thing="a", number=2))
        await eventually(versions.summaries)

    async def waits_for_the_new_version() -> bool:
        return [(one.reason, one.detail) for one in await versions.summaries()] == [("not_yet", "handler")]

    async with versions.old.consuming():
        await eventually(waits_for_the_new_version)
        await line.send(versions.happened(thing="a", number=3), versions.happened(thing="b", number=4))
        await eventually(lambda: line.effects("b"))
        versions.fact_is_there = True
        async with versions.new.consuming():

            async def all_done() -> bool:
                return await line.effects("a") == [1, 2, 3]

            await eventually(all_done, seconds=60)
    assert await versions.summaries() == []
