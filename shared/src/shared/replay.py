"""Tries parked keys again: each in order under the lock of its row, until nothing of it is left."""

import asyncio
from collections.abc import Sequence

import structlog

from shared import parked
from shared.consumer import EventRouter, handle
from shared.edge import Edge
from shared.events.envelope import Envelope
from shared.parked import Key, Parked, Why
from shared.retrying import until_it_passes

POLL_SECONDS = 0.5
KEYS_MAX = 200
RECORDS_MAX = 500

log = structlog.get_logger()


class _StuckError(Exception):
    """These keys cannot go on yet; rolls back, so that the others can be done without them."""

    def __init__(self, why: dict[Key, Why]) -> None:
        super().__init__()
        self.why = why


class Replay:
    """The replay of one service's parked keys."""

    def __init__(self, edge: Edge, router: EventRouter) -> None:
        self._edge = edge
        self._router = router

    async def run(self) -> None:
        """Try what is due, until canceled."""
        while True:
            if not await until_it_passes(self.once):
                await asyncio.sleep(POLL_SECONDS)

    async def once(self) -> int:
        """Try the keys that are due now; how many records were served."""
        async with self._edge.transaction() as tx:
            keys = await parked.due(tx, limit=KEYS_MAX)
        return await self._try(keys) if keys else 0

    async def _try(self, keys: Sequence[Key]) -> int:
        """Serve these keys at once; if one fails, in halves, so that it alone is postponed."""
        stuck: dict[Key, Why] = {}
        while True:
            try:
                return await self._serve(keys, stuck)
            except _StuckError as found:
                stuck |= found.why
            except Exception as error:
                if len(keys) > 1:
                    middle = len(keys) // 2
                    return await self._try(keys[:middle]) + await self._try(keys[middle:])
                if keys[0] in stuck:
                    raise
                log.exception("parked_failed_again", key=keys[0])
                stuck[keys[0]] = Why("failed", type(error).__name__)

    async def _serve(self, keys: Sequence[Key], stuck: dict[Key, Why]) -> int:
        async with self._edge.transaction() as tx:
            await parked.lock(tx, keys)
            await parked.postpone(tx, stuck)
            going = [key for key in keys if key not in stuck]
            found = await parked.waiting(tx, going, limit=RECORDS_MAX) if going else []
            readable = self._readable(found)
            must_wait = await handle(tx, self._router, [envelope for _, envelope in readable])
            if must_wait:
                keys_of = {id(envelope): parked.key_of(one.record) for one, envelope in readable}
                facts = [(keys_of[id(one)], answer.fact) for one, answer in must_wait]
                raise _StuckError({key: Why("not_yet", fact) for key, fact in facts if key})
            await parked.unpark(tx, [one.id for one in found], going)
        return len(found)

    def _readable(self, found: Sequence[Parked]) -> list[tuple[Parked, Envelope]]:
        """All of them as events; if a key's record cannot be read, the key is stuck."""
        readable: list[tuple[Parked, Envelope]] = []
        unreadable: dict[Key, Why] = {}
        for one in found:
            match self._router.read(one.record):
                case Envelope() as envelope:
                    readable.append((one, envelope))
                case Why() as why if key := parked.key_of(one.record):
                    unreadable.setdefault(key, why)
        if unreadable:
            raise _StuckError(unreadable)
        return readable
