"""Keys that cannot go on now: their records wait in Postgres, in order, while all others are served.

A key parks because a fact it needs has not arrived (`not_yet`), or because its record fails or cannot be read
(`failed`, `unreadable`); then later records of the key wait behind it. The consumer and the replay lock the
key's row, so that neither overtakes the other. A record that has no key or no type is set aside alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction, plumbing
from shared.kafka import Record

Reason = Literal["not_yet", "failed", "unreadable"]
Key = tuple[str, str]
"""Topic and key."""

keys = sa.Table(
    "parked_keys",
    plumbing,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column(
        "parked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
    ),
    sa.CheckConstraint("reason IN ('not_yet', 'failed', 'unreadable')", name="reason_is_known"),
)

records = sa.Table(
    "parked_records",
    plumbing,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=True),
    sa.Column("headers", sa.LargeBinary, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("topic", "partition", "offset"),
    sa.Index("ix_parked_records_topic_key_id", "topic", "key", "id"),
)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a key is parked. `detail` names a fact or a class of error, never content."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked record."""

    id: int
    record: Record


# A missing fact mostly comes within a second; a failure mostly needs a person. The dice see to it that of two
# workers that look equally often, one that cannot handle the key does not always come first.
_PAUSE = sa.text(
    "(1 - random() / 2) * CASE reason"
    " WHEN 'not_yet' THEN least(interval '2 seconds', interval '250 ms' * power(2, least(attempts, 10)))"
    " ELSE least(interval '5 minutes', interval '1 second' * power(2, least(attempts, 10))) END"
)


async def lock(tx: Transaction, wanted: Collection[Key]) -> set[Key]:
    """Which of these keys are parked. Their rows stay locked, in order, until the transaction ends."""
    if not wanted:
        return set()
    driver = await tx.driver()
    topics, names = zip(*sorted(wanted), strict=True)
    rows = await driver.fetch(
        "SELECT p.topic, p.key FROM parked_keys p JOIN unnest($1::text[], $2::text[]) AS wanted(topic, key)"
        " ON p.topic = wanted.topic AND p.key = wanted.key ORDER BY p.topic, p.key FOR UPDATE OF p",
        list(topics),
        list(names),
    )
    return {(row["topic"], row["key"]) for row in rows}


async def park(
    tx: Transaction, why: Mapping[Key, Why], to_store: Sequence[tuple[Record, Key | None]]
) -> None:
    """Park these keys, and store the records that wait, in order; without a key, one is set aside alone."""
    if why:
        await tx.execute(
            insert(keys)
            .values(
                [
                    {
                        "topic": topic,
                        "key": key,
                        "reason": one.reason,
                        "detail": one.detail,
                        "next_attempt_at": sa.text("clock_timestamp() + interval '0.25 seconds'"),
                    }
                    for (topic, key), one in sorted(why.items())
                ]
            )
            .on_conflict_do_nothing()
        )
    if to_store:
        rows = [_row(record, key) for record, key in to_store]
        await tx.execute(insert(records).on_conflict_do_nothing(), rows)


async def due(tx: Transaction, *, limit: int) -> list[Key]:
    """Keys to try again now, locked; what another process tries is passed over."""
    rows = await tx.execute(
        sa.select(keys.c.topic, keys.c.key)
        .where(keys.c.next_attempt_at <= sa.func.clock_timestamp())
        .order_by(keys.c.next_attempt_at, keys.c.topic, keys.c.key)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.topic, row.key) for row in rows]


async def waiting(tx: Transaction, of: Collection[Key], *, limit: int) -> list[Parked]:
    """The records of these keys in the order in which they came."""
    rows = await tx.execute(
        sa.select(records)
        .where(sa.tuple_(records.c.topic, records.c.key).in_(list(of)))
        .order_by(records.c.id)
        .limit(limit)
    )
    return [Parked(row.id, _record(row)) for row in rows]


async def unpark(tx: Transaction, done: Iterable[int], of: Collection[Key]) -> None:
    """Remove records that were served, and keys for which none is left; the others are due at once."""
    if not of:
        return
    await tx.execute(sa.delete(records).where(records.c.id.in_(list(done))))
    mine = sa.tuple_(keys.c.topic, keys.c.key).in_(list(of))
    left = sa.exists().where(records.c.topic == keys.c.topic, records.c.key == keys.c.key)
    await tx.execute(sa.delete(keys).where(mine, ~left))
    await tx.execute(
        sa.update(keys).where(mine).values(attempts=0, next_attempt_at=sa.func.clock_timestamp())
    )


async def postpone(tx: Transaction, failed: dict[Key, Why]) -> None:
    """Note the failed attempt and pause, longer each time."""
    for (topic, key), why in failed.items():
        await tx.execute(
            sa.update(keys)
            .where(keys.c.topic == topic, keys.c.key == key)
            .values(
                reason=why.reason,
                detail=why.detail,
                attempts=keys.c.attempts + 1,
                next_attempt_at=sa.func.clock_timestamp() + _PAUSE,
            )
        )


async def retry_now(tx: Transaction, key: str) -> int:
    """Make a parked key due; how many there were of this name."""
    return (
        await tx.execute(
            sa.update(keys).where(keys.c.key == key).values(next_attempt_at=sa.func.clock_timestamp())
        )
    ).rowcount


class Summary(NamedTuple):
    """What `parked list` shows of a key, or of a record set aside alone (then key and reason are None)."""

    topic: str
    key: str | None
    reason: str | None
    detail: str | None
    attempts: int | None
    parked_at: datetime | None
    first_record: int
    records: int


async def summaries(tx: Transaction) -> list[Summary]:
    """All that is parked, oldest first."""
    of_key = [keys.c[name] for name in ("reason", "detail", "attempts", "parked_at")]
    first_record = sa.func.min(records.c.id)
    same_key = sa.and_(keys.c.topic == records.c.topic, keys.c.key == records.c.key)
    rows = await tx.execute(
        sa.select(records.c.topic, records.c.key, *of_key, first_record, sa.func.count())
        .select_from(records.outerjoin(keys, same_key))
        .group_by(records.c.topic, records.c.key, *of_key)
        .order_by(first_record)
    )
    return [Summary._make(row) for row in rows]


async def find(tx: Transaction, record_id: int) -> Parked | None:
    """One parked record."""
    row = (await tx.execute(sa.select(records).where(records.c.id == record_id))).one_or_none()
    return None if row is None else Parked(row.id, _record(row))


async def take(tx: Transaction, record_id: int) -> Parked | None:
    """Take one record out for good, under its key's lock; its key goes on with what is left."""
    found = await find(tx, record_id)
    if found is None:
        return None
    key = key_of(found.record)
    if key:
        await lock(tx, [key])
    gone = await tx.execute(sa.delete(records).where(records.c.id == record_id))
    if gone.rowcount == 0:
        return None
    if key:
        await unpark(tx, [], [key])
    return found


def key_of(record: Record) -> Key | None:
    """What a record parks and waits behind; None if it has no usable key, or no type, and stands alone."""
    key = record.text_key()
    return None if key is None or "ce_type" not in record.text_headers() else (record.topic, key)


def _row(record: Record, key: Key | None) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": key and key[1],
        # Bytes of any kind survive as Latin-1 inside JSON.
        "headers": orjson.dumps([(name, value.decode("latin-1")) for name, value in record.headers]),
        "value": record.value,
    }


def _record(row: Any) -> Record:  # noqa: ANN401 - a row of `records`
    headers = tuple((name, value.encode("latin-1")) for name, value in orjson.loads(row.headers))
    key = None if row.key is None else row.key.encode()
    return Record(row.topic, row.partition, row.offset, key, headers, row.value)
