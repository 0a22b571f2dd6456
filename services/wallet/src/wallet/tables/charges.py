"""What months cost, what is owed to providers for them, and what providers signed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from wallet.tables.schema import metadata, tiyn

charges = sa.Table(
    "charges",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("operation_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("group_id", sa.Uuid, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=True),
    tiyn("cost_tiyn"),
    tiyn("captured_tiyn"),
    tiyn("disputed_tiyn"),
    tiyn("uncovered_tiyn"),
    sa.Column("frozen", sa.Boolean, nullable=False),
    sa.Column("verdicts", JSONB, nullable=False),
    sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
)

month_facts = sa.Table(
    "month_facts",
    metadata,
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("facts", JSONB, nullable=False),
)
"""What a month was charged by last, so that it can be priced again by other rules."""

payable_items = sa.Table(
    "payable_items",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("child_id", sa.Uuid, nullable=False),
    sa.Column("enrollment_id", sa.Uuid, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("group_id", sa.Uuid, nullable=False),
    sa.Column("fund_id", sa.Uuid, nullable=False),
    sa.Column("place", sa.SmallInteger, nullable=False),
    tiyn("charged_tiyn"),
    tiyn("amount_tiyn"),
    tiyn("claimed_tiyn", default=True),
    tiyn("recovered_tiyn", default=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("frozen", sa.Boolean, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("payout_id", sa.Uuid, nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.UniqueConstraint("enrollment_id", "month", "fund_id", "revision"),
    sa.CheckConstraint(
        "stage IN ('charged', 'due', 'in_run', 'submitting', 'sent', 'settled', 'void')", name="stage_known"
    ),
    sa.CheckConstraint("NOT frozen OR stage IN ('charged', 'due')", name="frozen_before_it_leaves"),
    sa.CheckConstraint(
        "(payout_id IS NOT NULL) = (stage IN ('in_run', 'submitting', 'sent', 'settled'))",
        name="of_an_order_while_it_is_paid",
    ),
    sa.CheckConstraint("amount_tiyn BETWEEN 0 AND charged_tiyn", name="amount_within"),
    sa.CheckConstraint("(amount_tiyn = 0) = (stage = 'void')", name="void_at_zero"),
    sa.CheckConstraint(
        "claimed_tiyn BETWEEN 0 AND amount_tiyn"
        " AND (claimed_tiyn = 0 OR stage IN ('submitting', 'sent', 'settled'))",
        name="claimed_of_what_left",
    ),
    sa.CheckConstraint(
        "recovered_tiyn BETWEEN 0 AND claimed_tiyn AND (recovered_tiyn = 0 OR stage = 'settled')",
        name="recovered_of_what_settled",
    ),
    sa.Index(None, "provider_id", "month", "id"),
    sa.Index(
        "ix_payable_items_claimed",
        "provider_id",
        "fund_id",
        postgresql_where=sa.text("claimed_tiyn > 0"),
    ),
    sa.Index("ix_payable_items_payout_id", "payout_id", postgresql_where=sa.text("payout_id IS NOT NULL")),
    sa.Index("ix_payable_items_due", "fund_id", "due_on", postgresql_where=sa.text("stage = 'due'")),
    postgresql_with={"fillfactor": "75"},
)

item_entries = sa.Table(
    "item_entries",
    metadata,
    sa.Column("item_id", sa.Uuid, primary_key=True),
    sa.Column("operation_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    tiyn("amount_tiyn"),
    sa.Column("payout_id", sa.Uuid, nullable=True),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint(
        "kind IN ('capture', 'refund', 'claw_back', 'withdraw_claim', 'pay_out', 'settle', 'bounce',"
        " 'recover')",
        name="kind_known",
    ),
    sa.Index("ix_item_entries_payout_id", "payout_id", postgresql_where=sa.text("payout_id IS NOT NULL")),
)

signed_revisions = sa.Table(
    "signed_revisions",
    metadata,
    sa.Column("enrollment_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("statement_id", sa.Uuid, nullable=False),
    sa.Column("signed_by", sa.Uuid, nullable=False),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
)
