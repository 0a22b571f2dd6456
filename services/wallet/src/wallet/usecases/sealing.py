"""Seals what was posted: committed batches continue the log, and its new head is signed.

Off the path of money. A batch takes its place when it is seen to be committed, so the order of the log is
nearly that of the batches, and what commits late is not passed over. What others have seen of the log is
continued, or nothing is signed at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.database import Transaction
from shared.settled import Settled
from wallet.domain.proof import checkpoints
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.leaves import batch_leaf, seal
from wallet.domain.proof.merkle import Frontier, leaf_hash
from wallet.domain.proof.notes import VerifierKey
from wallet.domain.proof.paths import Subtree, hash_over, subtrees
from wallet.repository import seals
from wallet.repository.payers import Driver
from wallet.repository.seals import Head, Unsealed

LEAVES_MAX = 4_000
"""Of one round, but for a batch that has more by itself: nobody else of this process waits longer for it."""
_BATCHES_MAX = 1_000


class RewrittenError(Exception):
    """The log is not what was published of it, so nothing may be signed that continues it."""


@dataclass(frozen=True, slots=True)
class Log:
    """What the log is called, and who signs for it: two keys while one succeeds the other."""

    name: str
    keys: tuple[Ed25519PrivateKey, ...]

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """What others check its signatures with."""
        return tuple(VerifierKey.of(self.name, key) for key in self.keys)


async def oldest_waiting(tx: Transaction) -> tuple[Unsealed | None, int]:
    """The oldest batch that is not sealed, if one waits; and how many are signed."""
    driver = await tx.driver()
    head = await seals.read_head(driver)
    found = await seals.unsealed(driver, head.settled_up_to, limit=1)
    return (found[0] if found else None), head.size


async def seal_batches(tx: Transaction, log: Log, settled: Settled, published: Checkpoint) -> bool:
    """Continue the log by the oldest batches that are not in it, and sign its new head.

    Whether more of them wait. None is sealed while another does it.

    Raises:
        RewrittenError: the log does not continue what was published.
    """
    driver = await tx.driver()
    if not await seals.lock_log(driver):
        return False
    await settled.look(driver)  # first: whatever is settled now is seen by what is read next
    head = await seals.read_head(driver)
    await _require_continued(driver, head, published)
    found = await seals.unsealed(driver, head.settled_up_to, limit=_BATCHES_MAX)
    taken = _of_one_round(found)
    if not taken:
        return False
    frontier = await _frontier(driver, head.size)
    await seals.append(driver, *await _seal(driver, frontier, taken))
    more = len(taken) < len(found) or len(found) == _BATCHES_MAX
    up_to = min(settled.up_to, taken[-1].id) if more else settled.up_to
    note = checkpoints.sign(Checkpoint(log.name, frontier.size, frontier.root()), *log.keys)
    await seals.add_checkpoint(driver, Head(frontier.size, max(head.settled_up_to, up_to)), note, tx.now)
    return more


def _of_one_round(found: Sequence[Unsealed]) -> Sequence[Unsealed]:
    leaves = 0
    for number, batch in enumerate(found):
        leaves += batch.leaves
        if leaves > LEAVES_MAX:
            return found[: max(number, 1)]
    return found


async def _seal(
    driver: Driver, frontier: Frontier, batches: Sequence[Unsealed]
) -> tuple[list[tuple[int, int, bytes]], list[tuple[Subtree, bytes]]]:
    """The rows that these batches add to the log."""
    contents = await seals.read_contents(driver, [batch.id for batch in batches])
    entries, completed = [], []
    for batch in batches:
        place = frontier.size
        leaf = leaf_hash(batch_leaf(seal(batch.id, batch.posted_at, *contents[batch.id])))
        entries.append((place, batch.id, leaf))
        for level, hash_ in enumerate(frontier.append(leaf)[1:], start=1):
            completed.append((Subtree(level, place >> level), hash_))
    return entries, completed


async def _frontier(driver: Driver, size: int) -> Frontier:
    parts = list(subtrees(range(size)))
    hashes = await seals.read_hashes(driver, parts)
    return Frontier(size, [hashes[part] for part in parts])


async def _require_continued(driver: Driver, head: Head, published: Checkpoint) -> None:
    if published.size > head.size:
        raise RewrittenError(f"{published.size} batches were published, and here are {head.size}")
    if (await _frontier(driver, published.size)).root() != published.root:
        raise RewrittenError(f"other batches were published up to {published.size}")


async def hash_of_spans(driver: Driver, spans: Sequence[range]) -> tuple[bytes, ...]:
    """The hashes of a path, of whose subtrees the log has all."""
    hashes = await seals.read_hashes(driver, [part for span in spans for part in subtrees(span)])
    return tuple(hash_over(span, hashes.__getitem__) for span in spans)
