"""The Kafka edge: what other services tell, as news for guardians. Translates, decides nothing."""

from collections.abc import Sequence
from typing import Any, cast

from notifications.domain import Kind, News
from notifications.repository import heard
from notifications.usecases import telling
from shared.consumer import EventRouter, NotYet
from shared.database import Transaction
from shared.events.clubs import GroupDescribed, SeatOffered, SeatQueued, SeatRefused
from shared.events.enrollment import (
    Canceled,
    ChildDescribed,
    Confirmed,
    Ended,
    GrantDescribed,
    MonthUnfunded,
    Rejected,
)
from shared.events.envelope import Envelope
from shared.events.wallet import FundsHeld
from shared.security import follow_grant

router = EventRouter()


@router.on_batch(SeatQueued, SeatOffered, SeatRefused, Confirmed, Rejected, Canceled, Ended)
async def on_news(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What became of a request for a seat, and of an enrollment."""
    return await telling.tell_guardians(tx, [_news(envelope) for envelope in envelopes])


@router.on_batch(MonthUnfunded, FundsHeld)
async def on_months(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """Whether there is money for a month."""
    return await telling.tell_about_months(tx, [_month_answer(envelope) for envelope in envelopes])


@router.on(ChildDescribed)
async def on_child_described(tx: Transaction, envelope: Envelope) -> None:
    """Guardians of a child, some of them new."""
    match envelope.event:
        case ChildDescribed() as event:
            news = News(envelope.id, Kind.LINK_VERIFIED, envelope.time, event.child_id)
            await telling.describe_child(tx, news, event.guardians, event.version)


@router.on(GroupDescribed)
async def on_group_described(tx: Transaction, envelope: Envelope) -> None:
    """The names by which guardians know a group."""
    match envelope.event:
        case GroupDescribed() as event:
            await heard.describe_group(tx, event.group_id, event.version, event.name.model_dump())


@router.on(GrantDescribed)
async def on_grant_described(tx: Transaction, envelope: Envelope) -> None:
    """Administrators and auditors: the latter read audit entries here too."""
    await follow_grant(tx, cast("GrantDescribed", envelope.event))


def _news(envelope: Envelope) -> News:
    values: dict[str, Any] = {}
    match envelope.event:
        case SeatQueued(place=1) as event:
            kind = Kind.SEAT_NEXT
        case SeatQueued() as event:
            kind, values = Kind.SEAT_QUEUED, {"ahead": event.place - 1}
        case SeatOffered() as event:
            kind = Kind.SEAT_OFFERED
            values = {"starts_on": event.starts_on.isoformat(), "until": event.until.isoformat()}
        case SeatRefused() as event:
            kind, values = Kind.REJECTED, {"code": event.code}
        case Rejected() as event:
            kind, values = _rejection(event)
        case Confirmed() as event:
            kind = Kind.CONFIRMED
            values = {"starts_on": event.starts_on.isoformat(), "month": event.month}
        case Canceled() as event:
            kind = Kind.CANCELED
        case Ended() as event:
            kind, values = Kind.ENDED, {"on": event.on.isoformat(), "ended_code": event.code}
        case other:
            raise TypeError(f"{other.type} is no news of an enrollment")
    return News(envelope.id, kind, envelope.time, event.child_id, event.enrollment_id, event.group_id, values)


def _rejection(event: Rejected) -> tuple[Kind, dict[str, Any]]:
    if event.missing_tiyn:
        return Kind.REJECTED_SHORT, {"code": event.code, "missing_tiyn": event.missing_tiyn}
    return Kind.REJECTED, {"code": event.code}


def _month_answer(envelope: Envelope) -> telling.MonthAnswer:
    match envelope.event:
        case MonthUnfunded() as event:
            values = {
                "month": event.month,
                "missing_tiyn": event.missing_tiyn,
                "grace_ends_on": event.grace_ends_on.isoformat(),
            }
            news = News(
                envelope.id,
                Kind.MONTH_UNFUNDED,
                envelope.time,
                event.child_id,
                event.enrollment_id,
                event.group_id,
                values,
            )
            return telling.MonthAnswer(news, event.month, event.missing_tiyn)
        case FundsHeld() as event:
            news = News(
                envelope.id,
                Kind.MONTH_FUNDED,
                envelope.time,
                event.child_id,
                event.enrollment_id,
                values={"month": event.month},
            )
            return telling.MonthAnswer(news, event.month, None)
        case other:
            raise TypeError(f"{other.type} says nothing about the money of a month")
