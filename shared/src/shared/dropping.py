"""Giving up on a parked record: a request is answered as refused, and facts about money take two persons."""

from uuid import UUID

from pydantic import BaseModel

from shared import audit, parked
from shared.approvals import ApprovalKind, Proposal, propose
from shared.consumer import Dropped, EventRouter
from shared.database import Transaction
from shared.errors import NotFoundError
from shared.events.envelope import catalog
from shared.security import Principal, principal_of


class DropOfRecord(BaseModel):
    """Which record is to go, and why."""

    record_id: int
    reason: str


def drop_kind(router: EventRouter) -> ApprovalKind[DropOfRecord]:
    """The proposal to drop a record about money; decided by another administrator."""

    async def execute(tx: Transaction, proposal: Proposal, wanted: DropOfRecord) -> UUID | None:
        await _take(tx, router, wanted.record_id)
        return proposal.id

    return ApprovalKind("drop_parked_record", DropOfRecord, ("administrator",), execute)


async def drop(tx: Transaction, router: EventRouter, record_id: int, *, reason: str, by: UUID) -> str:
    """Drop a record at once, or propose it if it is about money; what was done, in a word."""
    person = await principal_of(tx, by)
    person.require("administrator")
    found = await parked.find(tx, record_id)
    if found is None:
        raise NotFoundError
    event = catalog.get(found.record.text_headers().get("ce_type", ""))
    if event is not None and event.about_money:
        await propose(tx, person, drop_kind(router), DropOfRecord(record_id=record_id, reason=reason))
        return "proposed"
    await _take(tx, router, record_id)
    await _note(tx, person, found.record.text_headers().get("ce_id", ""), reason)
    return "dropped"


async def _take(tx: Transaction, router: EventRouter, record_id: int) -> None:
    taken = await parked.take(tx, record_id)
    if taken is None:
        raise NotFoundError
    headers = taken.record.text_headers()
    dropped = Dropped(
        headers.get("ce_type", ""), headers.get("ce_subject", ""), taken.record.text_key() or ""
    )
    if answer := router.drops.get(dropped.type):
        await answer(tx, dropped)


async def _note(tx: Transaction, person: Principal, event_id: str, reason: str) -> None:
    try:
        object_id = UUID(event_id)
    except ValueError:
        object_id = tx.cause.correlation_id
    await audit.record(tx, person, "drop_parked_record", "event", object_id, reason=reason)
