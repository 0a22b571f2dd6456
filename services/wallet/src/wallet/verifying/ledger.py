"""The ledger against its signed heads: what was changed, added or removed since they were signed, and where.

Two logs grow side by side: one of the leaves as they are stored, one of those computed anew from the rows. At
each signed head whichever gives its root is right, and tells of the other's leaves since the head before.
"""

import struct
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.leaves import SealedBatch, batch_leaf, seal
from wallet.domain.proof.merkle import HASH_BYTES, Frontier, leaf_hash
from wallet.domain.proof.paths import Subtree
from wallet.repository.audits import AUDITS
from wallet.repository.seals import Content
from wallet.verifying.findings import Finding, Found
from wallet.verifying.heads import Heads
from wallet.verifying.rows import Entry, Nodes, Rows

_NO_LEAF = bytes(HASH_BYTES)


@dataclass(slots=True)
class Log:
    """One of the two logs, and what is found since the last head if it is the right one."""

    frontier: Frontier = field(default_factory=Frontier)
    findings: list[Finding] = field(default_factory=list)

    def append(self, leaf: bytes, nodes: dict[Subtree, bytes]) -> None:
        """Continue it, and compare the subtrees that this completes with the stored ones."""
        place = self.frontier.size
        for level, hash_ in enumerate(self.frontier.append(leaf)[1:], start=1):
            subtree = Subtree(level, place >> level)
            if nodes.get(subtree) != hash_:
                self.findings.append(_wrong_node(subtree))


@dataclass(slots=True)
class Ledger:
    """One reading of the whole ledger, and how much was read."""

    rows: Rows
    heads: Heads
    batches: int = 0
    leaves: int = 0
    waiting: int = 0
    """Batches that are not sealed yet."""
    _stored: Log = field(default_factory=Log)
    _computed: Log = field(default_factory=Log)
    _head: Checkpoint | None = None
    """The next one to come to."""
    _judged: int = 0
    _lost: bool = False
    """Neither log gives a signed root any more: what comes later cannot be judged by its head."""

    async def verify(self) -> AsyncIterator[Finding]:
        """All that is found."""
        async for finding in self._log():
            yield finding
        async for finding in self._behind_the_log():
            yield finding
        for finding in self.heads.findings:
            yield finding
        async for batch_id in self.rows.not_sealed():
            if batch_id <= self.heads.settled_up_to:
                yield Finding(Found.BATCH_NOT_SEALED, f"batch {batch_id}")
            else:
                self.waiting += 1
        async for name in self.rows.without_batch():
            yield Finding(Found.WITHOUT_BATCH, name)
        for name, query in AUDITS.items():
            if found := await self.rows.count(query):
                yield Finding(Found.BOOKS, f"{name}: {found}")

    async def _log(self) -> AsyncIterator[Finding]:
        nodes = self.rows.nodes()
        self._head = await self.heads.next()
        async for entry, content in self.rows.entries():
            while self._size < entry.place:
                yield Finding(Found.ENTRY_MISSING, f"place {self._size} of the log")
                async for finding in self._append(_NO_LEAF, _NO_LEAF, nodes):
                    yield finding
            if entry.place < self._size:
                yield Finding(Found.ENTRY_CHANGED, f"place {entry.place} of the log is there twice")
                continue
            async for finding in self._append(entry.hash, self._compute(entry, content), nodes):
                yield finding
        async for subtree in nodes.rest():
            yield _wrong_node(subtree)

    @property
    def _size(self) -> int:
        return self._stored.frontier.size

    async def _append(self, stored: bytes, computed: bytes, nodes: Nodes) -> AsyncIterator[Finding]:
        found, strange = await nodes.completed_by(self._size)
        for subtree in strange:
            yield _wrong_node(subtree)
        self._stored.append(stored, found)
        self._computed.append(computed, found)
        while self._head is not None and self._head.size <= self._size:
            if self._head.size == self._size:
                for finding in self._judge(self._head):
                    yield finding
            self._head = await self.heads.next()

    def _judge(self, head: Checkpoint) -> Iterator[Finding]:
        """Which of the two logs is the one that was signed; both go on as that one."""
        before, self._judged = self._judged, head.size
        if self._lost:
            return
        right, wrong = self._stored, self._computed
        if self._computed.frontier.root() == head.root:
            right, wrong = wrong, right
        elif right.frontier.root() != head.root:
            self._lost = True
            yield from wrong.findings
            yield Finding(Found.LOG_REWRITTEN, f"between the heads of {before} and {head.size} batches")
        yield from right.findings
        self._stored, self._computed = Log(deepcopy(right.frontier)), Log(right.frontier)

    def _compute(self, entry: Entry, content: Content) -> bytes:
        """The leaf that the rows of a batch give now. What differs is told if the other log is right."""
        self.batches += 1
        self.leaves += len(content.operations) + len(content.postings)
        sealed = _sealed(entry, content)
        computed = _NO_LEAF if sealed is None else leaf_hash(batch_leaf(sealed))
        name = f"batch {entry.batch_id}"
        if entry.posted_at is None:
            self._stored.findings.append(Finding(Found.BATCH_MISSING, name))
        elif computed != entry.hash:
            here = f"{len(content.operations)} operations and {len(content.postings)} postings now"
            where = f"{name}, posted {entry.posted_at:%Y-%m-%d %H:%M:%S}, {here}"
            self._stored.findings.append(Finding(Found.BATCH_CHANGED, where))
            self._computed.findings.append(Finding(Found.ENTRY_CHANGED, f"place {entry.place}: {name}"))
        elif sealed is not None and (entry.operations, entry.postings) != (
            sealed.operations,
            sealed.postings,
        ):
            finding = Finding(Found.BATCH_CHANGED, f"{name}: it tells of other numbers of rows")
            for log in (self._stored, self._computed):
                log.findings.append(finding)
        return computed

    async def _behind_the_log(self) -> AsyncIterator[Finding]:
        """What no head was signed after, and heads of a log that was longer than this one."""
        for finding in self._stored.findings if not self._lost else ():
            yield finding
        longest = 0
        while self._head is not None:
            longest = self._head.size
            self._head = await self.heads.next()
        if longest > self._size:
            yield Finding(Found.LOG_CUT, f"{longest - self._size} batches after the first {self._size}")


def _sealed(entry: Entry, content: Content) -> SealedBatch | None:
    if entry.posted_at is None:
        return None
    try:
        return seal(entry.batch_id, entry.posted_at, *content)
    except (ValueError, OverflowError, struct.error):
        return None  # what no row of ours ever said


def _wrong_node(subtree: Subtree) -> Finding:
    return Finding(Found.NODE_WRONG, f"subtree {subtree.place} of level {subtree.level}")
