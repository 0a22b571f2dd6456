"""The wallet's tables. What keeps them as they are (triggers, rights) stands in the migrations.

Postings, operations and batches are insert-only. An account's number is its fund's number and a place:
that both sides of a posting belong to one fund is thereby a CHECK on the posting itself.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database import new_metadata

FUND_SHIFT: Final = 40
"""An account's number is `fund number << 40 | place`; the places below 1024 are the fund's own accounts."""

metadata = new_metadata()


def _tiyn(name: str, *, default: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0" if default else None)


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
    _tiyn("monthly_rate_tiyn"),
    sa.Column("clubs_per_child_max", sa.Integer, nullable=False),
    sa.Column("asks_from_day", sa.Integer, nullable=False),
    sa.Column("grace_ends_on_day", sa.Integer, nullable=False),
    sa.Column("declined_percent_max", sa.Integer, nullable=False),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Column("charge", JSONB, nullable=False),
    sa.UniqueConstraint("program_id", "valid_from"),
)

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
    _tiyn("budget_tiyn"),
    sa.Column("monthly_tiyn", sa.BigInteger, nullable=True),
    sa.Column("last_capture_on", sa.Date, nullable=False),
    sa.CheckConstraint("mode IN ('ahead', 'on_hold')", name="mode_known"),
    sa.CheckConstraint("(monthly_tiyn IS NOT NULL) = (mode = 'ahead')", name="allotted_only_ahead"),
    sa.CheckConstraint("budget_tiyn > 0", name="budget_positive"),
)

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
    _tiyn("price_tiyn"),
)

group_months = sa.Table(
    "group_months",
    metadata,
    sa.Column("group_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("lessons", JSONB, nullable=False),
)

wallets = sa.Table(
    "wallets",
    metadata,
    sa.Column("child_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
    postgresql_with={"fillfactor": "75"},
)

allotment_places = sa.Sequence("allotment_places", metadata=metadata, start=1024)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    _tiyn("credited", default=True),
    _tiyn("debited", default=True),
    _tiyn("held", default=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("child_id", sa.Uuid, nullable=True),
    sa.Column("expires_on", sa.Date, nullable=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.CheckConstraint("credited >= 0 AND debited >= 0 AND held >= 0", name="never_negative"),
    sa.CheckConstraint(
        "CASE kind WHEN 1 THEN credited <= debited ELSE debited + held <= credited END", name="no_overdraft"
    ),
    sa.CheckConstraint("held = 0 OR kind = 16", name="only_allotments_hold"),
    sa.CheckConstraint(
        "(kind = 16) = (child_id IS NOT NULL AND expires_on IS NOT NULL)", name="allotted_to_a_child"
    ),
    sa.Index(
        "uq_accounts_allotment",
        "child_id",
        sa.text(f"(id >> {FUND_SHIFT})"),
        "expires_on",
        unique=True,
        postgresql_where=sa.text("kind = 16"),
    ),
    postgresql_with={"fillfactor": "75"},
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("operations", sa.Integer, nullable=False),
    sa.Column("postings", sa.Integer, nullable=False),
)

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("batch_id", sa.BigInteger, nullable=False),
    _tiyn("amount_tiyn"),
    sa.Column("child_id", sa.Uuid, nullable=True),
    sa.Column("hold_id", sa.Uuid, nullable=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=True),
    sa.UniqueConstraint("key", "kind", "origin"),
    sa.Index("ix_operations_child_id", "child_id", "id", postgresql_where=sa.text("child_id IS NOT NULL")),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("operation_id", sa.Uuid, primary_key=True),
    sa.Column("place", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("debit_account", sa.BigInteger, nullable=False),
    sa.Column("credit_account", sa.BigInteger, nullable=False),
    _tiyn("amount_tiyn"),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint("debit_account <> credit_account", name="two_accounts"),
    sa.CheckConstraint(
        f"debit_account >> {FUND_SHIFT} = credit_account >> {FUND_SHIFT}", name="within_one_fund"
    ),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("enrollment_id", sa.Uuid, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Index("uq_holds_open", "enrollment_id", "month", unique=True, postgresql_where=sa.text("open")),
    sa.Index("ix_holds_child_id", "child_id", postgresql_where=sa.text("open")),
)

hold_layers = sa.Table(
    "hold_layers",
    metadata,
    sa.Column("hold_id", sa.Uuid, primary_key=True),
    sa.Column("place", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("account_id", sa.BigInteger, nullable=False),
    _tiyn("amount_tiyn"),
    _tiyn("released_tiyn"),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint("released_tiyn BETWEEN 0 AND amount_tiyn", name="released_within"),
)

enrollments = sa.Table(
    "enrollments",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("ends_on", sa.Date, nullable=True),
    sa.Column("released", sa.Boolean, nullable=False),
)

enrollment_months = sa.Table(
    "enrollment_months",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=True),
    _tiyn("missing_tiyn"),
    sa.Column("hold_id", sa.Uuid, nullable=True),
    sa.CheckConstraint("state IN ('held', 'declined', 'released')", name="state_known"),
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
    sa.Column("already", sa.Integer, nullable=False, server_default="0"),
    sa.Column("declined", sa.Integer, nullable=False, server_default="0"),
    _tiyn("allotted_tiyn", default=True),
    _tiyn("missing_tiyn", default=True),
    sa.Column("created_by", sa.Uuid, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('running', 'done')", name="state_known"),
    sa.Index("ix_funding_runs_running", "id", postgresql_where=sa.text("state = 'running'")),
)
