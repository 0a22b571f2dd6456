"""The proof that one operation is in the signed ledger, which whoever has it can check without us.

An operation is a leaf of its batch, its batch is a leaf of the log, and the log's head is signed. What a
receipt tells of other operations are hashes: each of these leaves has an id with 74 random bits in it, so
nobody finds out by trying.

A receipt is written as JSON, bytes as base64, in one form only (as `JSON.stringify` writes it).
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self

from wallet.domain.proof.checkpoints import Checkpoint, open_checkpoint
from wallet.domain.proof.leaves import SealedBatch, SealedOperation, read_batch, read_operation
from wallet.domain.proof.merkle import leaf_hash, root_of
from wallet.domain.proof.notes import NOTE_LENGTH_MAX, VerifierKey, in_base64
from wallet.domain.proof.paths import inclusion_spans, verify_inclusion
from wallet.domain.proof.unproven import UnprovenError

RECEIPT_LENGTH_MAX = NOTE_LENGTH_MAX + 10_000
"""Besides the checkpoint there are two leaves and two paths of at most 63 hashes: 6,500 characters."""
_VERSION = 1


class Included(NamedTuple):
    """A leaf, and what shows where in a tree it is."""

    leaf: bytes
    place: int
    path: tuple[bytes, ...]

    @classmethod
    def among(cls, leaves: Sequence[bytes], leaf: bytes) -> Self:
        """Its place in a tree whose leaves are all at hand."""
        place = leaves.index(leaf)
        hashes = [leaf_hash(one) for one in leaves]
        spans = inclusion_spans(place, len(leaves))
        return cls(leaf, place, tuple(root_of(hashes[span.start : span.stop]) for span in spans))

    def verify(self, size: int, root: bytes) -> None:
        """Check that it is in the tree with this root.

        Raises:
            UnprovenError: it is not, as far as this path shows.
        """
        verify_inclusion(leaf=leaf_hash(self.leaf), place=self.place, size=size, root=root, path=self.path)


class Receipt(NamedTuple):
    """All that is needed besides the key of the log."""

    operation: Included
    """In its batch."""
    batch: Included
    """In the log, as long as it was at the checkpoint."""
    checkpoint: str
    """As it was signed."""


class Proven(NamedTuple):
    """The operation was written in this batch, and the log had it at this checkpoint."""

    operation: SealedOperation
    batch: SealedBatch
    checkpoint: Checkpoint


def verify(receipt: Receipt, key: VerifierKey) -> Proven:
    """Follow it from the signature down to the operation.

    Raises:
        UnprovenError: it does not hold. `check` begins with the step: `checkpoint`, `batch` or `operation`.
    """
    with _step("checkpoint"):
        checkpoint = open_checkpoint(receipt.checkpoint, key)
    with _step("batch"):
        batch = read_batch(receipt.batch.leaf)
        receipt.batch.verify(checkpoint.size, checkpoint.root)
    with _step("operation"):
        operation = read_operation(receipt.operation.leaf)
        receipt.operation.verify(batch.size, batch.root)
    return Proven(operation, batch, checkpoint)


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except UnprovenError as error:
        raise UnprovenError(f"{name}.{error.check}", error.detail) from error


def write(receipt: Receipt) -> str:
    """The text that is handed out."""
    content = {
        "receipt": _VERSION,
        "operation": _written(receipt.operation),
        "batch": _written(receipt.batch),
        "checkpoint": receipt.checkpoint,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Receipt:
    """What is written there. Only its form is checked: whether it holds, `verify` says.

    Raises:
        UnprovenError: it is no receipt, or not as we write them.
    """
    if len(text) > RECEIPT_LENGTH_MAX:
        raise UnprovenError("receipt", "it is too long")
    with suppress(ValueError, RecursionError):
        receipt = _receipt(json.loads(text))
        if write(receipt) == text:
            return receipt
    raise UnprovenError("receipt", "this is not written as a receipt is")


def _written(included: Included) -> dict[str, object]:
    path = [in_base64(one) for one in included.path]
    return {"leaf": in_base64(included.leaf), "place": included.place, "path": path}


def _receipt(content: object) -> Receipt:
    """Whatever else stands there, or is of another type, would be written otherwise."""
    match content:
        case {"operation": operation, "batch": batch, "checkpoint": str(checkpoint)}:
            return Receipt(_included(operation), _included(batch), checkpoint)
    raise ValueError("no receipt")


def _included(content: object) -> Included:
    match content:
        case {"leaf": str(leaf), "place": int(place), "path": [*path]}:
            return Included(b64decode(leaf), int(place), tuple(b64decode(str(one)) for one in path))
    raise ValueError("no leaf with its path")
