"""Projections, messages with their copies to the outside, contacts and preferences."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None

KIND_KNOWN = (
    "kind IN ('link_verified', 'seat_queued', 'seat_next', 'seat_offered', 'rejected', 'rejected_short', "
    "'confirmed', 'canceled', 'ended', 'month_unfunded', 'month_funded')"
)


def upgrade() -> None:
    """Create the tables of notifications."""
    _create_projections()
    _create_messages()
    _create_deliveries()
    _create_settings_of_people()


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_projections() -> None:
    op.create_table(
        "groups",
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("names", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("group_id", name="pk_groups"),
    )
    op.create_table(
        "enrollments",
        sa.Column("enrollment_id", sa.Uuid, nullable=False),
        sa.Column("child_id", sa.Uuid, nullable=False),
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=True),
        _moment("as_of", nullable=True),
        sa.PrimaryKeyConstraint("enrollment_id", name="pk_enrollments"),
        sa.CheckConstraint(KIND_KNOWN, name="ck_enrollments_kind_known"),
        sa.CheckConstraint("(kind IS NULL) = (as_of IS NULL)", name="ck_enrollments_told_at_some_time"),
    )
    op.create_table(
        "months",
        sa.Column("enrollment_id", sa.Uuid, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        _moment("unfunded_at", nullable=True),
        sa.Column("missing_tiyn", sa.BigInteger, nullable=True),
        _moment("funded_at", nullable=True),
        sa.PrimaryKeyConstraint("enrollment_id", "month", name="pk_months"),
    )


def _create_messages() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("last_number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_mailboxes"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("child_id", sa.Uuid, nullable=False),
        sa.Column("enrollment_id", sa.Uuid, nullable=True),
        sa.Column("content", JSONB, nullable=False),
        _moment("created_at"),
        _moment("read_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(["person_id"], ["mailboxes.person_id"], name="fk_messages_person_id"),
        sa.UniqueConstraint("event_id", "person_id", name="uq_messages_event_id_person_id"),
        sa.UniqueConstraint("person_id", "number", name="uq_messages_person_id_number"),
        sa.CheckConstraint(KIND_KNOWN, name="ck_messages_kind_known"),
    )
    op.create_index(
        "ix_messages_unread", "messages", ["person_id"], postgresql_where=sa.text("read_at IS NULL")
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        _moment("not_before"),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        _moment("sent_at", nullable=True),
        sa.Column("trouble", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_deliveries_message_id"),
        sa.UniqueConstraint("message_id", "channel", name="uq_deliveries_message_id_channel"),
        sa.CheckConstraint("channel IN ('email', 'sms')", name="ck_deliveries_channel_known"),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed')", name="ck_deliveries_state_known"),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)", name="ck_deliveries_sent_has_its_time"
        ),
    )
    op.create_index(
        "ix_deliveries_due", "deliveries", ["next_at"], postgresql_where=sa.text("state = 'pending'")
    )


def _create_settings_of_people() -> None:
    op.create_table(
        "contacts",
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("email", sa.LargeBinary, nullable=True),
        sa.Column("phone", sa.LargeBinary, nullable=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_contacts"),
    )
    op.create_table(
        "preferences",
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("topics", JSONB, nullable=False),
        sa.Column("quiet_from", sa.Time, nullable=False),
        sa.Column("quiet_until", sa.Time, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_preferences"),
        sa.CheckConstraint("language IN ('kk', 'ru', 'en')", name="ck_preferences_language_known"),
    )
