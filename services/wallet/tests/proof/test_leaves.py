"""What is sealed of a batch has one form, and whatever is different has different bytes."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain.proof.leaves import (
    SealedBatch,
    SealedOperation,
    SealedPosting,
    batch_leaf,
    batch_leaves,
    operation_leaf,
    posting_leaf,
    read_batch,
    read_operation,
    seal,
)
from wallet.domain.proof.merkle import EMPTY_ROOT, leaf_hash, node_hash
from wallet.domain.proof.unproven import UnprovenError

IDS = st.uuids() | st.just(UUID(int=0))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
PLACES = st.integers(0, 2**16 - 1)
OPERATIONS = st.builds(
    SealedOperation,
    id=IDS,
    identity=st.binary(min_size=16, max_size=16),
    digest=st.binary(min_size=8, max_size=8),
    child_id=st.none() | IDS,
    hold_id=st.none() | IDS,
    amount_tiyn=NUMBERS,
    kind=st.sampled_from(
        (
            *("deposit", "allot", "hold", "reduce", "release", "charge", "pay_out", "settle", "bounce"),
            *("expire", "return", "recover", "correct"),
        )
    ),
    code=st.none() | st.text("az_09!~", min_size=1, max_size=64),
    evidence=st.none() | st.binary(min_size=32, max_size=32) | st.just(bytes(32)),
    approvers=st.lists(IDS, max_size=2).map(tuple),
)
BATCHES = st.builds(
    SealedBatch,
    id=NUMBERS,
    posted_at=st.datetimes(timezones=st.just(UTC)),
    operations=st.integers(0, 2**32 - 1),
    postings=st.integers(0, 2**32 - 1),
    root=st.binary(min_size=32, max_size=32),
)
CHARGE = SealedOperation(
    id=UUID("01990a3c-0000-7000-8000-000000000001"),
    identity=bytes(range(16)),
    digest=bytes(range(8)),
    child_id=UUID("01990a3c-0000-7000-8000-0000000000c1"),
    hold_id=None,
    amount_tiyn=1_875_000,
    kind="charge",
    code="late",
    evidence=sha256(b"facts").digest(),
    approvers=(UUID("01990a3c-0000-7000-8000-0000000000a1"),),
)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def operation(number: int) -> SealedOperation:
    return CHARGE._replace(id=UUID(int=number), kind="hold", evidence=None, code=None)


def test_an_operation_is_sealed_in_these_bytes_for_ever() -> None:
    assert operation_leaf(CHARGE) == b"".join(
        (
            bytes(
                (1, 1, 0b011101, 6)
            ),  # layout, an operation; all but the hold and the second approver; a charge
            CHARGE.id.bytes,
            bytes(range(16)),
            bytes(range(8)),
            UUID("01990a3c-0000-7000-8000-0000000000c1").bytes,
            bytes(16),
            (1_875_000).to_bytes(8),
            b"late".ljust(64, b"\0"),
            sha256(b"facts").digest(),
            UUID("01990a3c-0000-7000-8000-0000000000a1").bytes,
            bytes(16),
        )
    )


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *(("deposit", 1), ("allot", 2), ("hold", 3), ("reduce", 4), ("release", 5)),
        *(("charge", 6), ("pay_out", 7), ("settle", 8), ("bounce", 9)),
        *(("expire", 10), ("return", 11), ("recover", 12), ("correct", 13)),
    ],
)
def test_a_kind_keeps_its_number(kind: str, number: int) -> None:
    assert operation_leaf(CHARGE._replace(kind=kind))[3] == number


def test_a_posting_and_a_batch_are_sealed_in_these_bytes_for_ever() -> None:
    posting = SealedPosting(CHARGE.id, 258, 1 << 40 | 2, 3 << 40 | 5, -7)
    assert posting_leaf(posting) == b"".join(
        (
            bytes((1, 2)),
            CHARGE.id.bytes,
            bytes.fromhex("0102 0000010000000002 0000030000000005 fffffffffffffff9"),
        )
    )
    batch = SealedBatch(77, datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC), 3, 4, EMPTY_ROOT)
    assert batch_leaf(batch) == b"".join(
        (
            bytes((1, 3)),
            (77).to_bytes(8),
            (1_000_002).to_bytes(8),
            (3).to_bytes(4),
            (4).to_bytes(4),
            EMPTY_ROOT,
        )
    )


@given(OPERATIONS)
def test_an_operation_is_read_as_it_was_sealed(one: SealedOperation) -> None:
    assert read_operation(operation_leaf(one)) == one


@given(BATCHES)
def test_a_batch_is_read_as_it_was_sealed(one: SealedBatch) -> None:
    assert read_batch(batch_leaf(one)) == one


@given(*(st.builds(SealedPosting, IDS, PLACES, NUMBERS, NUMBERS, NUMBERS),) * 2)
def test_two_postings_are_the_same_bytes_only_if_they_are_the_same(
    one: SealedPosting, other: SealedPosting
) -> None:
    assert (posting_leaf(one) == posting_leaf(other)) == (one == other)
    for field in range(5):
        mixed = SealedPosting._make(other[at] if at == field else one[at] for at in range(5))
        assert (posting_leaf(one) == posting_leaf(mixed)) == (one == mixed)


@given(OPERATIONS, st.integers(0))
def test_one_bit_more_makes_an_operation_another_one_or_none(one: SealedOperation, bit: int) -> None:
    leaf = bytearray(operation_leaf(one))
    bit %= len(leaf) * 8
    leaf[bit // 8] ^= 1 << bit % 8
    assert_other(bytes(leaf), one, read_operation)


@given(BATCHES, st.integers(0))
def test_one_bit_more_makes_a_batch_another_one_or_none(one: SealedBatch, bit: int) -> None:
    leaf = bytearray(batch_leaf(one))
    bit %= len(leaf) * 8
    leaf[bit // 8] ^= 1 << bit % 8
    assert_other(bytes(leaf), one, read_batch)


def assert_other(leaf: bytes, one: object, read: Callable[[bytes], object]) -> None:
    with suppress(UnprovenError):
        assert read(leaf) != one


def test_nobody_and_the_person_whose_id_is_zero_are_different() -> None:
    nobody, zero = UUID(int=0), (UUID(int=0),)
    without = CHARGE._replace(child_id=None, hold_id=None, code=None, evidence=None, approvers=())
    others = [
        without,
        without._replace(child_id=nobody),
        without._replace(hold_id=nobody),
        without._replace(evidence=bytes(32)),
        without._replace(approvers=zero),
        without._replace(approvers=zero * 2),
    ]
    assert len(set(map(operation_leaf, others))) == len(others)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "exchange"},
        {"kind": ""},
        {"code": ""},
        {"code": "x" * 65},
        {"code": "a\0"},
        {"code": "two words"},
        {"code": "нет"},
        {"identity": bytes(15)},
        {"identity": bytes(17)},
        {"digest": bytes(7)},
        {"evidence": b""},
        {"evidence": bytes(33)},
        {"approvers": (UUID(int=1), UUID(int=2), UUID(int=3))},
    ],
)
def test_what_no_operation_can_have_is_not_sealed(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        operation_leaf(SealedOperation(**{**CHARGE._asdict(), **changes}))


@given(st.binary(max_size=300) | st.binary(min_size=236, max_size=236).map(lambda rest: b"\1\1" + rest))
def test_bytes_of_strangers_are_no_leaf_or_exactly_what_they_say(content: bytes) -> None:
    try:
        found = read_operation(content)
    except UnprovenError:
        return
    assert operation_leaf(found) == content


@pytest.mark.parametrize("microseconds", [-(2**63), 2**63 - 1])
def test_a_time_that_no_calendar_has_is_no_batch(microseconds: int) -> None:
    leaf = batch_leaf(SealedBatch(1, NOON, 1, 1, EMPTY_ROOT))
    with pytest.raises(UnprovenError):
        read_batch(leaf[:10] + microseconds.to_bytes(8, signed=True) + leaf[18:])


def test_a_batch_and_an_operation_do_not_pass_for_each_other() -> None:
    with pytest.raises(UnprovenError):
        read_batch(operation_leaf(CHARGE))
    with pytest.raises(UnprovenError):
        read_operation(batch_leaf(SealedBatch(1, NOON, 1, 1, EMPTY_ROOT)))


def test_a_moment_is_the_same_in_every_time_zone_and_without_one_it_is_none() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=5)))
    assert batch_leaf(SealedBatch(1, here, 1, 1, EMPTY_ROOT)) == batch_leaf(
        SealedBatch(1, NOON, 1, 1, EMPTY_ROOT)
    )
    with pytest.raises(TypeError):
        batch_leaf(SealedBatch(1, NOON.replace(tzinfo=None), 1, 1, EMPTY_ROOT))


def test_operations_stand_in_the_order_of_their_ids_each_before_its_postings() -> None:
    first, second = operation(1), operation(2**127)
    postings = [
        SealedPosting(first.id, 0, 9, 1, 5),
        SealedPosting(first.id, 1, 2, 1, 5),
        SealedPosting(second.id, 0, -1, 2, 5),
    ]
    expected = [
        operation_leaf(first),
        posting_leaf(postings[0]),
        posting_leaf(postings[1]),
        operation_leaf(second),
        posting_leaf(postings[2]),
    ]
    for seed in range(10):
        dice = Random(seed)  # noqa: S311 - mixes rows
        mixed = dice.sample(postings, 3)
        assert batch_leaves(dice.sample([first, second], 2), mixed) == expected


def test_a_batch_is_sealed_with_how_much_is_in_it() -> None:
    one, posting = operation(1), SealedPosting(UUID(int=1), 0, 1, 2, 3)
    root = node_hash(leaf_hash(operation_leaf(one)), leaf_hash(posting_leaf(posting)))
    assert seal(7, NOON, [one], [posting]) == SealedBatch(7, NOON, 1, 1, root)
    assert seal(7, NOON, [], []) == SealedBatch(7, NOON, 0, 0, EMPTY_ROOT)
    assert seal(7, NOON, [one], [posting]).size == 2


def test_a_posting_without_its_operation_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="1 operations"):
        seal(7, NOON, [operation(1)], [SealedPosting(UUID(int=2), 0, 1, 2, 3)])
