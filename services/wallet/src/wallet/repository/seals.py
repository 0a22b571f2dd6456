"""What is sealed, as rows: what batches wrote, the log they stand in, and its heads as they were signed."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from shared.security import Principal
from wallet.domain.proof.leaves import SealedOperation, SealedPosting
from wallet.domain.proof.paths import Subtree
from wallet.repository.payers import Driver

OPERATIONS: Final = """
SELECT o.batch_id, o.id, uuid_send(o.identity) AS identity, int8send(o.digest) AS digest, o.child_id,
    CASE WHEN o.kind = 'hold' AND o.code IS NULL THEN coalesce(r.hold_id, o.id) END AS hold_id,
    o.amount_tiyn, o.kind, o.code, sha256(convert_to(c.digest, 'UTF8')) AS evidence,
    CASE WHEN a.operation_id IS NOT NULL THEN ARRAY[a.proposed_by, a.approved_by]
        WHEN y.operation_id IS NOT NULL THEN ARRAY[y.proposed_by, y.approved_by] ELSE '{}' END AS approvers
FROM operations o
    LEFT JOIN repeated_holds r ON r.operation_id = o.id
    LEFT JOIN charges c ON c.operation_id = o.id
    LEFT JOIN approved_operations a ON a.operation_id = o.id
    LEFT JOIN payout_approvers y ON y.operation_id = o.id
"""
"""The batch of each operation, and what is sealed of it: all of its row, and what it was decided by."""
POSTINGS: Final = """
SELECT p.operation_id, p.place, p.debit_account, p.credit_account, p.amount_tiyn FROM postings p
"""
# One transaction may hold it; who does not get it lets the other seal.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('log'), hashtext(current_schema()))"
_HEAD = "SELECT size, settled_up_to FROM checkpoints ORDER BY size DESC LIMIT 1"
_UNSEALED = """
SELECT b.id, b.posted_at, b.operations + b.postings AS leaves FROM batches b
WHERE b.id > $1 AND NOT EXISTS (SELECT FROM log_entries e WHERE e.batch_id = b.id)
ORDER BY b.id LIMIT $2
"""
# The ranges are what the summaries of both tables are asked by: ids come nearly in the order of the rows.
_OPERATIONS_OF = f"""{OPERATIONS}
WHERE o.batch_id BETWEEN $1 AND $2 AND o.batch_id = ANY($3::bigint[])
"""
_POSTINGS_OF = f"""{POSTINGS}
WHERE p.operation_id BETWEEN $1 AND $2 AND p.operation_id = ANY($3::uuid[])
"""
_HASHES = """
SELECT 0::smallint AS level, place, hash FROM log_entries WHERE place = ANY($1::bigint[])
UNION ALL
SELECT level, place, hash FROM log_nodes JOIN unnest($2::smallint[], $3::bigint[]) AS wanted(level, place)
    USING (level, place)
"""
_PLACE = """
SELECT e.place, o.batch_id, b.posted_at FROM operations o
    JOIN batches b ON b.id = o.batch_id LEFT JOIN log_entries e ON e.batch_id = o.batch_id
WHERE o.id = $1 AND (
    $2 OR o.child_id = ANY($3::uuid[])
    OR EXISTS (SELECT FROM charges c WHERE c.operation_id = o.id AND c.provider_id = ANY($4::uuid[]))
    OR EXISTS (
        SELECT FROM item_entries i JOIN payouts y ON y.id = i.payout_id
        WHERE y.provider_id = ANY($4::uuid[]) AND i.operation_id = o.id
    )
)
"""


class Head(NamedTuple):
    """The log as it was signed last."""

    size: int
    settled_up_to: int
    """No batch up to this id can appear any more, and all of them are in the log."""


class Unsealed(NamedTuple):
    """A batch that is in no log yet."""

    id: int
    posted_at: datetime
    leaves: int


class Content(NamedTuple):
    """What a batch wrote."""

    operations: list[SealedOperation]
    postings: list[SealedPosting]


class Place(NamedTuple):
    """Where an operation's batch stands in the log."""

    place: int | None
    """None: it is not sealed yet."""
    batch_id: int
    posted_at: datetime


async def lock_log(driver: Driver) -> bool:
    """Whether nobody else continues the log before our commit."""
    return bool(await driver.fetchval(_LOCK))


async def read_head(driver: Driver) -> Head:
    """How long the signed log is; nothing before it begins."""
    row = await driver.fetchrow(_HEAD)
    return Head(*row.values()) if row else Head(0, 0)


async def unsealed(driver: Driver, above: int, *, limit: int) -> list[Unsealed]:
    """The batches above this id that are in no log, as far as they are committed."""
    return [Unsealed(*row.values()) for row in await driver.fetch(_UNSEALED, above, limit)]


async def read_contents(driver: Driver, batch_ids: Sequence[int]) -> dict[int, Content]:
    """What these batches wrote, of which there is at least one."""
    contents = {batch_id: Content([], []) for batch_id in batch_ids}
    batch_of: dict[UUID, int] = {}
    wanted = list(batch_ids)
    for row in await driver.fetch(_OPERATIONS_OF, min(wanted), max(wanted), wanted):
        batch_id, operation = read_operation_row(list(row.values()))
        contents[batch_id].operations.append(operation)
        batch_of[operation.id] = batch_id
    if batch_of:
        ids = list(batch_of)
        for row in await driver.fetch(_POSTINGS_OF, min(ids), max(ids), ids):
            posting = SealedPosting(*row.values())
            contents[batch_of[posting.operation_id]].postings.append(posting)
    return contents


def read_operation_row(values: Sequence[Any]) -> tuple[int, SealedOperation]:
    """The values of a row of `OPERATIONS`: its batch, and what is sealed."""
    batch_id, *sealed, approvers = values
    return batch_id, SealedOperation._make([*sealed, tuple(approvers)])


async def read_hashes(driver: Driver, wanted: Iterable[Subtree]) -> dict[Subtree, bytes]:
    """Of complete subtrees of the log, as far as they are there."""
    known = set(wanted)
    leaves = [one.place for one in known if one.level == 0]
    nodes = [one for one in known if one.level > 0]
    rows = await driver.fetch(_HASHES, leaves, [one.level for one in nodes], [one.place for one in nodes])
    return {Subtree(row["level"], row["place"]): row["hash"] for row in rows}


async def append(
    driver: Driver, entries: Collection[tuple[int, int, bytes]], completed: Iterable[tuple[Subtree, bytes]]
) -> None:
    """Continue the log: place, batch and hash of each leaf, and the complete subtrees above leaves."""
    await driver.copy_records_to_table("log_entries", records=entries)
    nodes = [(*subtree, hash_) for subtree, hash_ in completed]
    await driver.copy_records_to_table("log_nodes", records=nodes)


async def add_checkpoint(driver: Driver, head: Head, note: str, signed_at: datetime) -> None:
    """The log's new head."""
    await driver.execute(
        "INSERT INTO checkpoints (size, note, settled_up_to, signed_at) VALUES ($1, $2, $3, $4)",
        *(head.size, note, head.settled_up_to, signed_at),
    )


async def notes_after(driver: Driver, size: int, *, limit: int) -> list[tuple[int, str]]:
    """The heads of a log that was longer than this, with their sizes, the shortest first."""
    rows = await driver.fetch(
        "SELECT size, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2", size, limit
    )
    return [(row["size"], row["note"]) for row in rows]


async def find_note(driver: Driver, size: int | None = None) -> str | None:
    """The head that was signed at this size; without one the last."""
    found: str | None = await driver.fetchval(
        "SELECT note FROM checkpoints WHERE size = coalesce($1, (SELECT max(size) FROM checkpoints))", size
    )
    return found


async def find_place(driver: Driver, principal: Principal, operation_id: UUID) -> Place | None:
    """Where the operation is sealed, if this person may see it: of its child, its provider, or all."""
    row = await driver.fetchrow(
        _PLACE,
        operation_id,
        principal.has("administrator", "auditor"),
        list(principal.scopes("guardian")),
        list(principal.scopes("director")),
    )
    return Place(*row.values()) if row else None
