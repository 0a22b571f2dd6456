"""A log grows by a few hashes, shows what is in it and that it only grew, and nothing else can be shown.

The vectors are those of Certificate Transparency's reference tests (transparency-dev/merkle). The naive trees
are the recursive definitions of RFC 6962, section 2.1, word for word.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wallet.domain.proof.merkle import EMPTY_ROOT, SIZE_MAX, Frontier, leaf_hash, node_hash, root_of
from wallet.domain.proof.paths import (
    Subtree,
    consistency_spans,
    hash_over,
    inclusion_spans,
    subtrees,
    verify_consistency,
    verify_inclusion,
)
from wallet.domain.proof.unproven import UnprovenError

LEAVES = [
    bytes.fromhex(one)
    for one in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the first leaf, the first two, and so on."""
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""By the leaf's place and the size of the tree."""
GROWTHS = {
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
SIZES = st.integers(1, 400)


def log(size: int) -> list[bytes]:
    """The hashes of that many leaves, all different."""
    return [leaf_hash(b"%d" % place) for place in range(size)]


LOG = log(400)


@cache
def stored(subtree: Subtree) -> bytes:
    """What a database would keep of `LOG`."""
    level, place = subtree
    return root_of(LOG[place << level : (place + 1) << level])


def path_of(place: int, size: int) -> list[bytes]:
    return [hash_over(span, stored) for span in inclusion_spans(place, size)]


def growth(old: int, new: int) -> list[bytes]:
    return [hash_over(span, stored) for span in consistency_spans(old, new)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256(b"").digest()
    left = left_of(hashes)
    return sha256(b"\x01" + naive_root(hashes[:left]) + naive_root(hashes[left:])).digest()


def naive_path(place: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    left = left_of(hashes)
    if place < left:
        return [*naive_path(place, hashes[:left]), naive_root(hashes[left:])]
    return [*naive_path(place - left, hashes[left:]), naive_root(hashes[:left])]


def naive_growth(old: int, hashes: Sequence[bytes], *, known: bool = True) -> list[bytes]:
    if old == len(hashes):
        return [] if known else [naive_root(hashes)]
    left = left_of(hashes)
    if old <= left:
        return [*naive_growth(old, hashes[:left], known=known), naive_root(hashes[left:])]
    return [*naive_growth(old - left, hashes[left:], known=False), naive_root(hashes[:left])]


def left_of(hashes: Sequence[bytes]) -> int:
    """The largest power of two that leaves something over."""
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return left


def flipped(content: bytes, bit: int) -> bytes:
    bit %= len(content) * 8
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def assert_not_in(place: int, size: int, leaf: bytes, root: bytes, path: list[bytes]) -> None:
    with pytest.raises(UnprovenError, match=r"^inclusion: "):
        verify_inclusion(leaf=leaf, place=place, size=size, root=root, path=path)


def assert_not_grown(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> None:
    with pytest.raises(UnprovenError, match=r"^consistency: "):
        verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, path=path)


def test_roots_are_those_that_the_whole_world_computes() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    frontier = Frontier()
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == frontier.root() == EMPTY_ROOT
    for size, root in enumerate(ROOTS, 1):
        frontier.append(hashes[size - 1])
        assert root_of(hashes[:size]).hex() == frontier.root().hex() == root


@pytest.mark.parametrize(("place", "size"), PATHS)
def test_the_path_of_a_leaf_is_the_published_one(place: int, size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    path = [root_of(hashes[span.start : span.stop]) for span in inclusion_spans(place, size)]
    assert [one.hex() for one in path] == PATHS[place, size]
    root = bytes.fromhex(ROOTS[size - 1])
    verify_inclusion(leaf=hashes[place], place=place, size=size, root=root, path=path)


@pytest.mark.parametrize(("old", "new"), GROWTHS)
def test_what_shows_that_a_log_grew_is_what_is_published(old: int, new: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    path = [root_of(hashes[span.start : span.stop]) for span in consistency_spans(old, new)]
    assert [one.hex() for one in path] == GROWTHS[old, new]
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    verify_consistency(old=old, old_root=roots[0], new=new, new_root=roots[1], path=path)


def test_every_leaf_of_every_small_log_has_the_path_of_the_definition_and_it_holds() -> None:
    for size in range(1, 41):
        root = naive_root(LOG[:size])
        assert root_of(LOG[:size]) == root
        for place in range(size):
            path = path_of(place, size)
            assert path == naive_path(place, LOG[:size])
            verify_inclusion(leaf=LOG[place], place=place, size=size, root=root, path=path)


def test_every_small_log_is_shown_to_continue_every_smaller_one_as_the_definition_says() -> None:
    roots = [naive_root(LOG[:size]) for size in range(41)]
    for new in range(41):
        verify_consistency(old=0, old_root=EMPTY_ROOT, new=new, new_root=roots[new], path=growth(0, new))
        for old in range(1, new + 1):
            path = growth(old, new)
            assert path == naive_growth(old, LOG[:new])
            verify_consistency(old=old, old_root=roots[old], new=new, new_root=roots[new], path=path)


@given(st.data(), SIZES)
def test_what_is_shown_of_a_leaf_is_not_shown_by_one_bit_less(data: st.DataObject, size: int) -> None:
    place = data.draw(st.integers(0, size - 1))
    bit = data.draw(st.integers(0, 255))
    leaf, path, root = LOG[place], path_of(place, size), root_of(LOG[:size])
    verify_inclusion(leaf=leaf, place=place, size=size, root=root, path=path)
    assert_not_in(place, size, flipped(leaf, bit), root, path)
    assert_not_in(place, size, leaf, flipped(root, bit), path)
    for step, one in enumerate(path):
        assert_not_in(place, size, leaf, root, [*path[:step], flipped(one, bit), *path[step + 1 :]])
        assert_not_in(place, size, leaf, root, [*path[:step], *path[step + 1 :]])
    assert_not_in(place, size, leaf, root, [*path, root])
    assert_not_in(place, size, leaf, root, [leaf, *path])
    other = data.draw(st.integers(-1, size + 1).filter(lambda one: one != place))
    assert_not_in(other, size, leaf, root, path)


@given(st.data(), SIZES)
def test_a_log_that_did_not_only_grow_is_never_shown_to(data: st.DataObject, new: int) -> None:
    old, bit = data.draw(st.integers(1, new)), data.draw(st.integers(0, 255))
    before, after, path = root_of(LOG[:old]), root_of(LOG[:new]), growth(old, new)
    verify_consistency(old=old, old_root=before, new=new, new_root=after, path=path)
    assert_not_grown(old, flipped(before, bit), new, after, path)
    assert_not_grown(old, before, new, flipped(after, bit), path)
    for step, one in enumerate(path):
        assert_not_grown(old, before, new, after, [*path[:step], flipped(one, bit), *path[step + 1 :]])
        assert_not_grown(old, before, new, after, [*path[:step], *path[step + 1 :]])
    assert_not_grown(old, before, new, after, [*path, after])
    forged = data.draw(st.integers(0, old - 1))
    rewritten = [*LOG[:forged], leaf_hash(b"forged"), *LOG[forged + 1 : new]]
    spans = consistency_spans(old, new)
    theirs = [root_of(rewritten[span.start : span.stop]) for span in spans]
    assert_not_grown(old, before, new, root_of(rewritten), theirs)


@pytest.mark.parametrize(("old", "new"), [(1, 0), (9, 8), (-1, 8), (1, SIZE_MAX + 1)])
def test_a_log_that_got_shorter_continues_nothing(old: int, new: int) -> None:
    assert_not_grown(old, LOG[0], new, LOG[0], [])


def test_a_log_of_the_same_size_has_the_same_root_or_was_rewritten() -> None:
    assert_not_grown(3, LOG[0], 3, LOG[1], [])
    assert_not_grown(0, LOG[0], 3, root_of(LOG[:3]), [])
    assert_not_grown(0, EMPTY_ROOT, 0, LOG[0], [])


@pytest.mark.parametrize(("place", "size"), [(0, 0), (1, 1), (-1, 5), (0, SIZE_MAX + 1)])
def test_a_place_that_a_log_does_not_have_holds_nothing(place: int, size: int) -> None:
    assert_not_in(place, size, LOG[0], LOG[0], [])
    with pytest.raises(UnprovenError):
        inclusion_spans(place, size)


def test_hashes_that_are_cut_elsewhere_are_no_path() -> None:
    """The bytes that are hashed would be the same."""
    left, right = LOG[:2]
    shifted = (left + right)[:31], (left + right)[31:]
    assert node_hash(*shifted) == node_hash(left, right)
    assert_not_in(0, 2, shifted[0], root_of(LOG[:2]), [shifted[1]])


@given(SIZES, SIZES)
@example(400, 400)
def test_a_log_is_continued_from_what_was_stored_of_it(before: int, size: int) -> None:
    before = min(before, size)
    frontier = Frontier()
    for leaf in LOG[:before]:
        frontier.append(leaf)
    frontier = Frontier.from_bytes(frontier.to_bytes())
    for leaf in LOG[before:size]:
        frontier.append(leaf)
    assert frontier.root() == root_of(LOG[:size])
    assert frontier.roots == [stored(subtree) for subtree in subtrees(range(size))]


def test_whatever_a_leaf_completes_is_told_once_and_is_all_that_paths_are_made_of() -> None:
    kept: dict[Subtree, bytes] = {}
    frontier = Frontier()
    for place, leaf in enumerate(LOG):
        for level, one in enumerate(frontier.append(leaf)):
            assert kept.setdefault(Subtree(level, place >> level), one) == one
    assert len(kept) == 2 * 400 - (400).bit_count()
    for place in range(0, 400, 7):
        path = [hash_over(span, kept.__getitem__) for span in inclusion_spans(place, 400)]
        verify_inclusion(leaf=LOG[place], place=place, size=400, root=frontier.root(), path=path)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\0" * 9, b"\0" * 7 + b"\3" + b"x" * 63, b"\xff" * (8 + 64 * 32)]
)
def test_a_stored_frontier_of_another_length_is_refused(content: bytes) -> None:
    with pytest.raises(UnprovenError, match=r"^frontier: "):
        Frontier.from_bytes(content)


def test_a_path_in_a_log_of_any_length_asks_for_two_subtrees_a_level_at_most() -> None:
    """All its leaves are alike, so that every subtree of a level has the same hash."""
    levels = [leaf_hash(b"")]
    for _ in range(62):
        levels.append(node_hash(levels[-1], levels[-1]))
    asked: list[Subtree] = []

    def hash_of(subtree: Subtree) -> bytes:
        asked.append(subtree)
        return levels[subtree.level]

    for size in (1, 2, 1_000_003, 10**12, 2**62, SIZE_MAX):
        root = hash_over(range(size), hash_of)
        for place in {0, size // 3, size - 1}:
            asked.clear()
            path = [hash_over(span, hash_of) for span in inclusion_spans(place, size)]
            verify_inclusion(leaf=levels[0], place=place, size=size, root=root, path=path)
            assert len(asked) <= 2 * size.bit_length()
        for old in {1, size // 3 + 1, size}:
            before = hash_over(range(old), hash_of)
            asked.clear()
            path = [hash_over(span, hash_of) for span in consistency_spans(old, size)]
            verify_consistency(old=old, old_root=before, new=size, new_root=root, path=path)
            assert len(asked) <= 2 * size.bit_length()
