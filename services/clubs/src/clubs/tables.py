"""The tables of clubs. Statements over them are in `repository`; staff are in the plumbing's `grants`."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database import new_metadata

metadata = new_metadata()


def _names() -> list[sa.Column[str]]:
    """A public name in every language of the system."""
    return [sa.Column(f"name_{language}", sa.Text, nullable=False) for language in ("kk", "ru", "en")]


providers = sa.Table(
    "providers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("bin", sa.Text, nullable=False, unique=True),
    *_names(),
    sa.CheckConstraint("bin ~ '^[0-9]{12}$'", name="bin_is_twelve_digits"),
)

clubs = sa.Table(
    "clubs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("provider_id", sa.ForeignKey("providers.id"), nullable=False, index=True),
    sa.Column("direction", sa.Text, nullable=False),
    *_names(),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("club_id", sa.ForeignKey("clubs.id"), nullable=False, index=True),
    sa.Column("provider_id", sa.ForeignKey("providers.id"), nullable=False, index=True),
    sa.Column("direction", sa.Text, nullable=False, index=True),
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
    sa.CheckConstraint("capacity >= 1", name="capacity_positive"),
    sa.CheckConstraint("price_tiyn >= 0", name="price_not_negative"),
    sa.CheckConstraint("age_from <= age_to", name="ages_in_order"),
    sa.CheckConstraint("starts_on <= ends_on OR closed", name="days_in_order"),
)
"""`free_from` repeats what the seats say, written with them under the group's lock: the list of groups with
free seats would count every seat otherwise. It is no part of the group's version."""

group_months = sa.Table(
    "group_months",
    metadata,
    sa.Column("group_id", sa.ForeignKey("groups.id"), primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)

lessons = sa.Table(
    "lessons",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("held_on", sa.Date, nullable=False),
    sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("canceled", sa.Boolean, nullable=False),
    sa.UniqueConstraint("group_id", "starts_at"),
    sa.Index("ix_lessons_group_month", "group_id", "month"),
)

seats = sa.Table(
    "seats",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("wished_on", sa.Date, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=True),
    sa.Column("ends_before", sa.Date, nullable=True),
    sa.Column("offer_id", sa.Uuid, nullable=True, unique=True),
    sa.Column("offer_until", sa.DateTime(timezone=True), nullable=True),
    sa.Column("code", sa.Text, nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'offered', 'reserved', 'freed', 'ended')", name="state_known"),
    sa.CheckConstraint(
        "CASE WHEN state IN ('offered', 'reserved', 'freed') THEN starts_on IS NOT NULL"
        " AND ends_before IS NOT NULL AND starts_on <= ends_before"
        " ELSE starts_on IS NULL AND ends_before IS NULL END",
        name="days_as_the_state_says",
    ),
    sa.CheckConstraint("state <> 'offered' OR offer_until IS NOT NULL", name="offers_lapse"),
    sa.CheckConstraint("(offer_id IS NULL) = (offer_until IS NULL)", name="offer_whole"),
    sa.CheckConstraint("(state = 'ended') <= (code IS NOT NULL)", name="ended_for_a_reason"),
    sa.Index(
        "ix_seats_queue",
        "group_id",
        sa.text("priority DESC"),
        "requested_at",
        "enrollment_id",
        postgresql_where=sa.text("state = 'waiting'"),
    ),
    sa.Index(
        "ix_seats_taken",
        "group_id",
        "ends_before",
        postgresql_where=sa.text("state IN ('offered', 'reserved', 'freed')"),
    ),
)
