"""What the databases and the log say about the system, read as the auditor; and whether it is quiet.

Reads the plumbing's tables, which are the same in every service; no business table.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError as ClientError

from local.errors import LocalError
from local.layout import SERVICES, Layout

_QUIET_SECONDS = 0.1
_NOW = "SELECT clock_timestamp() + shift FROM development.clock"
_OFFSETS = "SELECT topic, partition, next_offset FROM {0}.consumer_offsets"
_FIGURES = """
SELECT
    (SELECT count(*) FROM {0}.outbox) AS outbox,
    (SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8 FROM {0}.outbox) AS outbox_age,
    (SELECT count(*) FROM {0}.parked_keys) AS parked,
    (SELECT count(*) FROM {0}.deadlines WHERE due_at <= business.now
        AND (retry_at IS NULL OR retry_at <= clock_timestamp())) AS due,
    (SELECT min(due_at) FROM {0}.deadlines WHERE due_at > business.now) AS next_due
FROM (SELECT clock_timestamp() + shift AS now FROM development.clock) AS business
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """The plumbing of one service."""

    outbox: int
    outbox_age: float | None
    """Seconds since the oldest event not yet told."""
    parked: int
    due: int
    """Deadlines that should have been acted on."""
    next_due: datetime | None
    lag: int
    """Records not yet taken in."""
    taken_in: int

    @property
    def quiet(self) -> bool:
        return not (self.outbox or self.due or self.lag)


class Watch:
    """Open connections to look through."""

    def __init__(self, database: asyncpg.Connection, log: AIOKafkaConsumer) -> None:
        self._database = database
        self._log = log

    async def figures(self) -> dict[str, Figures]:
        """Of each service."""
        found = {}
        for service in SERVICES:
            row = await self._database.fetchrow(_FIGURES.format(service))
            offsets = await self._database.fetch(_OFFSETS.format(service))
            next_offsets = {
                TopicPartition(one["topic"], one["partition"]): one["next_offset"] for one in offsets
            }
            ends = await self._log.end_offsets(list(next_offsets)) if next_offsets else {}
            lag = sum(max(ends[place] - next_offset, 0) for place, next_offset in next_offsets.items())
            found[service] = Figures(**dict(row or {}), lag=lag, taken_in=sum(next_offsets.values()))
        return found

    async def business_time(self) -> datetime:
        """In UTC."""
        now: datetime = await self._database.fetchval(_NOW)
        return now

    async def until_quiet(self, within: float = 60) -> dict[str, Figures]:
        """Wait until every outbox is empty, nothing is due and everything is taken in, twice running."""
        deadline = time.monotonic() + within
        before: dict[str, Figures] = {}
        while True:
            now = await self.figures()
            settled = {name: figures.taken_in for name, figures in before.items()}
            if all(figures.quiet for figures in [*before.values(), *now.values()]) and settled == {
                name: figures.taken_in for name, figures in now.items()
            }:
                return now
            if time.monotonic() > deadline:
                busy = ", ".join(name for name, figures in now.items() if not figures.quiet)
                raise LocalError(
                    f"not quiet after {within:.0f} s: {busy or 'still moving'}; see social-wallet status"
                )
            before = now
            await asyncio.sleep(_QUIET_SECONDS)


@asynccontextmanager
async def opened(system: Layout) -> AsyncIterator[Watch]:
    """A watch on the running system."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters comes as an exception
    log = AIOKafkaConsumer(bootstrap_servers=system.bootstrap)
    try:
        database = await asyncpg.connect(system.role_url("auditor"), timeout=10)
        try:
            await log.start()
            yield Watch(database, log)
        finally:
            await log.stop()
            await database.close()
    except (OSError, asyncpg.PostgresError, ClientError) as error:
        raise LocalError(f"the system does not answer ({error}); is it up?") from error
