"""What the wallet does about events: translates them for `usecases` and the projections, nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from shared.consumer import Dropped, EventRouter, NotYet
from shared.database import Transaction
from shared.events.attendance import AttendanceClosed, StatementSigned
from shared.events.clubs import GroupDescribed, GroupMonthPlanned, StaffDescribed
from shared.events.enrollment import (
    Canceled,
    ChildDescribed,
    Ended,
    EntitlementDescribed,
    FundingRequested,
    GrantDescribed,
    Rejected,
)
from shared.events.envelope import Envelope
from shared.security import Grant, describe_grant, describe_guardians, follow_grant
from wallet.repository import projections
from wallet.usecases import charging, enrollments, rules

router = EventRouter()


@router.on_batch(FundingRequested, Canceled, Rejected, Ended)
async def on_requests(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """All requests of a run as one batch of the ledger."""
    requests = [
        (tx.caused_by(envelope), cast("enrollments.Request", envelope.event)) for envelope in envelopes
    ]
    await enrollments.serve(requests)
    return [None] * len(envelopes)


@router.on_batch(AttendanceClosed)
async def on_attendance_closed(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """All sheets of a run as one batch of the ledger. A month nobody has asked money for yet must wait."""
    sheets = [(tx.caused_by(one), cast("AttendanceClosed", one.event)) for one in envelopes]
    return [NotYet(one.fact) if one else None for one in await charging.charge_months(sheets)]


@router.on_batch(StatementSigned)
async def on_statement_signed(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """Signatures may come before the charge: they wait for it here, nothing waits for them there."""
    await charging.sign_revisions(tx, [cast("StatementSigned", one.event) for one in envelopes])
    return [None] * len(envelopes)


@router.on_drop(FundingRequested)
async def refuse_funding(tx: Transaction, dropped: Dropped) -> None:
    """An operator gave up a request; enrollment must not wait for its answer for ever."""
    enrollment_id, month, attempt = dropped.subject.split("/")
    enrollments.refuse_unreadable(
        tx,
        child_id=UUID(dropped.key),
        enrollment_id=UUID(enrollment_id),
        month=month,
        attempt=int(attempt),
    )


@router.on(EntitlementDescribed)
async def on_entitlement_described(tx: Transaction, envelope: Envelope) -> None:
    """A program may pay for a child. The program itself may come later."""
    event = cast("EntitlementDescribed", envelope.event)
    await projections.apply_entitlement(
        tx,
        {
            "id": event.entitlement_id,
            "version": event.version,
            "child_id": event.child_id,
            "program_id": event.program_id,
            "starts_on": event.starts_on,
            "until": event.until,
            "coefficient_percent": event.coefficient_percent,
        },
    )


@router.on(ChildDescribed)
async def on_child_described(tx: Transaction, envelope: Envelope) -> None:
    """Who may see this child's wallet."""
    event = cast("ChildDescribed", envelope.event)
    await describe_guardians(tx, child_id=event.child_id, guardians=event.guardians, version=event.version)


@router.on(GrantDescribed)
async def on_grant_described(tx: Transaction, envelope: Envelope) -> None:
    """Who administers and who audits."""
    await follow_grant(tx, cast("GrantDescribed", envelope.event))


@router.on(StaffDescribed)
async def on_staff_described(tx: Transaction, envelope: Envelope) -> None:
    """Who directs a provider, and may see what it is paid."""
    event = cast("StaffDescribed", envelope.event)
    await describe_grant(
        tx,
        id_=event.grant_id,
        person_id=event.person_id,
        grant=Grant(event.role, "provider", event.provider_id),
        version=event.version,
        ended=event.ended,
    )


@router.on(GroupDescribed)
async def on_group_described(tx: Transaction, envelope: Envelope) -> None:
    """What a quote is asked for."""
    event = cast("GroupDescribed", envelope.event)
    await projections.apply_group(
        tx,
        {
            "id": event.group_id,
            "version": event.version,
            "provider_id": event.provider_id,
            "direction": event.direction,
            "price_tiyn": event.price_tiyn,
        },
    )


@router.on(GroupMonthPlanned)
async def on_group_month_planned(tx: Transaction, envelope: Envelope) -> None:
    """Which lessons the price is divided by."""
    event = cast("GroupMonthPlanned", envelope.event)
    await projections.apply_group_month(
        tx,
        {
            "group_id": event.group_id,
            "month": event.month,
            "version": event.version,
            "lessons": [{"lesson_id": str(one.lesson_id), "on": one.on.isoformat()} for one in event.lessons],
        },
    )


@router.on_deadline(rules.RULES_BEGIN)
async def on_rules_begin(tx: Transaction, program_id: UUID, due_at: datetime) -> None:
    """Another version of a program's rules is in force."""
    await rules.begin_rules(tx, program_id, due_at)
