"""What guardians were told of charged months; directors are told too; the kinds of messages there are now."""

from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"
branch_labels = None
depends_on = None

KIND_KNOWN = (
    "kind IN ('link_verified', 'seat_queued', 'seat_next', 'seat_offered', 'rejected', 'rejected_short', "
    "'confirmed', 'canceled', 'ended', 'month_unfunded', 'month_funded', 'month_charged', 'month_free', "
    "'month_unpaid', 'month_recharged', 'payment_stopped', 'payment_resumed', 'claim_opened', "
    "'dispute_opened', 'dispute_withdrawn', 'dispute_counts', 'dispute_does_not_count', "
    "'club_dispute_opened', 'club_dispute_withdrawn', 'club_dispute_counts', 'club_dispute_does_not_count', "
    "'payout_sent', 'payout_settled', 'payout_bounced')"
)

BILLS = """
CREATE TABLE bills (
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    revision BIGINT DEFAULT '0' NOT NULL,
    amount_tiyn BIGINT DEFAULT '0' NOT NULL,
    frozen BOOLEAN DEFAULT false NOT NULL,
    stop_told BOOLEAN DEFAULT false NOT NULL,
    claim_told BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_bills PRIMARY KEY (enrollment_id, month)
)
"""


def upgrade() -> None:
    """Add the projection, messages without a child, and the new kinds."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(BILLS)
    op.execute("ALTER TABLE messages ALTER COLUMN child_id DROP NOT NULL, ADD COLUMN provider_id UUID")
    op.execute(
        "ALTER TABLE messages ADD CONSTRAINT ck_messages_about_somebody"
        " CHECK (child_id IS NOT NULL OR provider_id IS NOT NULL)"
    )
    for table in ("messages", "enrollments"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind_known")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind_known CHECK ({KIND_KNOWN})")
