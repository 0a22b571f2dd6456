"""What clubs does about events and deadlines: translates them for `usecases`, nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from clubs.usecases import groups, seats, sheets
from shared.consumer import Dropped, EventRouter, NotYet
from shared.database import Transaction
from shared.events.enrollment import (
    Canceled,
    ChildDescribed,
    Ended,
    GrantDescribed,
    Rejected,
    SeatRequested,
)
from shared.events.envelope import Envelope
from shared.security import describe_guardians, follow_grant

router = EventRouter()


@router.on_batch(SeatRequested, Canceled, Rejected, Ended)
async def on_arrivals(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """All requests of a run at once: their groups are locked together, in one order."""
    await seats.serve(
        tx, [(tx.caused_by(envelope), cast("seats.Arrival", envelope.event)) for envelope in envelopes]
    )
    return [None] * len(envelopes)


@router.on_drop(SeatRequested)
async def refuse_seat(tx: Transaction, dropped: Dropped) -> None:
    """An operator gave up a request; enrollment must not wait for its answer for ever."""
    enrollment_id, group_id, attempt = dropped.subject.split("/")
    seats.refuse_unreadable(
        tx,
        child_id=UUID(dropped.key),
        enrollment_id=UUID(enrollment_id),
        group_id=UUID(group_id),
        attempt=int(attempt),
    )


@router.on(ChildDescribed)
async def on_child_described(tx: Transaction, envelope: Envelope) -> None:
    """Who may answer offers for this child."""
    event = cast("ChildDescribed", envelope.event)
    await describe_guardians(tx, child_id=event.child_id, guardians=event.guardians, version=event.version)


@router.on(GrantDescribed)
async def on_grant_described(tx: Transaction, envelope: Envelope) -> None:
    """Who administers and who audits."""
    await follow_grant(tx, cast("GrantDescribed", envelope.event))


@router.on_deadline(seats.OFFER_LAPSES)
async def on_offer_lapses(tx: Transaction, offer_id: UUID, _: datetime) -> None:
    """Two days are over."""
    await seats.let_offer_lapse(tx, offer_id)


@router.on_deadline(groups.PLANNING_DUE)
async def on_planning_due(tx: Transaction, group_id: UUID, _: datetime) -> None:
    """A new month has begun."""
    await groups.plan_months(tx, group_id)


@router.on_deadline(groups.GROUP_OVER)
async def on_group_over(tx: Transaction, group_id: UUID, _: datetime) -> None:
    """The group had its last day."""
    await groups.finish_group(tx, group_id)


@router.on_deadline(sheets.MONTH_CLOSES)
async def on_month_closes(tx: Transaction, group_id: UUID, _: datetime) -> None:
    """The windows of a group's month are over."""
    await sheets.close_months(tx, group_id)


@router.on_deadline(sheets.SEAT_CLOSES)
async def on_seat_closes(tx: Transaction, enrollment_id: UUID, _: datetime) -> None:
    """The windows of a seat that ended are over; or it came, or changed, when they were."""
    await sheets.settle_seat(tx, enrollment_id)
