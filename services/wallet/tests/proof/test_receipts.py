"""Whoever holds a receipt can check without us that a payment is in the signed ledger."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wallet.domain.proof import checkpoints
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.leaves import (
    SealedOperation,
    SealedPosting,
    batch_leaf,
    batch_leaves,
    operation_leaf,
    posting_leaf,
    seal,
)
from wallet.domain.proof.merkle import Frontier, leaf_hash
from wallet.domain.proof.notes import NOTE_LENGTH_MAX, VerifierKey
from wallet.domain.proof.receipts import RECEIPT_LENGTH_MAX, Included, Receipt, read, verify, write
from wallet.domain.proof.unproven import UnprovenError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = VerifierKey.of("example.kz/wallet", KEY)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def paid(number: int) -> SealedOperation:
    return SealedOperation(
        id=UUID(int=number),
        identity=number.to_bytes(16),
        digest=bytes(8),
        child_id=None,
        hold_id=None,
        amount_tiyn=1_000 + number,
        kind="pay_out",
        code=None,
        evidence=None,
        approvers=(UUID(int=1), UUID(int=2)),
    )


def postings_of(operation: SealedOperation) -> list[SealedPosting]:
    return [SealedPosting(operation.id, 0, 1, 2, 3), SealedPosting(operation.id, 1, 2, 3, 4)]


def receipt_of(number: int, batches: int = 5, operations: int = 3) -> Receipt:
    """Of the operation of this number, in a log of so many batches of so many operations each."""
    sealed, all_leaves = [], []
    for batch in range(batches):
        own = [paid(batch * operations + one) for one in range(operations)]
        postings = [posting for one in own for posting in postings_of(one)]
        sealed.append(batch_leaf(seal(batch, NOON + timedelta(hours=batch), own, postings)))
        all_leaves.append(batch_leaves(own, postings))
    frontier = Frontier()
    for leaf in sealed:
        frontier.append(leaf_hash(leaf))
    head = Checkpoint(LOG.name, batches, frontier.root(), ("epoch 1",))
    batch = number // operations
    return Receipt(
        Included.among(all_leaves[batch], operation_leaf(paid(number))),
        Included.among(sealed, sealed[batch]),
        checkpoints.sign(head, KEY),
    )


RECEIPT = receipt_of(7)


def refused(receipt: Receipt, check: str, key: VerifierKey = LOG) -> None:
    with pytest.raises(UnprovenError) as told:
        verify(receipt, key)
    assert told.value.check == check


@given(st.integers(1, 40), st.integers(1, 20), st.data())
def test_every_operation_of_the_log_has_a_receipt_that_holds(
    batches: int, operations: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, batches * operations - 1))
    proven = verify(read(write(receipt_of(number, batches, operations))), LOG)
    assert proven.operation == paid(number)
    assert proven.batch.id == number // operations
    assert proven.batch.posted_at == NOON + timedelta(hours=proven.batch.id)
    assert (proven.checkpoint.size, proven.checkpoint.extensions) == (batches, ("epoch 1",))


def test_another_key_proves_nothing() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    refused(RECEIPT, "checkpoint.signature", VerifierKey.of(LOG.name, other))
    refused(RECEIPT, "checkpoint.signature", VerifierKey.of("example.kz/other", KEY))
    refused(RECEIPT._replace(checkpoint="hello"), "checkpoint.note")


def test_the_step_that_fails_is_named() -> None:
    operation, batch, other = RECEIPT.operation, RECEIPT.batch, receipt_of(1)
    more = operation_leaf(paid(7)._replace(amount_tiyn=10**9))
    refused(RECEIPT._replace(operation=operation._replace(leaf=more)), "operation.inclusion")
    refused(RECEIPT._replace(operation=other.operation), "operation.inclusion")
    refused(RECEIPT._replace(operation=operation._replace(place=9)), "operation.inclusion")
    refused(RECEIPT._replace(operation=operation._replace(leaf=b"hello")), "operation.leaf")
    refused(RECEIPT._replace(batch=other.batch), "operation.inclusion")
    refused(RECEIPT._replace(batch=batch._replace(place=0)), "batch.inclusion")
    refused(RECEIPT._replace(batch=batch._replace(leaf=operation.leaf)), "batch.leaf")
    refused(RECEIPT._replace(checkpoint=receipt_of(7, 6).checkpoint), "batch.inclusion")


def test_a_posting_is_no_operation_even_where_it_is_in_the_batch() -> None:
    own = [paid(1)]
    leaves = batch_leaves(own, postings_of(paid(1)))
    batch = batch_leaf(seal(0, NOON, own, postings_of(paid(1))))
    head = Checkpoint(LOG.name, 1, leaf_hash(batch))
    posting = Included.among(leaves, posting_leaf(postings_of(paid(1))[0]))
    refused(Receipt(posting, Included.among([batch], batch), checkpoints.sign(head, KEY)), "operation.leaf")


def test_a_receipt_of_which_one_character_was_changed_does_not_hold() -> None:
    text = write(RECEIPT)
    for place, one in enumerate(text):
        for other in ("", chr(ord(one) - 1), chr(ord(one) + 1)):
            with pytest.raises(UnprovenError):
                verify(read(text[:place] + other + text[place + 1 :]), LOG)


def test_a_receipt_of_which_one_bit_was_changed_names_the_part() -> None:
    """In what it decodes to, so that nothing is refused for its form."""
    for altered in altered_in_one_bit(RECEIPT.operation):
        with pytest.raises(UnprovenError, match=r"^operation\."):
            verify(RECEIPT._replace(operation=altered), LOG)
    for altered in altered_in_one_bit(RECEIPT.batch):
        with pytest.raises(UnprovenError, match=r"^batch\."):
            verify(RECEIPT._replace(batch=altered), LOG)


def altered_in_one_bit(included: Included) -> Iterator[Included]:
    """In each byte of the leaf and of the path once."""
    parts = [included.leaf, *included.path]
    for which, part in enumerate(parts):
        for place in range(len(part)):
            other = part[:place] + bytes([part[place] ^ 1 << place % 8]) + part[place + 1 :]
            altered = [*parts[:which], other, *parts[which + 1 :]]
            yield Included(altered[0], included.place, tuple(altered[1:]))


def test_a_receipt_is_small_enough_for_a_page() -> None:
    assert len(write(receipt_of(50, batches=40, operations=20))) < 2_000


def changed(**parts: object) -> str:
    return json.dumps(json.loads(write(RECEIPT)) | parts, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"operation":' * 8_000,
        "9" * 5_000,
        write(RECEIPT._replace(checkpoint="a" * RECEIPT_LENGTH_MAX)),
        write(RECEIPT)[:-1],
        write(RECEIPT) + "\n",
        write(RECEIPT).replace(",", ", "),
        write(RECEIPT).replace("—", "\\u2014"),
        write(RECEIPT).replace('"receipt":1,', ""),
        write(RECEIPT).replace('"receipt":1,', '"receipt":1,"receipt":1,'),
        changed(receipt=2),
        changed(receipt=True),
        changed(receipt=1.0),
        changed(more=1),
        changed(checkpoint=None),
        changed(checkpoint=[]),
        changed(batch=None),
        changed(batch={}),
        changed(batch={"leaf": "", "place": True, "path": []}),
        changed(batch={"leaf": "", "place": 1.0, "path": []}),
        changed(batch={"leaf": "", "place": "1", "path": []}),
        changed(batch={"leaf": 1, "place": 1, "path": []}),
        changed(batch={"leaf": "ж", "place": 1, "path": []}),
        changed(batch={"leaf": "A", "place": 1, "path": []}),
        changed(batch={"leaf": "QR==", "place": 1, "path": []}),
        changed(batch={"leaf": "", "place": 1, "path": ""}),
        changed(batch={"leaf": "", "place": 1, "path": [1234]}),
        changed(batch={"leaf": "", "place": 1, "path": [None]}),
        changed(batch={"leaf": "", "place": 1, "path": [], "more": 1}),
    ],
)
def test_what_is_not_written_as_a_receipt_is_none(text: str) -> None:
    with pytest.raises(UnprovenError, match=r"^receipt: "):
        read(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: batch._replace(place=-1),
        lambda batch: batch._replace(place=10**30),
        lambda batch: batch._replace(path=()),
        lambda batch: batch._replace(path=batch.path * 20),
        lambda batch: batch._replace(path=(b"", *batch.path[1:])),
        lambda batch: batch._replace(leaf=b""),
    ],
)
def test_numbers_and_paths_of_strangers_prove_nothing(change: Callable[[Included], Included]) -> None:
    with pytest.raises(UnprovenError):
        verify(read(write(RECEIPT._replace(batch=change(RECEIPT.batch)))), LOG)


def test_a_checkpoint_that_no_note_can_be_is_refused_where_it_stands() -> None:
    refused(read(write(RECEIPT._replace(checkpoint="\ud800"))), "checkpoint.note")
    refused(read(write(RECEIPT._replace(checkpoint="a" * (NOTE_LENGTH_MAX + 1)))), "checkpoint.note")
