"""People's inboxes: messages are added set-wise, numbered for each person, and read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from notifications.domain.kinds import Kind
from notifications.domain.reaching import Told
from notifications.tables import mailboxes, messages
from shared.database import Transaction, new_id
from shared.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Message:
    """One message in a person's inbox."""

    id: UUID
    number: int
    kind: Kind
    child_id: UUID | None
    enrollment_id: UUID | None
    provider_id: UUID | None
    content: dict[str, Any]
    created_at: datetime
    read_at: datetime | None


# One statement each, whatever the number of rows. The mailboxes' locks are taken in the order of people.
_KNOWN = """
SELECT event_id, person_id FROM messages
JOIN unnest($1::uuid[], $2::uuid[]) AS row(event_id, person_id) USING (event_id, person_id)
"""
_COUNT = """
INSERT INTO mailboxes (person_id, last_number)
SELECT person_id, added FROM unnest($1::uuid[], $2::bigint[]) AS row(person_id, added) ORDER BY person_id
ON CONFLICT (person_id) DO UPDATE SET last_number = mailboxes.last_number + excluded.last_number
RETURNING person_id, last_number
"""
_ADD = """
INSERT INTO messages
    (id, person_id, number, event_id, kind, child_id, enrollment_id, provider_id, content, created_at)
SELECT id, person_id, number, event_id, kind, child_id, enrollment_id, provider_id, content::jsonb, $10
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[],
    $9::text[]) AS row(id, person_id, number, event_id, kind, child_id, enrollment_id, provider_id, content)
ON CONFLICT (event_id, person_id) DO NOTHING RETURNING id
"""
_COPY = """
INSERT INTO deliveries (id, message_id, channel, not_before)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
"""


async def add(tx: Transaction, told: Sequence[Told]) -> None:
    """Put messages into the inboxes, and their copies among what is to be delivered. Twice is once."""
    told = await _without_known(tx, told) if told else []
    if not told:
        return
    driver = await tx.driver()
    added = Counter(one.person_id for one in told)
    counted = await driver.fetch(_COUNT, list(added), list(added.values()))
    last = {row["person_id"]: row["last_number"] for row in counted}
    rows = []
    for one in told:
        # The first of a person's three new messages is two before the last.
        added[one.person_id] -= 1
        rows.append((new_id(), one.person_id, last[one.person_id] - added[one.person_id], one))
    stored = await driver.fetch(_ADD, *_columns(rows), tx.now)
    fresh = {row["id"] for row in stored}
    copies = [
        (new_id(), id_, copy.channel, copy.not_before)
        for id_, _, _, one in rows
        if id_ in fresh
        for copy in one.copies
    ]
    if copies:
        await driver.execute(_COPY, *(list(column) for column in zip(*copies, strict=True)))
    for person_id in last:
        tx.touch(person_id)


async def _without_known(tx: Transaction, told: Sequence[Told]) -> list[Told]:
    """Those that are not in the inboxes yet: a message that is told again takes no number."""
    ids = [(one.news.event_id, one.person_id) for one in told]
    driver = await tx.driver()
    known = await driver.fetch(_KNOWN, [event_id for event_id, _ in ids], [person for _, person in ids])
    there = {(row["event_id"], row["person_id"]) for row in known}
    return [one for one, id_ in zip(told, ids, strict=True) if id_ not in there]


def _columns(rows: Sequence[tuple[UUID, UUID, int, Told]]) -> list[list[Any]]:
    table = [
        (
            id_,
            person_id,
            number,
            one.news.event_id,
            one.news.kind.value,
            one.news.child_id,
            one.news.enrollment_id,
            one.news.provider_id,
            orjson.dumps(dict(one.news.values)).decode(),
        )
        for id_, person_id, number, one in rows
    ]
    return [list(column) for column in zip(*table, strict=True)]


_SHOWN = (
    messages.c.id,
    messages.c.number,
    messages.c.kind,
    messages.c.child_id,
    messages.c.enrollment_id,
    messages.c.provider_id,
    messages.c.content,
    messages.c.created_at,
    messages.c.read_at,
)


def _message(row: sa.RowMapping) -> Message:
    return Message(**{**row, "kind": Kind(row["kind"])})


async def latest(tx: Transaction, person_id: UUID, *, before: int | None, limit: int) -> list[Message]:
    """A person's messages, the newest first, older than number `before`."""
    statement = sa.select(*_SHOWN).where(messages.c.person_id == person_id)
    if before is not None:
        statement = statement.where(messages.c.number < before)
    rows = await tx.execute(statement.order_by(messages.c.number.desc()).limit(limit))
    return [_message(row) for row in rows.mappings()]


async def since(tx: Transaction, person_id: UUID, *, number: int, limit: int) -> list[Message]:
    """A person's messages after this number, in their order."""
    rows = await tx.execute(
        sa.select(*_SHOWN)
        .where(messages.c.person_id == person_id, messages.c.number > number)
        .order_by(messages.c.number)
        .limit(limit)
    )
    return [_message(row) for row in rows.mappings()]


async def last_number(tx: Transaction, person_id: UUID) -> int:
    """The number of a person's newest message; 0 if there is none."""
    rows = await tx.execute(sa.select(mailboxes.c.last_number).where(mailboxes.c.person_id == person_id))
    return rows.scalar() or 0


async def count_unread(tx: Transaction, person_id: UUID) -> int:
    """How many messages a person has not read."""
    rows = await tx.execute(
        sa.select(sa.func.count()).where(messages.c.person_id == person_id, messages.c.read_at.is_(None))
    )
    count: int = rows.scalar_one()
    return count


async def mark_read(tx: Transaction, person_id: UUID, message_id: UUID) -> Message:
    """A person has read one of their messages; the first time counts."""
    rows = await tx.execute(
        sa.update(messages)
        .where(messages.c.id == message_id, messages.c.person_id == person_id)
        .values(read_at=sa.func.coalesce(messages.c.read_at, tx.now))
        .returning(*_SHOWN)
    )
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFoundError
    tx.touch(person_id)
    return _message(row)
