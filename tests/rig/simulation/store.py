"""What stands in for a service's schema: rows in memory, written whole or not at all, and the edge.

A transaction of `Edge` is the real `shared.database.Transaction`, so the services' own use cases run in it.
Its connection knows one statement, the outbox's; all other storage is replaced function by function
(`replacing`), and whatever is not replaced stops the run (`NoStandInError`).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, NoReturn, cast

import orjson

from shared import outbox
from shared.database import Cause, Transaction, new_id


class NoStandInError(BaseException):
    """A service asked its storage for something that the simulation does not have. Never caught by it."""


class CrashError(BaseException):
    """The process died. Never caught by a service."""


class OutboxRow(NamedTuple):
    """An event that waits for the relay."""

    topic: str
    key: str
    headers: dict[str, str]
    value: bytes


class Store:
    """The tables of one service. Rows are values: a change puts another one in their place."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[Any, Any]] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._numbers = 0

    def rows(self, table: str) -> dict[Any, Any]:
        """To be read only."""
        return self._tables.setdefault(table, {})

    def put(self, table: str, key: object, row: object) -> None:
        """Insert or replace a row."""
        rows = self.rows(table)
        self._undo.append((rows, key, rows.get(key)))
        rows[key] = row

    def drop(self, table: str, key: object) -> None:
        """Delete a row, if it is there."""
        rows = self.rows(table)
        if key in rows:
            self._undo.append((rows, key, rows.pop(key)))

    def number(self) -> int:
        """The next of a sequence, which no rollback takes back."""
        self._numbers += 1
        return self._numbers

    def commit(self) -> set[str]:
        """Keep what was written; the tables it is in."""
        written = {id(rows) for rows, _, _ in self._undo}
        self._undo.clear()
        return {name for name, rows in self._tables.items() if id(rows) in written}

    def roll_back(self) -> None:
        """As if the transaction had never been."""
        for rows, key, before in reversed(self._undo):
            if before is None:
                rows.pop(key, None)
            else:
                rows[key] = before
        self._undo.clear()


class Connection:
    """In the place of SQLAlchemy's and of asyncpg's connection."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def driver_connection(self) -> "Connection":
        return self

    async def get_raw_connection(self) -> "Connection":
        return self

    async def execute(self, statement: object, *columns: Any) -> None:  # noqa: ANN401 - the driver's
        """Only what `shared.outbox.flush` writes."""
        if not (isinstance(statement, str) and statement.lstrip().startswith("INSERT INTO outbox")):
            raise NoStandInError(str(statement))
        for topic, key, headers, value in zip(*columns, strict=True):
            row = OutboxRow(topic, key, orjson.loads(headers), value)
            self.store.put("outbox", self.store.number(), row)

    async def fetch(self, statement: str, *_: object) -> NoReturn:
        raise NoStandInError(statement)


def store_of(tx: Transaction) -> Store:
    """The rows that this transaction reads and writes."""
    return cast("Connection", tx.connection).store


def store_behind(driver: object) -> Store:
    """The same, for what is called with the driver's connection."""
    return cast("Connection", driver).store


@dataclass
class Edge:
    """In the place of `shared.edge.Edge`: commits at the end of the block, or leaves no trace.

    `at` is called with the name of each place where a process may die; `committed` with the tables written.
    """

    store: Store
    now: Callable[[], datetime]
    at: Callable[[str], None]
    committed: Callable[[set[str]], None]

    @asynccontextmanager
    async def transaction(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        connection: Any = Connection(self.store)
        tx = Transaction(connection, self.now(), cause or Cause(correlation_id=new_id()))
        try:
            yield tx
            await outbox.flush(tx)
            self.at("before_commit")
        except BaseException:
            self.store.roll_back()
            raise
        self.committed(self.store.commit())
        self.at("after_commit")

    @asynccontextmanager
    async def look(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        connection: Any = Connection(self.store)
        yield Transaction(connection, self.now(), cause or Cause(correlation_id=new_id()))
