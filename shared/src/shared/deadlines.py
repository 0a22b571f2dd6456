"""Dates by which something happens by itself: an offer lapses, a month is due. In business time, for people.

A row is deleted in the transaction of what it causes, so each deadline is acted on once. Handlers look at the
state and tolerate being obsolete; whoever settles a thing earlier need not find its deadline.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction, plumbing

deadlines = sa.Table(
    "deadlines",
    plumbing,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("subject_id", sa.Uuid, primary_key=True),
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
)


_ALONE = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('deadlines'), hashtext(current_schema()))")


class Deadline(NamedTuple):
    """One of a kind per subject."""

    kind: str
    subject_id: UUID
    due_at: datetime


DeadlineHandler = Callable[[Transaction, UUID, datetime], Awaitable[None]]


async def set(tx: Transaction, *, kind: str, subject_id: UUID, due_at: datetime) -> None:  # noqa: A001 - deadlines.set
    """Set, or move, the deadline of this kind for this subject."""
    await set_all(tx, [Deadline(kind, subject_id, due_at)])


async def set_all(tx: Transaction, wanted: Sequence[Deadline]) -> None:
    """Set, or move, many at once."""
    if not wanted:
        return
    row = insert(deadlines).values(
        [
            {"kind": one.kind, "subject_id": one.subject_id, "due_at": one.due_at}
            for one in sorted(wanted, key=lambda one: (one.kind, one.subject_id))
        ]
    )
    await tx.execute(
        row.on_conflict_do_update(
            index_elements=["kind", "subject_id"],
            set_={"due_at": row.excluded.due_at, "attempts": 0, "retry_at": None},
        )
    )


async def clear(tx: Transaction, *, kind: str, subject_id: UUID) -> None:
    """Forget a deadline that is settled; nothing if there is none."""
    await tx.execute(
        sa.delete(deadlines).where(deadlines.c.kind == kind, deadlines.c.subject_id == subject_id)
    )


async def due(tx: Transaction, kinds: Sequence[str], *, limit: int) -> Sequence[Deadline]:
    """What is due, earliest first; nothing if another process of the service is acting on deadlines now.

    Rows are not locked here: a handler locks its aggregate first and the row goes last, in the order of a
    request that moves a deadline, so the two never wait for each other. A failed row is left out until its
    `retry_at`, by the real clock: a pause after a failure does not depend on business time.
    """
    if not (await tx.execute(_ALONE)).scalar_one():
        return []
    rows = await tx.execute(
        sa.select(deadlines.c.kind, deadlines.c.subject_id, deadlines.c.due_at)
        .where(
            deadlines.c.kind.in_(kinds),
            deadlines.c.due_at <= tx.now,
            sa.or_(deadlines.c.retry_at.is_(None), deadlines.c.retry_at <= sa.func.clock_timestamp()),
        )
        .order_by(deadlines.c.due_at, deadlines.c.subject_id)
        .limit(limit)
    )
    return [Deadline._make(row) for row in rows]


async def settle(tx: Transaction, acted_on: Sequence[Deadline]) -> None:
    """Remove what was acted on, unless its handler has set it anew for another time."""
    identities = [(one.kind, one.subject_id, one.due_at) for one in acted_on]
    columns = sa.tuple_(deadlines.c.kind, deadlines.c.subject_id, deadlines.c.due_at)
    await tx.execute(sa.delete(deadlines).where(columns.in_(identities)))


async def postpone(tx: Transaction, failed: Deadline) -> None:
    """Try a failed deadline again after a pause that doubles, up to five minutes."""
    pause = sa.text("least(interval '5 minutes', interval '1 second' * power(2, least(attempts, 10)))")
    await tx.execute(
        sa.update(deadlines)
        .where(deadlines.c.kind == failed.kind, deadlines.c.subject_id == failed.subject_id)
        .values(attempts=deadlines.c.attempts + 1, retry_at=sa.func.clock_timestamp() + pause)
    )
