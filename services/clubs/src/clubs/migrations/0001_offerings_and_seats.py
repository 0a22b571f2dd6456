"""Providers, clubs, groups with their lessons, and seats."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "clubs_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of clubs."""
    _create_offerings()
    _create_lessons()
    _create_seats()


def _names() -> list[sa.Column[str]]:
    return [sa.Column(f"name_{language}", sa.Text, nullable=False) for language in ("kk", "ru", "en")]


def _create_offerings() -> None:
    op.create_table(
        "providers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("bin", sa.Text, nullable=False),
        *_names(),
        sa.PrimaryKeyConstraint("id", name="pk_providers"),
        sa.UniqueConstraint("bin", name="uq_providers_bin"),
        sa.CheckConstraint("bin ~ '^[0-9]{12}$'", name="ck_providers_bin_is_twelve_digits"),
    )
    op.create_table(
        "clubs",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("provider_id", sa.Uuid, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        *_names(),
        sa.PrimaryKeyConstraint("id", name="pk_clubs"),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name="fk_clubs_provider_id_providers"),
    )
    op.create_index("ix_clubs_provider_id", "clubs", ["provider_id"])
    op.create_table(
        "groups",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("club_id", sa.Uuid, nullable=False),
        sa.Column("provider_id", sa.Uuid, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        *_names(),
        sa.Column("price_tiyn", sa.BigInteger, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("age_from", sa.SmallInteger, nullable=False),
        sa.Column("age_to", sa.SmallInteger, nullable=False),
        sa.Column("schedule", JSONB, nullable=False),
        sa.Column("coaches", ARRAY(sa.Uuid), nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("free_from", sa.Date, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.ForeignKeyConstraint(["club_id"], ["clubs.id"], name="fk_groups_club_id_clubs"),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name="fk_groups_provider_id_providers"),
        sa.CheckConstraint("capacity >= 1", name="ck_groups_capacity_positive"),
        sa.CheckConstraint("price_tiyn >= 0", name="ck_groups_price_not_negative"),
        sa.CheckConstraint("age_from <= age_to", name="ck_groups_ages_in_order"),
        sa.CheckConstraint("starts_on <= ends_on OR closed", name="ck_groups_days_in_order"),
    )
    for column in ("club_id", "provider_id", "direction"):
        op.create_index(f"ix_groups_{column}", "groups", [column])


def _create_lessons() -> None:
    op.create_table(
        "group_months",
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "month", name="pk_group_months"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_months_group_id_groups"),
    )
    op.create_table(
        "lessons",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("held_on", sa.Date, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("canceled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lessons"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_lessons_group_id_groups"),
        sa.UniqueConstraint("group_id", "starts_at", name="uq_lessons_group_id_starts_at"),
    )
    op.create_index("ix_lessons_group_month", "lessons", ["group_id", "month"])


def _create_seats() -> None:
    op.create_table(
        "seats",
        sa.Column("enrollment_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("child_id", sa.Uuid, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("wished_on", sa.Date, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("starts_on", sa.Date, nullable=True),
        sa.Column("ends_before", sa.Date, nullable=True),
        sa.Column("offer_id", sa.Uuid, nullable=True),
        sa.Column("offer_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("enrollment_id", name="pk_seats"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_seats_group_id_groups"),
        sa.UniqueConstraint("offer_id", name="uq_seats_offer_id"),
        sa.CheckConstraint(
            "state IN ('waiting', 'offered', 'reserved', 'freed', 'ended')", name="ck_seats_state_known"
        ),
        sa.CheckConstraint(
            "CASE WHEN state IN ('offered', 'reserved', 'freed') THEN starts_on IS NOT NULL"
            " AND ends_before IS NOT NULL AND starts_on <= ends_before"
            " ELSE starts_on IS NULL AND ends_before IS NULL END",
            name="ck_seats_days_as_the_state_says",
        ),
        sa.CheckConstraint("state <> 'offered' OR offer_until IS NOT NULL", name="ck_seats_offers_lapse"),
        sa.CheckConstraint("(offer_id IS NULL) = (offer_until IS NULL)", name="ck_seats_offer_whole"),
        sa.CheckConstraint("(state = 'ended') <= (code IS NOT NULL)", name="ck_seats_ended_for_a_reason"),
    )
    op.create_index(
        "ix_seats_queue",
        "seats",
        ["group_id", sa.text("priority DESC"), "requested_at", "enrollment_id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_seats_taken",
        "seats",
        ["group_id", "ends_before"],
        postgresql_where=sa.text("state IN ('offered', 'reserved', 'freed')"),
    )
