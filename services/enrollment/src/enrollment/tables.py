"""Enrollment's tables. Whoever reads or writes them does so in `repository`.

Projections of other services' facts (groups, group_months, programs) have no foreign keys: facts of two keys
may come in any order.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata

metadata = new_metadata()

LIVE = "state IN ('requested', 'queued', 'offered', 'funding', 'payment_required', 'confirmed')"

children = sa.Table(
    "children",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("iin_encrypted", sa.LargeBinary, nullable=False),
    sa.Column("iin_index", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("birth_date", sa.Date, nullable=False),
    sa.Column("given_name", sa.Text, nullable=False),
    sa.Column("family_name", sa.Text, nullable=False),
    sa.Column("patronymic", sa.Text),
    sa.Column("school_name", sa.Text),
    sa.Column("school_rural", sa.Boolean),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.CheckConstraint("priority >= 0", name="priority_counts_up"),
)

guardian_links = sa.Table(
    "guardian_links",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, nullable=False),
    sa.Column("iin_encrypted", sa.LargeBinary),  # forgotten when the claim is refused
    sa.Column("iin_index", sa.LargeBinary, nullable=False),
    sa.Column("birth_date", sa.Date, nullable=False),
    sa.Column("child_id", sa.Uuid, sa.ForeignKey("children.id")),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("asks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_ask_at", sa.DateTime(timezone=True)),  # the real clock's: when the register is asked next
    sa.CheckConstraint("state IN ('claimed', 'refused', 'verified', 'ended')", name="state_is_known"),
    sa.CheckConstraint(
        "(state IN ('verified', 'ended')) = (child_id IS NOT NULL)", name="child_is_known_once_verified"
    ),
    sa.CheckConstraint("(state = 'claimed') = (next_ask_at IS NOT NULL)", name="only_claims_are_asked_about"),
    sa.Index(
        "uq_guardian_links_live",
        "person_id",
        "iin_index",
        unique=True,
        postgresql_where=sa.text("state IN ('claimed', 'verified')"),
    ),
    sa.Index("ix_guardian_links_person_id_claimed_at", "person_id", "claimed_at"),
    sa.Index("ix_guardian_links_child_id", "child_id"),
    sa.Index("ix_guardian_links_to_ask", "next_ask_at", postgresql_where=sa.text("state = 'claimed'")),
)

entitlements = sa.Table(
    "entitlements",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, sa.ForeignKey("children.id"), nullable=False),
    sa.Column("program_id", sa.Uuid, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("until", sa.Date, nullable=False),
    sa.Column("coefficient_percent", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("child_id", "program_id"),
    sa.CheckConstraint("until >= starts_on", name="ends_after_start"),
    sa.CheckConstraint("coefficient_percent BETWEEN 1 AND 1000", name="coefficient_in_range"),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("price_tiyn", sa.BigInteger, nullable=False),
    sa.Column("age_from", sa.Integer, nullable=False),
    sa.Column("age_to", sa.Integer, nullable=False),
    sa.Column("schedule", JSONB, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date, nullable=False),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Index("ix_groups_provider_id", "provider_id"),
)

group_months = sa.Table(
    "group_months",
    metadata,
    sa.Column("group_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("lessons", JSONB, nullable=False),  # [[lesson id, civil day], ...]
)

programs = sa.Table(
    "programs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("region_id", sa.Uuid, nullable=False),
    sa.Column("asks_from_day", sa.Integer, nullable=False),
    sa.Column("grace_ends_on_day", sa.Integer, nullable=False),
    sa.Column("declined_percent_max", sa.Integer, nullable=False),
)

enrollments = sa.Table(
    "enrollments",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, sa.ForeignKey("children.id"), nullable=False),
    sa.Column("group_id", sa.Uuid, nullable=False),
    sa.Column("requested_by", sa.Uuid, nullable=False),
    sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date),
    sa.Column("code", sa.Text),
    sa.Column("missing_tiyn", sa.BigInteger),
    sa.Column("place", sa.Integer),
    sa.Column("offer_id", sa.Uuid),
    sa.Column("offer_until", sa.DateTime(timezone=True)),
    sa.Column("program_id", sa.Uuid),
    sa.Column(  # the real clock's, for the audit
        "changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
    ),
    sa.CheckConstraint(
        "state IN ('requested', 'queued', 'offered', 'funding', 'payment_required', 'confirmed', 'rejected',"
        " 'canceled', 'ended')",
        name="state_is_known",
    ),
    sa.CheckConstraint(
        "state NOT IN ('confirmed', 'ended') OR program_id IS NOT NULL", name="confirmed_has_a_program"
    ),
    sa.Index("uq_enrollments_live", "child_id", "group_id", unique=True, postgresql_where=sa.text(LIVE)),
    sa.Index("ix_enrollments_child_id_id", "child_id", "id"),
    sa.Index("ix_enrollments_group_id_id", "group_id", "id"),
    sa.Index("ix_enrollments_program_id", "program_id"),
)

months = sa.Table(
    "enrollment_months",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, sa.ForeignKey("enrollments.id"), primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("code", sa.Text),
    sa.Column("missing_tiyn", sa.BigInteger, nullable=False),
    sa.Column("grace_ends_on", sa.Date),
    sa.Column("asked_on_eve", sa.Boolean, nullable=False),
    sa.CheckConstraint("state IN ('asked', 'funded', 'unfunded', 'charged')", name="state_is_known"),
    sa.Index(
        "uq_enrollment_months_asked",
        "enrollment_id",
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    ),
    sa.Index(
        "ix_enrollment_months_unfunded", "enrollment_id", postgresql_where=sa.text("state = 'unfunded'")
    ),
    sa.Index("ix_enrollment_months_month", "month"),
)

reviews = sa.Table(
    "unfunded_reviews",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("program_id", sa.Uuid, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("unfunded", sa.Integer, nullable=False),
    sa.Column("enrolled", sa.Integer, nullable=False),
    sa.Column("proposal_id", sa.Uuid),
    sa.UniqueConstraint("program_id", "month"),
    sa.CheckConstraint("verdict IN ('end', 'wait')", name="verdict_is_known"),
)
