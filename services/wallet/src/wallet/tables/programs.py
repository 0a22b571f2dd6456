"""Programs with their rules, funds and funding runs; and what is known of others' facts."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from wallet.tables.schema import metadata, tiyn

programs = sa.Table(
    "programs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("region_id", sa.Uuid, nullable=False),
    sa.Column("name", JSONB, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("ends_on", sa.Date, nullable=False),
    sa.CheckConstraint("starts_on <= ends_on", name="starts_before_end"),
)

program_rules = sa.Table(
    "program_rules",
    metadata,
    sa.Column("program_id", sa.ForeignKey("programs.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("directions", ARRAY(sa.Text), nullable=False),
    sa.Column("monthly_rate_tiyn", sa.BigInteger, nullable=True),
    sa.Column("clubs_per_child_max", sa.Integer, nullable=False),
    sa.Column("asks_from_day", sa.Integer, nullable=False),
    sa.Column("grace_ends_on_day", sa.Integer, nullable=False),
    sa.Column("declined_percent_max", sa.Integer, nullable=False),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Column("charge", JSONB, nullable=False),
    sa.Column("monthly_rate_mrp_thousandths", sa.Integer, nullable=True),
    sa.Column("month_cap_tiyn", sa.BigInteger, nullable=True),
    sa.Column("year_cap_tiyn", sa.BigInteger, nullable=True),
    sa.Column("restore_days", sa.Integer, nullable=False, server_default="28"),
    sa.UniqueConstraint("program_id", "valid_from"),
    sa.CheckConstraint("num_nonnulls(monthly_rate_tiyn, monthly_rate_mrp_thousandths) = 1", name="one_rate"),
)

mrp = sa.Table(
    "mrp",
    metadata,
    sa.Column("valid_from", sa.Date, primary_key=True),
    tiyn("amount_tiyn"),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
)
"""The monthly calculation index (АЕК, МРП) from a day on."""

funds = sa.Table(
    "funds",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, sa.Identity(always=True), nullable=False, unique=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("program_id", sa.ForeignKey("programs.id"), nullable=False, index=True),
    sa.Column("region_id", sa.Uuid, nullable=False),
    sa.Column("funder", JSONB, nullable=False),
    sa.Column("name", JSONB, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    tiyn("budget_tiyn"),
    sa.Column("monthly_tiyn", sa.BigInteger, nullable=True),
    sa.Column("last_capture_on", sa.Date, nullable=False),
    sa.CheckConstraint("mode IN ('ahead', 'on_hold')", name="mode_known"),
    sa.CheckConstraint("(monthly_tiyn IS NOT NULL) = (mode = 'ahead')", name="allotted_only_ahead"),
    sa.CheckConstraint("budget_tiyn > 0", name="budget_positive"),
)

funding_runs = sa.Table(
    "funding_runs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("fund_id", sa.ForeignKey("funds.id"), nullable=False),
    sa.Column("until", sa.Date, nullable=False),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("after_child", sa.Uuid, nullable=True),
    sa.Column("funded", sa.Integer, nullable=False, server_default="0"),
    tiyn("allotted_tiyn", default=True),
    tiyn("missing_tiyn", default=True),
    sa.Column("created_by", sa.Uuid, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("children", sa.Integer, nullable=True),
    sa.Column("children_per_second", sa.Integer, nullable=True),
    sa.Column("left_out", JSONB, nullable=False, server_default="{}"),
    tiyn("declined_tiyn", default=True),
    sa.Column("worked_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('running', 'paused', 'done')", name="state_known"),
    sa.Index("ix_funding_runs_running", "id", postgresql_where=sa.text("state = 'running'")),
)

funding_run_left_out = sa.Table(
    "funding_run_left_out",
    metadata,
    sa.Column("run_id", sa.ForeignKey("funding_runs.id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("child_id", sa.Uuid, primary_key=True),
    tiyn("amount_tiyn"),
)
"""Children of the program whom a run gave nothing, and why; with what they would have got."""

entitlements = sa.Table(
    "entitlements",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("child_id", sa.Uuid, nullable=False, index=True),
    sa.Column("program_id", sa.Uuid, nullable=False),
    sa.Column("starts_on", sa.Date, nullable=False),
    sa.Column("until", sa.Date, nullable=False),
    sa.Column("coefficient_percent", sa.Integer, nullable=False),
    sa.Index(None, "program_id", "child_id"),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    tiyn("price_tiyn"),
)

group_months = sa.Table(
    "group_months",
    metadata,
    sa.Column("group_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("lessons", JSONB, nullable=False),
)
