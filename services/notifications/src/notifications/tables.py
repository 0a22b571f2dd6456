"""The tables of notifications: names, what is known of enrollments, messages, and how people are reached.

Guardians of a child and directors of a provider are the plumbing's `grants`. Contacts are encrypted; nothing
else here is personal.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from notifications.domain.kinds import Kind
from notifications.domain.reaching import CHANNELS
from shared.database import new_metadata
from shared.texts import LANGUAGES

metadata = new_metadata()


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


names = sa.Table(
    "names",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("names", JSONB, nullable=False),
)
"""Projection: the public names of groups, providers and funds."""

enrollments = sa.Table(
    "enrollments",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("group_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=True),
    _moment("as_of", nullable=True),
    sa.CheckConstraint(_one_of("kind", *Kind), name="kind_known"),
    sa.CheckConstraint("(kind IS NULL) = (as_of IS NULL)", name="told_at_some_time"),
)
"""Projection: the latest that guardians were told of an enrollment; older news are not told after it."""

months = sa.Table(
    "months",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    _moment("unfunded_at", nullable=True),
    sa.Column("missing_tiyn", sa.BigInteger, nullable=True),
    _moment("funded_at", nullable=True),
)
"""Projection: whether there is money for a month of an enrollment."""

bills = sa.Table(
    "bills",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("amount_tiyn", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("frozen", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("stop_told", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("claim_told", sa.Boolean, nullable=False, server_default=sa.false()),
)
"""Projection: what guardians were told of the charge of an enrollment's month."""

mailboxes = sa.Table(
    "mailboxes",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("last_number", sa.BigInteger, nullable=False),
)
"""Counts a person's messages. Its row is locked while one is added: numbers are given in the order of
commits, so that who has seen number n has missed nothing before it."""

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, sa.ForeignKey("mailboxes.person_id"), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=True),
    sa.Column("enrollment_id", sa.Uuid, nullable=True),
    sa.Column("provider_id", sa.Uuid, nullable=True),
    sa.Column("content", JSONB, nullable=False),
    _moment("created_at"),
    _moment("read_at", nullable=True),
    sa.UniqueConstraint("event_id", "person_id"),
    sa.UniqueConstraint("person_id", "number"),
    sa.CheckConstraint(_one_of("kind", *Kind), name="kind_known"),
    sa.CheckConstraint("child_id IS NOT NULL OR provider_id IS NOT NULL", name="about_somebody"),
    sa.Index("ix_messages_unread", "person_id", postgresql_where=sa.text("read_at IS NULL")),
)
"""What people were told: the kind and its values; the words are made when they are read. `provider_id` is set
if they were told as directors of that provider."""

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("message_id", sa.Uuid, sa.ForeignKey("messages.id"), nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _moment("not_before"),
    sa.Column(
        "next_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
    ),
    _moment("sent_at", nullable=True),
    sa.Column("trouble", sa.Text, nullable=True),
    sa.UniqueConstraint("message_id", "channel"),
    sa.CheckConstraint(_one_of("channel", *CHANNELS), name="channel_known"),
    sa.CheckConstraint(_one_of("state", "pending", "sent", "failed"), name="state_known"),
    sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_time"),
    sa.Index("ix_deliveries_due", "next_at", postgresql_where=sa.text("state = 'pending'")),
)
"""Copies of messages to the outside. `not_before` is business time (quiet hours are a person's), `next_at`
the real time of the next attempt: after a pause, or when the lease of who is sending it now is over."""

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.LargeBinary, nullable=True),
    sa.Column("phone", sa.LargeBinary, nullable=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)
"""Where a person is reached, set by the person. Encrypted, bound to the person and the column."""

preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("topics", JSONB, nullable=False),
    sa.Column("quiet_from", sa.Time, nullable=False),
    sa.Column("quiet_until", sa.Time, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.CheckConstraint(_one_of("language", *LANGUAGES), name="language_known"),
)
