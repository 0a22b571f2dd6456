"""Acts on deadlines that are due; see `shared.deadlines`."""

import asyncio

import structlog

from shared import deadlines
from shared.consumer import EventRouter
from shared.deadlines import Deadline
from shared.edge import Edge
from shared.retrying import is_passing, until_it_passes

POLL_SECONDS = 0.5
DEADLINES_MAX = 100
EVENTS_ENOUGH = 250
"""So many end a transaction, which lets go of its locks: many things are due at the same moment."""

log = structlog.get_logger()


class Timekeeper:
    """The deadlines of one service."""

    def __init__(self, edge: Edge, router: EventRouter) -> None:
        self._edge = edge
        self._handlers = router.deadlines

    async def run(self) -> None:
        """Act on what is due, until canceled."""
        while True:
            if not await until_it_passes(self.once):
                await asyncio.sleep(POLL_SECONDS)

    async def once(self) -> int:
        """Act on what is due now; on how much. What fails is postponed and holds up nothing else."""
        try:
            return await self._act()
        except Exception as error:
            if is_passing(error):
                raise
        return await self._act_one_by_one()

    async def _act(self) -> int:
        acted_on = []
        async with self._edge.transaction() as tx:
            for one in await deadlines.due(tx, list(self._handlers), limit=DEADLINES_MAX):
                await self._handlers[one.kind](tx, one.subject_id, one.due_at)
                acted_on.append(one)
                if len(tx.outgoing) >= EVENTS_ENOUGH:
                    break
            await deadlines.settle(tx, acted_on)
        return len(acted_on)

    async def _act_one_by_one(self) -> int:
        async with self._edge.transaction() as tx:
            found = await deadlines.due(tx, list(self._handlers), limit=DEADLINES_MAX)
        for one in found:
            await self._act_on(one)
        return len(found)

    async def _act_on(self, one: Deadline) -> None:
        try:
            async with self._edge.transaction() as tx:
                await self._handlers[one.kind](tx, one.subject_id, one.due_at)
                await deadlines.settle(tx, [one])
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("deadline_failed", kind=one.kind, subject_id=str(one.subject_id))
            async with self._edge.transaction() as tx:
                await deadlines.postpone(tx, one)
