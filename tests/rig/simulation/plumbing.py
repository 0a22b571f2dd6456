"""Storage of the plumbing: inbox, offsets, parked keys, deadlines, approvals. The rest is `shared`'s own."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel

from rig.simulation.replacing import instead_of
from rig.simulation.store import store_of
from shared import approvals, audit, deadlines, inbox, offsets, parked, retrying
from shared.approvals import ApprovalKind, Proposal
from shared.database import Transaction, new_id
from shared.deadlines import Deadline
from shared.events.envelope import Envelope
from shared.kafka import Record
from shared.offsets import Chunk, MovedError
from shared.parked import Key, Parked, Why
from shared.security import Principal

Payload = TypeVar("Payload", bound=BaseModel)


async def at_once(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:  # noqa: ANN401 - any work
    """In the place of `until_it_passes`: nothing here passes by itself."""
    return await work(*arguments)


instead_of(cast("Any", retrying.until_it_passes))(at_once)


@instead_of(inbox.claim)
async def claim(tx: Transaction, envelopes: Sequence[Envelope]) -> set[tuple[UUID, str]]:
    store = store_of(tx)
    known = store.rows("inbox")
    fresh = {identity for one in envelopes if (identity := (one.id, one.source)) not in known}
    for identity in fresh:
        store.put("inbox", identity, tx.now)
    return fresh


@instead_of(offsets.claim)
async def claim_offsets(tx: Transaction, chunk: Chunk) -> None:
    store = store_of(tx)
    known = store.rows("offsets")
    moved = {one for one, start in chunk.starts.items() if known.get(one, 0) != start}
    if moved:
        raise MovedError(moved)
    for partition, end in chunk.ends.items():
        store.put("offsets", partition, end)


class _Waiting(NamedTuple):
    key: Key | None
    record: Record


@instead_of(parked.lock)
async def lock(tx: Transaction, wanted: Collection[Key]) -> set[Key]:
    return set(wanted) & store_of(tx).rows("parked_keys").keys()


@instead_of(parked.park)
async def park(
    tx: Transaction, why: Mapping[Key, Why], to_store: Sequence[tuple[Record, Key | None]]
) -> None:
    store = store_of(tx)
    for key, reason in why.items():
        store.put("parked_keys", key, store.rows("parked_keys").get(key, reason))
    known = {one.record.place for one in store.rows("parked_records").values()} if to_store else set()
    for record, of_key in to_store:
        if record.place not in known:
            store.put("parked_records", store.number(), _Waiting(of_key, record))


@instead_of(parked.due)
async def due(tx: Transaction, *, limit: int) -> list[Key]:
    return sorted(store_of(tx).rows("parked_keys"))[:limit]


@instead_of(parked.waiting)
async def waiting(tx: Transaction, of: Collection[Key], *, limit: int) -> list[Parked]:
    rows = store_of(tx).rows("parked_records")
    return [Parked(id_, rows[id_].record) for id_ in sorted(rows) if rows[id_].key in of][:limit]


@instead_of(parked.unpark)
async def unpark(tx: Transaction, done: Iterable[int], of: Collection[Key]) -> None:
    store = store_of(tx)
    if not of:
        return
    for id_ in done:
        store.drop("parked_records", id_)
    left = {one.key for one in store.rows("parked_records").values()}
    for key in set(of) - left:
        store.drop("parked_keys", key)


@instead_of(parked.postpone)
async def postpone(tx: Transaction, failed: dict[Key, Why]) -> None:
    for key, why in failed.items():
        store_of(tx).put("parked_keys", key, why)


@instead_of(deadlines.set_all)
async def set_all(tx: Transaction, wanted: Sequence[Deadline]) -> None:
    for one in wanted:
        store_of(tx).put("deadlines", (one.kind, one.subject_id), one.due_at)


@instead_of(deadlines.clear)
async def clear(tx: Transaction, *, kind: str, subject_id: UUID) -> None:
    store_of(tx).drop("deadlines", (kind, subject_id))


@instead_of(deadlines.due)
async def deadlines_due(tx: Transaction, kinds: Sequence[str], *, limit: int) -> Sequence[Deadline]:
    rows = store_of(tx).rows("deadlines")
    found = [Deadline(key[0], key[1], at) for key, at in rows.items() if at <= tx.now and key[0] in kinds]
    return sorted(found, key=lambda one: (one.due_at, one.subject_id))[:limit]


@instead_of(deadlines.settle)
async def settle(tx: Transaction, acted_on: Sequence[Deadline]) -> None:
    rows = store_of(tx).rows("deadlines")
    for one in acted_on:
        if rows.get((one.kind, one.subject_id)) == one.due_at:
            store_of(tx).drop("deadlines", (one.kind, one.subject_id))


@instead_of(audit.record)
async def record(
    tx: Transaction,
    principal: Principal | None,
    action: str,
    object_kind: str,
    object_id: UUID,
    *,
    reason: str | None = None,
    **details: str | int | None,
) -> None:
    """Not looked at here."""


@instead_of(approvals.propose)
async def propose(
    tx: Transaction,
    principal: Principal,
    kind: ApprovalKind[Payload],
    payload: Payload,
    *,
    scope_id: UUID | None = None,
) -> Proposal:
    proposal = Proposal(
        id=new_id(),
        kind=kind.name,
        scope_id=scope_id,
        payload=payload.model_dump(mode="json"),
        state="open",
        version=1,
        proposed_by=principal.person_id,
        proposed_at=tx.now,
        expires_at=tx.now + timedelta(days=7),
        decided_by=None,
        decided_at=None,
        reason=None,
        made_id=None,
    )
    store_of(tx).put("proposals", proposal.id, proposal)
    return proposal


async def approve(tx: Transaction, kind: ApprovalKind[Any], proposal: Proposal, person_id: UUID) -> None:
    """What `shared.approvals.Approvals` does for a second person."""
    decided = replace(proposal, state="executed", decided_by=person_id, decided_at=tx.now)
    store_of(tx).put("proposals", proposal.id, decided)
    await kind.execute(tx, decided, kind.payload.model_validate(proposal.payload))
