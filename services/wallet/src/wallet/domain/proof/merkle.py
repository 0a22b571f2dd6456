"""Merkle trees over the hashes of leaves, as RFC 6962 and RFC 9162 (section 2.1) define them, with SHA-256.

Leaves are hashed behind a zero byte and nodes behind a one, so that none passes for the other. The left part
of a tree is the largest complete one that leaves something to its right: what is complete never changes while
the tree grows, and that makes a log continue by a few hashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256
from typing import Self

from wallet.domain.proof.unproven import UnprovenError

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
SIZE_MAX = 2**63 - 1
"""What PostgreSQL counts in a bigint."""
_SIZE_BYTES = 8


def leaf_hash(leaf: bytes) -> bytes:
    """Of what is sealed."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two parts of a tree that stand side by side."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Of the tree over these leaf hashes. Level by level: whatever has no neighbor moves up as it is."""
    level = list(hashes)
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)  # the odd one is left out
        level = [node_hash(left, right) for left, right in pairs] + odd
    return level[0] if level else EMPTY_ROOT


def joined(roots: Sequence[bytes]) -> bytes:
    """The root of a tree that consists of complete ones, from the largest to the smallest."""
    return reduce(lambda right, left: node_hash(left, right), reversed(roots))


@dataclass(slots=True)
class Frontier:
    """What a log of any length is continued by: its size, and the roots of the complete trees it consists of.

    The largest first; one for each bit that is set in the size.
    """

    size: int = 0
    roots: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[bytes]:
        """Continue by the hash of a leaf. Returns that of each subtree it completes, by level, its own first.

        That of a level is `paths.Subtree(level, place of the leaf >> level)`.
        """
        completed = [leaf]
        place = self.size
        while place & 1:
            completed.append(node_hash(self.roots.pop(), completed[-1]))
            place >>= 1
        self.roots.append(completed[-1])
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Of the whole log, as long as it is now."""
        return joined(self.roots) if self.roots else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """The size in eight bytes, big-endian, and the roots."""
        return self.size.to_bytes(_SIZE_BYTES) + b"".join(self.roots)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            UnprovenError: it has more or fewer roots than its size asks for.
        """
        size, rest = int.from_bytes(content[:_SIZE_BYTES]), content[_SIZE_BYTES:]
        if len(content) < _SIZE_BYTES or size > SIZE_MAX or len(rest) != size.bit_count() * HASH_BYTES:
            raise UnprovenError("frontier", f"{len(content)} bytes are no frontier")
        return cls(size, [rest[at : at + HASH_BYTES] for at in range(0, len(rest), HASH_BYTES)])
