"""Which events a service has taken in already: claimed in the transaction of their effects, once each."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction, plumbing
from shared.events.envelope import Envelope

KEPT = timedelta(days=45)
"""Longer than topics keep their records (30 days): what can still come again is still known."""

inbox = sa.Table(
    "inbox",
    plumbing,
    sa.Column("event_id", sa.Uuid, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column(
        "received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
    ),
    sa.Index("ix_inbox_received_at", "received_at", postgresql_using="brin"),
)

_CLAIM = """
INSERT INTO inbox (event_id, source)
SELECT event_id, source FROM unnest($1::uuid[], $2::text[]) AS row(event_id, source)
ORDER BY event_id
ON CONFLICT DO NOTHING RETURNING event_id, source
"""


async def claim(tx: Transaction, envelopes: Sequence[Envelope]) -> set[tuple[UUID, str]]:
    """The identities (id, source) of those seen for the first time; the others are to be skipped."""
    if not envelopes:
        return set()
    driver = await tx.driver()
    rows = await driver.fetch(_CLAIM, [one.id for one in envelopes], [one.source for one in envelopes])
    return {(UUID(bytes=row["event_id"].bytes), row["source"]) for row in rows}


async def prune(tx: Transaction, *, limit: int = 10_000) -> int:
    """Forget a bounded number of events older than any that can still come; how many it was."""
    old = (
        sa.select(inbox.c.event_id, inbox.c.source)
        .where(inbox.c.received_at < sa.func.clock_timestamp() - KEPT)
        .limit(limit)
    )
    found = sa.tuple_(inbox.c.event_id, inbox.c.source).in_(old)
    return (await tx.execute(sa.delete(inbox).where(found))).rowcount
