"""The Kafka edge: what other services tell, as news for people. Translates, decides nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from notifications.domain.bills import Charge, Item
from notifications.domain.kinds import Kind
from notifications.domain.news import News
from notifications.repository import heard
from notifications.usecases import billing, directing, telling
from shared.consumer import EventRouter, NotYet
from shared.database import Transaction
from shared.events.attendance import DisputeDecided, DisputeEvent, DisputeOpened
from shared.events.clubs import (
    GroupDescribed,
    ProviderDescribed,
    SeatOffered,
    SeatQueued,
    SeatRefused,
    StaffDescribed,
)
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
from shared.events.wallet import (
    ClaimOpened,
    FundDescribed,
    FundsHeld,
    ItemFrozen,
    MonthCharged,
    PayoutBounced,
    PayoutSent,
    PayoutSettled,
)
from shared.security import Grant, describe_grant, follow_grant

router = EventRouter()


@router.on_batch(SeatQueued, SeatOffered, SeatRefused, Confirmed, Rejected, Canceled, Ended)
async def on_news(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What became of a request for a seat, and of an enrollment."""
    return await telling.tell_guardians(tx, [_news(envelope) for envelope in envelopes])


@router.on_batch(MonthUnfunded, FundsHeld)
async def on_months(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """Whether there is money for a month."""
    return await telling.tell_about_months(tx, [_month_answer(envelope) for envelope in envelopes])


@router.on_batch(MonthCharged, ItemFrozen, ClaimOpened)
async def on_charges(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What a month cost, and whether a dispute stops its payment."""
    return await billing.tell_about_charges(tx, [_month_heard(envelope) for envelope in envelopes])


@router.on_batch(DisputeOpened, DisputeDecided)
async def on_disputes(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """A guardian says that it is not as it is claimed, and what became of that."""
    return await directing.tell_of_disputes(tx, [_dispute(envelope) for envelope in envelopes])


@router.on_batch(PayoutSent, PayoutSettled, PayoutBounced)
async def on_payouts(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
    """What becomes of a provider's money at the bank."""
    return await directing.tell_directors(tx, [_payout(envelope) for envelope in envelopes])


@router.on(ChildDescribed)
async def on_child_described(tx: Transaction, envelope: Envelope) -> None:
    """Guardians of a child, some of them new."""
    match envelope.event:
        case ChildDescribed() as event:
            news = News(envelope.id, Kind.LINK_VERIFIED, envelope.time, event.child_id)
            await telling.describe_child(tx, event.child_id, news, event.guardians, event.version)


@router.on(GroupDescribed, ProviderDescribed, FundDescribed)
async def on_name(tx: Transaction, envelope: Envelope) -> None:
    """The names by which people know a group, a provider, a fund."""
    match envelope.event:
        case (
            GroupDescribed(group_id=id_) | ProviderDescribed(provider_id=id_) | FundDescribed(fund_id=id_)
        ) as event:
            await heard.describe(tx, id_, event.version, event.name.model_dump())


@router.on(StaffDescribed)
async def on_staff_described(tx: Transaction, envelope: Envelope) -> None:
    """Who works for a provider: its directors are told of disputes and payouts."""
    event = cast("StaffDescribed", envelope.event)
    await describe_grant(
        tx,
        id_=event.grant_id,
        person_id=event.person_id,
        grant=Grant(event.role, "provider", event.provider_id),
        version=event.version,
        ended=event.ended,
    )


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
    about = (event.child_id, event.enrollment_id, event.group_id)
    return News(envelope.id, kind, envelope.time, *about, values=values)


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
                values=values,
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


def _month_heard(envelope: Envelope) -> billing.MonthHeard:
    event = cast("MonthCharged | ItemFrozen | ClaimOpened", envelope.event)
    heard_now: Charge | Item
    group_id, values = None, {"month": event.month}
    match event:
        case MonthCharged():
            heard_now, values = _charge(event)
            group_id = event.group_id
        case ItemFrozen():
            heard_now = Item.FROZEN
        case ClaimOpened():
            heard_now = Item.CLAIMED
    about = (event.child_id, event.enrollment_id, group_id)
    news = News(envelope.id, Kind.MONTH_CHARGED, envelope.time, *about, values=values)
    return billing.MonthHeard(news, (event.enrollment_id, event.month), heard_now)


def _charge(event: MonthCharged) -> tuple[Charge, dict[str, Any]]:
    counted = sum(lesson.verdict == "counts" for lesson in event.lessons)
    said = {
        "month": event.month,
        "amount_tiyn": event.amount_tiyn,
        "counted": counted,
        "planned": len(event.lessons),
        "disputed_tiyn": event.disputed_tiyn,
        "uncovered_tiyn": event.uncovered_tiyn,
        "charge_code": event.code,
    }
    values = {name: value for name, value in said.items() if value or name in {"counted", "planned"}}
    values["amount_tiyn"] = event.amount_tiyn
    return Charge(event.revision, event.amount_tiyn, counted, event.frozen, event.code), values


_OUTCOMES: dict[Literal["opened", "withdrawn", "count", "do_not_count"], tuple[Kind, Kind]] = {
    "opened": (Kind.DISPUTE_OPENED, Kind.CLUB_DISPUTE_OPENED),
    "withdrawn": (Kind.DISPUTE_WITHDRAWN, Kind.CLUB_DISPUTE_WITHDRAWN),
    "count": (Kind.DISPUTE_COUNTS, Kind.CLUB_DISPUTE_COUNTS),
    "do_not_count": (Kind.DISPUTE_DOES_NOT_COUNT, Kind.CLUB_DISPUTE_DOES_NOT_COUNT),
}


def _dispute(envelope: Envelope) -> directing.DisputeNews:
    event = cast("DisputeEvent", envelope.event)
    outcome = event.outcome if isinstance(event, DisputeDecided) else "opened"
    guardians, directors = _OUTCOMES[outcome]
    news = News(
        envelope.id,
        guardians,
        envelope.time,
        event.child_id,
        event.enrollment_id,
        event.group_id,
        values={"on": event.on.isoformat()},
    )
    return directing.DisputeNews(news, replace(news, kind=directors, provider_id=event.provider_id))


def _payout(envelope: Envelope) -> News:
    event = cast("PayoutSent | PayoutSettled | PayoutBounced", envelope.event)
    values: dict[str, Any] = {"amount_tiyn": event.amount_tiyn, "items": event.items}
    if event.months:
        values["months"] = list(event.months)
    kind = Kind.PAYOUT_SENT
    match event:
        case PayoutSettled():
            kind = Kind.PAYOUT_SETTLED
        case PayoutBounced(code=code):
            kind = Kind.PAYOUT_BOUNCED
            values["bank_code"] = code
    about = {"provider_id": event.provider_id, "fund_id": event.fund_id}
    return News(envelope.id, kind, envelope.time, **about, values=values)
