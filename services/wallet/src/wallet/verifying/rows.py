"""What the database says, in the order of the log, as cursors: nothing here grows with the ledger.

All is read in one transaction, so in one moment of the database.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from wallet.domain.proof.leaves import SealedOperation, SealedPosting
from wallet.domain.proof.merkle import SIZE_MAX
from wallet.domain.proof.paths import Subtree
from wallet.repository.payers import Driver
from wallet.repository.seals import OPERATIONS, POSTINGS, Content, read_operation_row
from wallet.verifying.heads import StoredHead

_PREFETCH: Final = 2_000
_ENTRIES: Final = """
SELECT e.place, e.batch_id, e.hash, b.posted_at, b.operations, b.postings
FROM log_entries e LEFT JOIN batches b ON b.id = e.batch_id ORDER BY e.place
"""
_OPERATIONS: Final = f"""
SELECT e.place AS log_place, s.* FROM ({OPERATIONS}) AS s JOIN log_entries e ON e.batch_id = s.batch_id
ORDER BY e.place
"""  # noqa: S608 - ours
_POSTINGS: Final = f"""
SELECT e.place AS log_place, s.* FROM ({POSTINGS}) AS s
    JOIN operations o ON o.id = s.operation_id JOIN log_entries e ON e.batch_id = o.batch_id
ORDER BY e.place
"""  # noqa: S608 - ours
_NODES: Final = """
SELECT (place + 1 << level) - 1 AS log_place, level, place, hash FROM log_nodes ORDER BY log_place, level
"""
_HEADS: Final = "SELECT size, note, settled_up_to FROM checkpoints ORDER BY size"
_NOT_SEALED: Final = """
SELECT b.id FROM batches b WHERE NOT EXISTS (SELECT FROM log_entries e WHERE e.batch_id = b.id) ORDER BY b.id
"""
_WITHOUT_BATCH: Final = """
SELECT 'operation ' || o.id FROM operations o
WHERE NOT EXISTS (SELECT FROM batches b WHERE b.id = o.batch_id)
    AND NOT EXISTS (SELECT FROM log_entries e WHERE e.batch_id = o.batch_id)
UNION ALL
SELECT 'posting of operation ' || p.operation_id FROM postings p
WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = p.operation_id)
UNION ALL
SELECT 'repeated hold ' || r.operation_id FROM repeated_holds r
WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = r.operation_id AND o.kind = 'hold' AND o.code IS NULL)
UNION ALL
SELECT 'persons of operation ' || a.operation_id
FROM (SELECT operation_id FROM payout_approvers UNION ALL SELECT operation_id FROM approved_operations) AS a
WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = a.operation_id)
UNION ALL
SELECT 'charge of operation ' || c.operation_id FROM charges c
WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = c.operation_id AND o.kind = 'charge')
"""


class Entry(NamedTuple):
    """A leaf of the log as it is stored, and the row of its batch."""

    place: int
    batch_id: int
    hash: bytes
    posted_at: datetime | None
    """None: there is no such batch."""
    operations: int | None
    postings: int | None


@dataclass
class Rows:
    """A reader of one snapshot."""

    driver: Driver

    async def entries(self) -> AsyncIterator[tuple[Entry, Content]]:
        """Each leaf with what its batch wrote, as the rows have it now."""
        operations = _ByPlace(self._read(_OPERATIONS))
        postings = _ByPlace(self._read(_POSTINGS))
        async for row in self._read(_ENTRIES):
            entry = Entry(*row.values())
            content = Content(
                [_operation(one) async for one in operations.at(entry.place)],
                [SealedPosting(*list(one.values())[1:]) async for one in postings.at(entry.place)],
            )
            yield entry, content

    def nodes(self) -> "Nodes":
        """The stored subtrees, in the order in which a growing log completes them."""
        return Nodes(_ByPlace(self._read(_NODES)))

    async def heads(self) -> AsyncIterator[StoredHead]:
        """The signed heads, the shortest log first."""
        async for row in self._read(_HEADS):
            yield StoredHead(*row.values())

    async def not_sealed(self) -> AsyncIterator[int]:
        """The batches that are in no log."""
        async for row in self._read(_NOT_SEALED):
            yield row["id"]

    async def without_batch(self) -> AsyncIterator[str]:
        """What belongs to nothing that is sealed or waits for it."""
        async for row in self._read(_WITHOUT_BATCH):
            yield row[0]

    async def count(self, query: str) -> int:
        """How many rows a check of the books finds."""
        found: int = await self.driver.fetchval(f"SELECT count(*) FROM ({query}) AS found")  # noqa: S608 - ours
        return found

    async def _read(self, query: str) -> AsyncIterator[asyncpg.Record]:
        async for row in self.driver.cursor(query, prefetch=_PREFETCH):
            yield row


def _operation(row: asyncpg.Record) -> SealedOperation:
    return read_operation_row(list(row.values())[1:])[1]


@dataclass
class Nodes:
    """The stored subtrees, as the log grows."""

    _rows: "_ByPlace"

    async def completed_by(self, place: int) -> tuple[dict[Subtree, bytes], list[Subtree]]:
        """The hashes of those whose last leaf is at this place; and such as no place completes."""
        found, strange = {}, []
        async for row in self._rows.at(place):
            subtree = Subtree(row["level"], row["place"])
            if row["log_place"] == place and subtree.level > 0:
                found[subtree] = row["hash"]
            else:
                strange.append(subtree)
        return found, strange

    async def rest(self) -> AsyncIterator[Subtree]:
        """Those beyond the end of the log."""
        async for row in self._rows.at(SIZE_MAX):
            yield Subtree(row["level"], row["place"])


class _ByPlace:
    """Rows that come in the order of the log, handed out leaf by leaf."""

    def __init__(self, rows: AsyncIterator[asyncpg.Record]) -> None:
        self._rows = rows
        self._next: asyncpg.Record | None = None
        self._begun = False

    async def at(self, place: int) -> AsyncIterator[Any]:
        if not self._begun:
            self._begun = True
            await self._step()
        while self._next is not None and self._next["log_place"] <= place:
            yield self._next
            await self._step()

    async def _step(self) -> None:
        self._next = await anext(self._rows, None)
