"""What shows that a leaf is in a tree, and that a tree continues a smaller one (RFC 6962 2.1.1 and 2.1.2).

Both are paths: hashes of parts of the tree beside the way down to a leaf. Which parts (*spans* of leaves)
follows from numbers alone, so whoever makes a path and whoever checks it walk the same way. A span is hashed
from its leaves, or from the complete subtrees it consists of: of these a whole path needs at most two for
each level of the tree.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from wallet.domain.proof.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX, joined, node_hash
from wallet.domain.proof.unproven import UnprovenError

Path = Sequence[bytes]
"""From the bottom to the top."""


class Subtree(NamedTuple):
    """The complete tree over the leaves from `place << level` to before `place + 1 << level`.

    Its hash never changes, so it can be stored when its last leaf is appended.
    """

    level: int
    place: int


def subtrees(span: range) -> Iterator[Subtree]:
    """The complete trees that a span of a path consists of, the largest first."""
    start = span.start
    while start < span.stop:
        level = (span.stop - start).bit_length() - 1
        yield Subtree(level, start >> level)
        start += 1 << level


def hash_over(span: range, hash_of: Callable[[Subtree], bytes]) -> bytes:
    """The hash of a span of a path, from those of its subtrees."""
    return joined([hash_of(subtree) for subtree in subtrees(span)])


def inclusion_spans(place: int, size: int) -> list[range]:
    """What the path of a leaf consists of, from the leaf's neighbor up.

    Raises:
        UnprovenError: a tree of this size has no such leaf.
    """
    if not 0 <= place < size <= SIZE_MAX:
        raise UnprovenError("inclusion", f"there is no leaf {place} among {size}")
    spans, part = [], range(size)
    while len(part) > 1:
        left, right = _halves(part)
        part, beside = (left, right) if place in left else (right, left)
        spans.append(beside)
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[range]:
    """What shows that a tree of the new size begins with all of the old one, from the bottom up.

    The walk goes towards the last old leaf, and ends at the part that ends with it. That part is not told if
    it is the whole old tree: whoever checks knows its root.

    Raises:
        UnprovenError: the new tree is smaller.
    """
    if not 0 <= old <= new <= SIZE_MAX:
        raise UnprovenError("consistency", f"{new} leaves do not continue {old}")
    spans, part = [], range(new)
    while 0 < old != part.stop:
        left, right = _halves(part)
        part, beside = (left, right) if old - 1 in left else (right, left)
        spans.append(beside)
    if part.start > 0:
        spans.append(part)
    return spans[::-1]


def verify_inclusion(*, leaf: bytes, place: int, size: int, root: bytes, path: Path) -> None:
    """Check that the leaf of this hash stands at this place of the tree.

    Raises:
        UnprovenError: the tree has no such place, the path has another length, or it leads to another root.
    """
    spans = inclusion_spans(place, size)
    _check_shape("inclusion", path, len(spans))
    found = leaf
    for span, beside in zip(spans, path, strict=True):
        found = node_hash(beside, found) if span.start < place else node_hash(found, beside)
    if found != root:
        raise UnprovenError("inclusion", "the path leads to another root")


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, path: Path) -> None:
    """Check that the new tree begins with all leaves of the old one, unchanged and in their order.

    Raises:
        UnprovenError: it is smaller, the path has another length, or it leads to another root of either.
    """
    spans = consistency_spans(old, new)
    _check_shape("consistency", path, len(spans))
    if old == 0:  # every tree continues the empty one
        before, after = EMPTY_ROOT, new_root if new else EMPTY_ROOT
    else:
        before, after = _both_roots(old, old_root, spans, path)
    if before != old_root:
        raise UnprovenError("consistency", "the path leads to another old root")
    if after != new_root:
        raise UnprovenError("consistency", "the path leads to another new root")


def _both_roots(old: int, old_root: bytes, spans: Sequence[range], path: Path) -> tuple[bytes, bytes]:
    """What stands left of the old end belongs to both trees, what stands right of it to the new one only."""
    steps = list(zip(spans, path, strict=True))
    bottom = steps.pop(0)[1] if spans and spans[0].stop == old else old_root
    before = after = bottom
    for span, beside in steps:
        if span.stop <= old:
            before, after = node_hash(beside, before), node_hash(beside, after)
        else:
            after = node_hash(after, beside)
    return before, after


def _halves(part: range) -> tuple[range, range]:
    """The left one is complete, and as large as it can be with something left to the right."""
    middle = 1 << (len(part) - 1).bit_length() - 1
    return part[:middle], part[middle:]


def _check_shape(check: str, path: Path, steps: int) -> None:
    if len(path) != steps:
        raise UnprovenError(check, f"the path has {len(path)} hashes instead of {steps}")
    if any(len(one) != HASH_BYTES for one in path):
        raise UnprovenError(check, f"a hash of the path has not {HASH_BYTES} bytes")
