"""Tries parked keys again: each in order under the lock of its row, as far as it can go on."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from shared import parked
from shared.consumer import EventRouter, handle
from shared.edge import Edge
from shared.events.envelope import Envelope
from shared.parked import Key, Parked, Why
from shared.retrying import is_passing, until_it_passes

POLL_SECONDS = 0.5
KEYS_MAX = 200
RECORDS_MAX = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Stop:
    """The first record of a key that cannot go on yet. Those before it can."""

    record_id: int
    why: Why


class _StuckError(Exception):
    """These keys cannot go on beyond a record; rolls back, so that all before it can be done without it."""

    def __init__(self, stops: dict[Key, _Stop]) -> None:
        super().__init__()
        self.stops = stops


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
        return await self._try(keys, limit=RECORDS_MAX) if keys else 0

    async def _try(self, keys: Sequence[Key], *, limit: int) -> int:
        """Serve these keys at once, each up to where it is stuck; if a record fails, it is looked for.

        Keys are halved until the failing one is alone; then its records are served one by one.
        """
        stops: dict[Key, _Stop] = {}
        while True:
            try:
                return await self._serve(keys, stops, limit)
            except _StuckError as found:
                stops |= found.stops
            except Exception as error:
                if is_passing(error):
                    raise
                if len(keys) > 1:
                    middle = len(keys) // 2
                    first = await self._try(keys[:middle], limit=limit)
                    return first + await self._try(keys[middle:], limit=limit)
                if limit > 1:
                    return await self._try(keys, limit=1)
                if keys[0] in stops:
                    raise
                log.exception("parked_failed_again", key=keys[0])
                stops[keys[0]] = _Stop(0, Why("failed", type(error).__name__))

    async def _serve(self, keys: Sequence[Key], stops: dict[Key, _Stop], limit: int) -> int:
        async with self._edge.transaction() as tx:
            await parked.lock(tx, keys)
            found = self._before(stops, await parked.waiting(tx, keys, limit=limit))
            readable = self._readable(found)
            must_wait = await handle(tx, self._router, [envelope for _, envelope in readable])
            if must_wait:
                places = {id(envelope): one for one, envelope in readable}
                raise _StuckError(
                    _first_stops((places[id(one)], Why("not_yet", answer.fact)) for one, answer in must_wait)
                )
            gone_on = {parked.key_of(one.record) for one in found}
            await parked.unpark(
                tx, [one.id for one in found], [key for key in keys if key in gone_on or key not in stops]
            )
            await parked.postpone(tx, {key: stop.why for key, stop in stops.items()})
        return len(found)

    def _before(self, stops: dict[Key, _Stop], found: Sequence[Parked]) -> list[Parked]:
        """What of these comes before the record at which its key is stuck."""
        at = {key: stop.record_id for key, stop in stops.items()}
        return [one for one in found if one.id < at.get(parked.key_of(one.record) or ("", ""), one.id + 1)]

    def _readable(self, found: Sequence[Parked]) -> list[tuple[Parked, Envelope]]:
        """All of them as events; if a record cannot be read, its key is stuck there."""
        read = [(one, self._router.read(one.record)) for one in found]
        if unreadable := [(one, why) for one, why in read if isinstance(why, Why)]:
            raise _StuckError(_first_stops(unreadable))
        return [(one, envelope) for one, envelope in read if isinstance(envelope, Envelope)]


def _first_stops(stuck: Iterable[tuple[Parked, Why]]) -> dict[Key, _Stop]:
    """Where each key is stuck first; these come in their order."""
    stops: dict[Key, _Stop] = {}
    for one, why in stuck:
        if key := parked.key_of(one.record):
            stops.setdefault(key, _Stop(one.id, why))
    return stops
