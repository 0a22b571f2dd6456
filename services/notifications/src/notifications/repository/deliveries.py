"""Copies of messages on their way out: claimed under a lease, settled one by one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from notifications.domain.kinds import Kind
from notifications.domain.reaching import Channel
from notifications.tables import contacts, deliveries, messages, preferences
from shared.database import Transaction
from shared.texts import DEFAULT, LanguageCode


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to send one message through one channel. `address` is still encrypted."""

    id: UUID
    attempts: int
    """With this one: also what tells this attempt from one after the lease is over."""
    channel: Channel
    person_id: UUID
    address: bytes | None
    language: LanguageCode
    kind: Kind
    content: dict[str, Any]
    created_at: datetime


async def claim(tx: Transaction, *, limit: int, lease: timedelta) -> list[Delivery]:
    """Take what is due for the time of a lease. Others skip it; after the lease it is due again."""
    due = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.state == "pending",
            deliveries.c.next_at <= sa.func.clock_timestamp(),
            deliveries.c.not_before <= tx.now,
        )
        .order_by(deliveries.c.next_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = (
        sa.update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()))
        .values(attempts=deliveries.c.attempts + 1, next_at=sa.func.clock_timestamp() + lease)
        .returning(deliveries.c.id, deliveries.c.attempts, deliveries.c.channel, deliveries.c.message_id)
        .cte("claimed")
    )
    rows = await tx.execute(
        sa.select(
            claimed.c.id,
            claimed.c.attempts,
            claimed.c.channel,
            messages.c.person_id,
            sa.case((claimed.c.channel == "email", contacts.c.email), else_=contacts.c.phone).label(
                "address"
            ),
            sa.func.coalesce(preferences.c.language, DEFAULT).label("language"),
            messages.c.kind,
            messages.c.content,
            messages.c.created_at,
        )
        .select_from(claimed)
        .join(messages, messages.c.id == claimed.c.message_id)
        .outerjoin(contacts, contacts.c.person_id == messages.c.person_id)
        .outerjoin(preferences, preferences.c.person_id == messages.c.person_id)
    )
    return [Delivery(**{**row, "kind": Kind(row["kind"])}) for row in rows.mappings()]


async def settle_sent(tx: Transaction, delivery: Delivery) -> None:
    """It was taken over by the next server."""
    # Whoever sent it: a lease that was over meanwhile does not make it unsent.
    await tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.state != "sent")
        .values(state="sent", sent_at=sa.func.clock_timestamp(), trouble=None)
    )


async def settle_failed(tx: Transaction, delivery: Delivery, trouble: str, pause: timedelta | None) -> None:
    """This attempt failed: try again after a pause, or never."""
    values: dict[str, Any] = {"trouble": trouble}
    if pause is None:
        values["state"] = "failed"
    else:
        values["next_at"] = sa.func.clock_timestamp() + pause
    await tx.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.id == delivery.id,
            deliveries.c.state == "pending",
            deliveries.c.attempts == delivery.attempts,
        )
        .values(values)
    )
