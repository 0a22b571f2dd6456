"""The database as everybody below the edges sees it: one `Transaction`, and the plumbing tables' metadata.

Core, not ORM: statements are written out, in order, in each service's `repository.py`. Who opens and commits
a transaction is `shared.edge`; nobody else does.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson
import uuid_utils.compat
from sqlalchemy import CursorResult, Executable, MetaData, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.events.envelope import Envelope, Event

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

plumbing = MetaData(naming_convention=NAMING)
"""The tables that every service's schema has, because the plumbing needs them there."""

POOL_SIZE = 10
"""Lines to the database that a process keeps."""


def new_metadata() -> MetaData:
    """The metadata of one service's own tables. No schema: the role's search_path names it."""
    return MetaData(naming_convention=NAMING)


def new_id() -> UUID:
    """A UUIDv7: made at the edges, sorted by time, so that indexes grow at their right end."""
    return uuid_utils.compat.uuid7()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a transaction runs: carried from the first request through every event it leads to."""

    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Self:
        """The cause of whatever is done because of this event."""
        return cls(envelope.correlation_id, envelope.id, envelope.traceparent)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that waits for the end of its transaction to be written to the outbox."""

    event: Event
    cause: Cause
    time: datetime


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open database transaction, its business time (UTC), and why it runs.

    Copies made by `caused_by` share the connection and everything collected for the commit.
    """

    connection: AsyncConnection
    now: datetime
    cause: Cause
    outgoing: list[Outgoing] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)

    async def execute(
        self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement on this transaction's connection."""
        return await self.connection.execute(statement, parameters)

    async def driver(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The asyncpg connection underneath, in the same transaction: for COPY and arrays of rows."""
        raw = await self.connection.get_raw_connection()
        driver: asyncpg.Connection[asyncpg.Record] = raw.driver_connection  # type: ignore[assignment] # untyped there
        return driver

    def caused_by(self, envelope: Envelope) -> Self:
        """The same transaction, for what this one event of a batch leads to."""
        return replace(self, cause=Cause.from_envelope(envelope))

    def touch(self, resource_id: UUID) -> None:
        """Wake whoever waits (`?wait=`) for a newer version of this resource, once committed."""
        self.touched.add(resource_id)


_OF_EVERY_LINE = {
    "timezone": "UTC",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}
"""The server gives up a line on which nobody is heard after half a minute. Otherwise what a firewall forgot
would keep its connection for hours, and with it locks of a session: the relay's."""


async def connect(database_url: str, *, command_timeout: float) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection of one's own: for what lasts longer than a transaction. Its owner terminates it."""
    return await asyncpg.connect(
        database_url, timeout=5, command_timeout=command_timeout, server_settings=_OF_EVERY_LINE
    )


def open_engine(
    database_url: str, *, pool_size: int = POOL_SIZE, statement_timeout_seconds: int = 30
) -> AsyncEngine:
    """An engine for `postgresql://user:password@host:port/name`; no connection is made yet."""
    engine = create_async_engine(
        database_url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "statement_timeout": f"{statement_timeout_seconds}s",
                "idle_in_transaction_session_timeout": "60s",
                **_OF_EVERY_LINE,
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _doubt_all_lines)
    return engine


def _doubt_all_lines(context: ExceptionContext) -> None:
    """Where one line was silent until it was given up, the others that are kept may be no better."""
    if isinstance(context.original_exception, asyncio.CancelledError):
        context.invalidate_pool_on_disconnect = True
