"""Events leave in the same commit as the rows they tell of: `publish`, and the table the relay reads.

The relay that carries rows to Kafka is `shared.relay`.
"""

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import Outgoing, Transaction, new_id, plumbing
from shared.events.envelope import Event, to_headers

VALUE_BYTES_MAX = 256 * 1024
"""A row that the broker would refuse is refused here, where somebody still gets an answer."""

outbox = sa.Table(
    "outbox",
    plumbing,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True, cache=1), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column(
        "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
    ),
    sa.CheckConstraint(f"octet_length(value) <= {VALUE_BYTES_MAX}", name="value_fits_a_record"),
)

# One statement for all: the ordinality keeps the ids in the order in which things were published.
_INSERT = """
INSERT INTO outbox (topic, key, headers, value)
SELECT topic, key, headers, value
FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::bytea[]) WITH ORDINALITY
    AS row(topic, key, headers, value, place)
ORDER BY place
"""


def publish(tx: Transaction, event: Event, *, time: datetime | None = None) -> None:
    """Tell the other services, if and only if this transaction commits. In the order of the calls."""
    tx.outgoing.append(Outgoing(event, tx.cause, time or tx.now))


async def flush(tx: Transaction) -> None:
    """Write what was published. Called once, by the edge, as the last statement before the commit."""
    if not tx.outgoing:
        return
    rows = [_row(outgoing) for outgoing in tx.outgoing]
    driver = await tx.driver()
    await driver.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))


def _row(outgoing: Outgoing) -> tuple[str, str, str, bytes]:
    event, cause = outgoing.event, outgoing.cause
    headers: dict[str, Any] = to_headers(
        event,
        id_=new_id(),
        time=outgoing.time,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        traceparent=cause.traceparent,
    )
    return event.topic, event.key, orjson.dumps(headers).decode(), event.model_dump_json().encode()
