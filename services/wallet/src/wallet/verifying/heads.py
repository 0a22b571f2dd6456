"""The signed heads of the log, published and stored, side by side in the order of their sizes."""

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from wallet.domain.proof.checkpoints import Checkpoint, open_checkpoint
from wallet.domain.proof.notes import VerifierKey
from wallet.domain.proof.unproven import UnprovenError
from wallet.verifying.findings import Finding, Found


class StoredHead(NamedTuple):
    """A signed head as the database has it."""

    size: int
    note: str
    settled_up_to: int


class Heads:
    """Each head once, whoever has it. What was published is what everything else is measured by."""

    def __init__(
        self, keys: tuple[VerifierKey, ...], published: Iterator[str], stored: AsyncIterator[StoredHead]
    ) -> None:
        self.findings: list[Finding] = []
        """What was wrong with those that were passed."""
        self.passed = 0
        self.settled_up_to = 0
        """As the last of the database says: no batch up to here is without its place in the log."""
        self._keys = keys
        self._published = published
        self._stored = stored
        self._both: tuple[Checkpoint | None, Checkpoint | None] | None = None

    async def next(self) -> Checkpoint | None:
        """The next longer log's, or None when all were passed."""
        one, other = self._both or (self._next_published(0), await self._next_stored(0))
        if one is None and other is None:
            return None
        if other is None or (one is not None and one.size < other.size):
            self._find(Found.HEAD_MISSING, f"published head of {one.size} batches" if one else "")
            head = one
        else:
            if one is not None and one.size == other.size and one != other:
                self._find(
                    Found.HEAD_CHANGED, f"stored head of {other.size} batches is not what was published"
                )
            head = one if one is not None and one.size == other.size else other
        self.passed += 1
        size = head.size if head else 0
        self._both = (
            self._next_published(size) if one is head else one,
            await self._next_stored(size) if other is not None and other.size == size else other,
        )
        return head

    def _next_published(self, above: int) -> Checkpoint | None:
        for note in self._published:
            head = self._open(note)
            if head is not None and head.size > above:
                return head
            self._find(Found.HEAD_UNREADABLE, f"a published head after that of {above} batches")
        return None

    async def _next_stored(self, above: int) -> Checkpoint | None:
        async for stored in self._stored:
            head = self._open(stored.note)
            self.settled_up_to = max(self.settled_up_to, stored.settled_up_to)
            if head is not None and head.size == stored.size > above:
                return head
            self._find(Found.HEAD_CHANGED, f"stored head of {stored.size} batches")
        return None

    def _open(self, note: str) -> Checkpoint | None:
        for key in self._keys:
            try:
                return open_checkpoint(note, key)
            except UnprovenError:
                continue
        return None

    def _find(self, what: Found, where: str) -> None:
        self.findings.append(Finding(what, where))
