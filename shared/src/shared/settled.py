"""Up to which id the rows of a table are settled: each is committed, or will never be.

Ids are handed out before they are committed, so whoever reads on from the last id it saw passes over what
commits later. Only those who write to this table hold the floor down, each until they end: a transaction that
is open elsewhere, or only reads here, does not.
"""

from typing import Any, Protocol

# An INSERT holds this lock until its transaction ends; vacuum and readers hold others.
_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE relation = $1::text::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LAST_ID = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1::text, 'id')::regclass), 0)"


UNKNOWN = -1
"""Below every id: nothing is settled as far as anybody knows."""


class _Reader(Protocol):
    """A connection that reads what is committed at each statement."""

    async def fetch(self, query: str, *arguments: object) -> list[Any]: ...

    async def fetchval(self, query: str, *arguments: object) -> Any: ...  # noqa: ANN401 - one value


class Settled:
    """The floor of a table whose `id` is a sequence's. It rises also while others always write."""

    def __init__(self, table: str) -> None:
        self.up_to = UNKNOWN
        self._table = table
        self._next = UNKNOWN
        self._writers: set[str] = set()
        """Those who wrote when `_next` was the last id: once they have ended, it is settled."""

    async def look(self, connection: _Reader) -> None:
        """The sequence is read first: whoever took an id up to it and is not seen with the lock has ended."""
        last_id: int = await connection.fetchval(_LAST_ID, self._table)
        writers = {row["virtualtransaction"] for row in await connection.fetch(_WRITERS, self._table)}
        if self._writers & writers:
            return
        self.up_to = self._next if writers else last_id
        self._next, self._writers = last_id, writers
