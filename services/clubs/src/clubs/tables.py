"""The tables of clubs. What is done with them is in `repository`; staff are in the plumbing's `grants`."""

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
    sa.Column("closed", sa.Boolean, nullable=False),
)
"""A plan, and whether the sheets of its month are closed."""

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
    sa.Column("child_id", sa.Uuid, nullable=False, index=True),
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

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(always=True, cache=1), primary_key=True),
    sa.Column("lesson_id", sa.ForeignKey("lessons.id"), nullable=False, index=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("person_id", sa.Uuid, nullable=False),
    sa.Column("took_place", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("source IN ('coach', 'device')", name="source_known"),
)

marks = sa.Table(
    "marks",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(always=True, cache=1), primary_key=True),
    sa.Column("lesson_id", sa.ForeignKey("lessons.id"), nullable=False),
    sa.Column("enrollment_id", sa.ForeignKey("seats.enrollment_id"), nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("person_id", sa.Uuid, nullable=False),
    sa.Column("present", sa.Boolean, nullable=False),
    sa.Column("corrects", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("source IN ('coach', 'guardian', 'device')", name="source_known"),
    sa.CheckConstraint("source = 'coach' OR NOT corrects", name="coaches_correct"),
    sa.Index(None, "lesson_id", "enrollment_id"),
)
"""What was said of children at lessons, in the order of `number`: the latest of one person holds."""

absences = sa.Table(
    "absences",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("provider_id", sa.ForeignKey("providers.id"), nullable=False, index=True),
    sa.Column("since", sa.Date, nullable=False),
    sa.Column("until", sa.Date, nullable=False),
    sa.Column("asked_by", sa.Uuid, nullable=False),
    sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("accepted_by", sa.Uuid, nullable=True),
    sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
    sa.UniqueConstraint("child_id", "provider_id", "since", "until"),
    sa.CheckConstraint("since <= until", name="days_in_order"),
    sa.CheckConstraint("(accepted_by IS NULL) = (accepted_at IS NULL)", name="accepted_whole"),
)

disputes = sa.Table(
    "disputes",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("enrollment_id", sa.ForeignKey("seats.enrollment_id"), nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=False, index=True),
    sa.Column("lesson_id", sa.ForeignKey("lessons.id"), nullable=False),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("provider_id", sa.ForeignKey("providers.id"), nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=True),
    sa.Column("reason", sa.Text, nullable=True),
    sa.Column("opened_by", sa.Uuid, nullable=False),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("closed_by", sa.Uuid, nullable=True),
    sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'withdrawn', 'decided')", name="state_known"),
    sa.CheckConstraint("outcome IN ('count', 'do_not_count')", name="outcome_known"),
    sa.CheckConstraint(
        "(state = 'decided') = (outcome IS NOT NULL) AND (state = 'decided') = (reason IS NOT NULL)",
        name="decided_with_a_reason",
    ),
    sa.CheckConstraint(
        "(state = 'open') = (closed_by IS NULL) AND (state = 'open') = (closed_at IS NULL)",
        name="closed_by_somebody",
    ),
    sa.Index(
        "uq_disputes_standing",
        "lesson_id",
        "child_id",
        unique=True,
        postgresql_where=sa.text("state <> 'withdrawn'"),
    ),
)

sheets = sa.Table(
    "sheets",
    metadata,
    sa.Column("enrollment_id", sa.ForeignKey("seats.enrollment_id"), primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.Uuid, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("revision >= 1", name="revisions_from_one"),
)
"""Each revision whole. `content` is the very text that `digest` is of, hence not JSONB."""

statements = sa.Table(
    "statements",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("provider_id", sa.ForeignKey("providers.id"), nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("signed_by", sa.Uuid, nullable=True),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
    sa.UniqueConstraint("provider_id", "month", "number"),
    sa.CheckConstraint("state IN ('open', 'ready', 'signed')", name="state_known"),
    sa.CheckConstraint(
        "(state = 'signed') = (signed_by IS NOT NULL) AND (state = 'signed') = (signed_at IS NOT NULL)",
        name="signed_by_somebody",
    ),
    sa.Index(
        "uq_statements_unsigned",
        "provider_id",
        "month",
        unique=True,
        postgresql_where=sa.text("state <> 'signed'"),
    ),
)

statement_lines = sa.Table(
    "statement_lines",
    metadata,
    sa.Column("statement_id", sa.ForeignKey("statements.id"), primary_key=True),
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["enrollment_id", "month", "revision"], ["sheets.enrollment_id", "sheets.month", "sheets.revision"]
    ),
)
