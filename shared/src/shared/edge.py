"""The only place where a transaction is opened and committed.

Both edges (HTTP and Kafka) and the jobs of a worker come through here; nobody below them commits. What was
published during the transaction is written to the outbox last, when every aggregate is already locked: that
makes the order of events of one aggregate true.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import clock, outbox
from shared.database import Cause, Transaction, new_id
from shared.doorbell import Doorbell

TRANSACTION_SECONDS_MAX = 45.0
"""Longer than any statement may take. A database that is not heard any more does not say so, nor that the
line is dead: whoever waited for it would wait for ever."""
_STATEMENTS_TAKE = sa.text("SELECT set_config('statement_timeout', :seconds, true)")


@dataclass(frozen=True, slots=True)
class Edge:
    """What it takes to open a transaction of this service, and whom to tell once it is committed."""

    engine: AsyncEngine
    doorbell: Doorbell
    development: bool
    """Whether business time may be shifted."""

    @asynccontextmanager
    async def transaction(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        """Commit at the end of the block, or leave no trace. Rings the doorbells afterwards.

        Raises:
            TimeoutError: it took too long; as with any lost connection, it may have been committed.
        """
        async with (
            asyncio.timeout(TRANSACTION_SECONDS_MAX),
            self.engine.begin() as connection,
            _given_up_when_canceled(connection),
        ):
            moment = await clock.now(connection, development=self.development)
            tx = Transaction(connection, moment, cause or Cause(correlation_id=new_id()))
            yield tx
            await outbox.flush(tx)
        if tx.outgoing:
            self.doorbell.ring_outbox()
        self.doorbell.ring_touched(tx.touched)

    @asynccontextmanager
    async def look(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        """Only read. Each statement sees what is committed at its moment, as in a transaction of ours too.

        Without BEGIN and COMMIT: two trips to the database less, for what is asked most often.
        """
        async with (
            asyncio.timeout(TRANSACTION_SECONDS_MAX),
            self.engine.connect() as connection,
            _given_up_when_canceled(connection),
        ):
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            moment = await clock.now(connection, development=self.development)
            tx = Transaction(connection, moment, cause or Cause(correlation_id=new_id()))
            yield tx
            if tx.outgoing or tx.touched:
                raise RuntimeError("something was changed where only reading is meant")

    @asynccontextmanager
    async def long_look(self, cause: Cause | None = None, *, seconds: float) -> AsyncIterator[Transaction]:
        """Only read, and for long: all statements see what was committed at the first of them.

        Raises:
            TimeoutError: it took longer than these seconds. Nobody may hold back the cleaning up for ever.
        """
        async with (
            asyncio.timeout(seconds),
            self.engine.connect() as connection,
            _given_up_when_canceled(connection),
        ):
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            moment = await clock.now(connection, development=self.development)
            tx = Transaction(connection, moment, cause or Cause(correlation_id=new_id()))
            await tx.execute(_STATEMENTS_TAKE, {"seconds": f"{seconds:.0f}s"})
            yield tx


@asynccontextmanager
async def _given_up_when_canceled(connection: AsyncConnection) -> AsyncIterator[None]:
    """Where nobody answered for so long, nobody would answer a ROLLBACK either, and it knows no timeout."""
    try:
        yield
    except asyncio.CancelledError:
        await connection.invalidate()
        raise
