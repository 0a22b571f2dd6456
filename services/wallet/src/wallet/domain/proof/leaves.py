"""Which bytes are sealed of a batch: of each operation and posting, and of the batch in the log.

Every field has its place and its width (big-endian), behind the version of the layout and the kind of leaf:
nothing delimits, so nothing can be shifted, and different values never give the same bytes. Other sides
compute them too, for as long as the ledger lives: what changes is a new layout.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from wallet.domain.proof.merkle import leaf_hash, root_of
from wallet.domain.proof.unproven import UnprovenError

_LAYOUT = 1
_OPERATION, _POSTING, _BATCH = 1, 2, 3
"""Kinds of leaves."""
KINDS = {
    "deposit": 1,
    "allot": 2,
    "hold": 3,
    "reduce": 4,
    "release": 5,
    "charge": 6,
    "pay_out": 7,
    "settle": 8,
    "bounce": 9,
    "expire": 10,
    "return": 11,
    "recover": 12,
    "correct": 13,
}
"""A number means a kind for as long as the ledger lives."""
_KIND_NAMES = {number: name for name, number in KINDS.items()}
_CODE = re.compile(r"[!-~]{1,64}")
"""No zero byte in it: it is filled up with these."""
_APPROVERS_MAX = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_OPERATION_LAYOUT = struct.Struct(">BBBB16s16s8s16s16sq64s32s16s16s")
_POSTING_LAYOUT = struct.Struct(">BB16sHqqq")
_BATCH_LAYOUT = struct.Struct(">BBqqII32s")

_Sealed = TypeVar("_Sealed")


class SealedOperation(NamedTuple):
    """What is sealed of an operation; its content and who asked for it by their digests."""

    id: UUID
    identity: bytes
    digest: bytes
    child_id: UUID | None
    hold_id: UUID | None
    amount_tiyn: int
    kind: str
    code: str | None
    """Why it was declined, or cost nothing."""
    evidence: bytes | None
    """SHA-256 of the digest of the facts that a charge was made by."""
    approvers: tuple[UUID, ...]


class SealedPosting(NamedTuple):
    """What is sealed of a posting: all of it."""

    operation_id: UUID
    place: int
    """Among the postings of its operation."""
    debit_account: int
    credit_account: int
    amount_tiyn: int


class SealedBatch(NamedTuple):
    """What the log says of a batch, which is one transaction of the database."""

    id: int
    posted_at: datetime
    operations: int
    postings: int
    root: bytes
    """Of the tree over the leaves of its operations and postings."""

    @property
    def size(self) -> int:
        """How many leaves that tree has."""
        return self.operations + self.postings


def seal(
    batch_id: int,
    posted_at: datetime,
    operations: Sequence[SealedOperation],
    postings: Sequence[SealedPosting],
) -> SealedBatch:
    """Bind everything that a batch wrote."""
    hashes = [leaf_hash(leaf) for leaf in batch_leaves(operations, postings)]
    return SealedBatch(batch_id, posted_at, len(operations), len(postings), root_of(hashes))


def batch_leaves(operations: Sequence[SealedOperation], postings: Sequence[SealedPosting]) -> list[bytes]:
    """In their one order: operations by id, each followed by its postings by their places.

    Raises:
        ValueError: a posting is of no operation of this batch, so nobody could say where it stands.
    """
    of_operation: dict[UUID, list[SealedPosting]] = defaultdict(list)
    for posting in postings:
        of_operation[posting.operation_id].append(posting)
    leaves: list[bytes] = []
    for operation in sorted(operations, key=lambda one: one.id.int):
        leaves.append(operation_leaf(operation))
        leaves += map(posting_leaf, sorted(of_operation.pop(operation.id, ())))
    if of_operation:
        raise ValueError(f"{len(of_operation)} operations of these postings are not in the batch")
    return leaves


def operation_leaf(operation: SealedOperation) -> bytes:
    """The bytes of an operation. What it does not have is zeros, and a bit says that it is not there.

    Raises:
        ValueError: a field is none that an operation can have.
    """
    if operation.kind not in KINDS:
        raise ValueError(f"no leaf has the kind {operation.kind}")
    if len(operation.approvers) > _APPROVERS_MAX:
        raise ValueError(f"{len(operation.approvers)} approvers of one operation")
    if operation.code is not None and not _CODE.fullmatch(operation.code):
        raise ValueError("a code has 1 to 64 visible characters of ASCII")
    first, second = (*operation.approvers, None, None)[:_APPROVERS_MAX]
    optional = (operation.child_id, operation.hold_id, operation.code, operation.evidence, first, second)
    return _OPERATION_LAYOUT.pack(
        _LAYOUT,
        _OPERATION,
        sum(1 << place for place, value in enumerate(optional) if value is not None),
        KINDS[operation.kind],
        operation.id.bytes,
        _of_length(operation.identity, 16),
        _of_length(operation.digest, 8),
        _uuid_bytes(operation.child_id),
        _uuid_bytes(operation.hold_id),
        operation.amount_tiyn,
        (operation.code or "").encode(),
        b"" if operation.evidence is None else _of_length(operation.evidence, 32),
        _uuid_bytes(first),
        _uuid_bytes(second),
    )


def posting_leaf(posting: SealedPosting) -> bytes:
    """The bytes of a posting."""
    return _POSTING_LAYOUT.pack(_LAYOUT, _POSTING, posting.operation_id.bytes, *posting[1:])


def batch_leaf(batch: SealedBatch) -> bytes:
    """The bytes of a batch, which are a leaf of the log. Its time is in microseconds since 1970."""
    return _BATCH_LAYOUT.pack(
        _LAYOUT,
        _BATCH,
        batch.id,
        (batch.posted_at - _EPOCH) // _MICROSECOND,
        batch.operations,
        batch.postings,
        _of_length(batch.root, 32),
    )


def read_operation(leaf: bytes) -> SealedOperation:
    """What these bytes say.

    Raises:
        UnprovenError: they are not those of an operation.
    """
    return _read(leaf, _operation, operation_leaf)


def read_batch(leaf: bytes) -> SealedBatch:
    """What these bytes say.

    Raises:
        UnprovenError: they are not those of a batch.
    """
    return _read(leaf, _batch, batch_leaf)


def _read(leaf: bytes, parse: Callable[[bytes], _Sealed], write: Callable[[_Sealed], bytes]) -> _Sealed:
    """A value has one form: what would be written otherwise is refused."""
    with suppress(ValueError, OverflowError, struct.error):
        value = parse(leaf)
        if write(value) == leaf:
            return value
    raise UnprovenError("leaf", "these bytes are not what we seal")


def _operation(leaf: bytes) -> SealedOperation:
    _, _, flags, kind, id_, identity, digest, *rest = _OPERATION_LAYOUT.unpack(leaf)
    amount_tiyn = rest.pop(2)
    found = [value if flags >> place & 1 else None for place, value in enumerate(rest)]
    child_id, hold_id, code, evidence, *approvers = found
    return SealedOperation(
        id=UUID(bytes=id_),
        identity=identity,
        digest=digest,
        child_id=_uuid(child_id),
        hold_id=_uuid(hold_id),
        amount_tiyn=amount_tiyn,
        kind=_KIND_NAMES.get(kind, ""),
        code=None if code is None else code.rstrip(b"\0").decode("ascii"),
        evidence=evidence,
        approvers=tuple(UUID(bytes=one) for one in approvers if one is not None),
    )


def _batch(leaf: bytes) -> SealedBatch:
    _, _, id_, microseconds, operations, postings, root = _BATCH_LAYOUT.unpack(leaf)
    return SealedBatch(id_, _EPOCH + microseconds * _MICROSECOND, operations, postings, root)


def _uuid(content: bytes | None) -> UUID | None:
    return None if content is None else UUID(bytes=content)


def _uuid_bytes(value: UUID | None) -> bytes:
    return b"" if value is None else value.bytes


def _of_length(value: bytes, length: int) -> bytes:
    """`struct` would cut it, or fill it up, without a word."""
    if len(value) != length:
        raise ValueError(f"{len(value)} bytes instead of {length}")
    return value
