"""What the databases and the log say about the system, read as the auditor; and whether it is quiet.

Reads the plumbing's tables, which are the same in every service; of business tables only how much of the
ledger is sealed, as payouts wait for that.
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
_OFFSETS = " UNION ALL ".join(
    f"SELECT '{service}' AS service, topic, partition, next_offset FROM {service}.consumer_offsets"  # noqa: S608 - our own
    for service in SERVICES
)
# Payouts wait until what they pay is sealed.
_UNSEALED = """(
    SELECT count(*) FROM wallet.batches b
    WHERE b.id > coalesce((SELECT max(settled_up_to) FROM wallet.checkpoints), 0)
        AND NOT EXISTS (SELECT FROM wallet.log_entries e WHERE e.batch_id = b.id)
)"""
_FIGURES = " UNION ALL ".join(
    f"""
SELECT '{service}' AS service,
    (SELECT count(*) FROM {service}.outbox) AS outbox,
    (SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8 FROM {service}.outbox)
        AS outbox_age,
    (SELECT count(*) FROM {service}.parked_keys) AS parked,
    (SELECT count(*) FROM {service}.deadlines WHERE due_at <= business.now
        AND (retry_at IS NULL OR retry_at <= clock_timestamp())) AS due,
    (SELECT min(due_at) FROM {service}.deadlines WHERE due_at > business.now) AS next_due,
    {_UNSEALED if service == "wallet" else 0} AS unsealed
FROM (SELECT clock_timestamp() + shift AS now FROM development.clock) AS business
"""  # noqa: S608 - our own
    for service in SERVICES
)


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
    unsealed: int
    """Batches of the wallet's ledger that are in no signed log."""

    @property
    def quiet(self) -> bool:
        return not (self.outbox or self.due or self.lag or self.unsealed)


class Watch:
    """Open connections to look through."""

    def __init__(self, database: asyncpg.Connection, log: AIOKafkaConsumer) -> None:
        self._database = database
        self._log = log

    async def figures(self) -> dict[str, Figures]:
        """Of each service. One question each: this is asked many times while others are at work.

        First what is not told yet, then what is not heard: nothing is overlooked on its way in between.
        """
        rows = await self._database.fetch(_FIGURES)
        next_offsets: dict[str, dict[TopicPartition, int]] = {service: {} for service in SERVICES}
        for service, topic, partition, next_offset in await self._database.fetch(_OFFSETS):
            next_offsets[service][TopicPartition(topic, partition)] = next_offset
        places = {place for offsets in next_offsets.values() for place in offsets}
        ends = await self._log.end_offsets(list(places)) if places else {}
        found = {}
        for row in rows:
            own = dict(row)
            offsets = next_offsets[own.pop("service")]
            lag = sum(max(ends[place] - next_offset, 0) for place, next_offset in offsets.items())
            found[row["service"]] = Figures(**own, lag=lag, taken_in=sum(offsets.values()))
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
