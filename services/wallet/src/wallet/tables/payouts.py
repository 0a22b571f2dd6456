"""Who is paid, the runs that collect what is due, the orders to the bank, and what the bank says of them."""

import sqlalchemy as sa

from wallet.tables.schema import metadata, tiyn

payees = sa.Table(
    "payees",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("iban", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bin", sa.Text, nullable=False),
    sa.Column("proposal_id", sa.Uuid, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("payable_from", sa.DateTime(timezone=True), nullable=True),
    sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
    sa.Index(
        "uq_payees_current", "provider_id", unique=True, postgresql_where=sa.text("replaced_at IS NULL")
    ),
)

payout_runs = sa.Table(
    "payout_runs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("fund_id", sa.ForeignKey("funds.id"), nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("proposal_id", sa.Uuid, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("proposed_by", sa.Uuid, nullable=False),
    sa.Column("approved_by", sa.Uuid, nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('proposed', 'approved', 'given_up')", name="state_known"),
    sa.CheckConstraint("approved_by <> proposed_by", name="two_persons"),
    sa.Index("ix_payout_runs_proposed", "id", postgresql_where=sa.text("state = 'proposed'")),
)

payouts = sa.Table(
    "payouts",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("run_id", sa.ForeignKey("payout_runs.id"), nullable=False, index=True),
    sa.Column("provider_id", sa.Uuid, nullable=False),
    sa.Column("fund_id", sa.ForeignKey("funds.id"), nullable=False),
    sa.Column("iban", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bin", sa.Text, nullable=False),
    tiyn("amount_tiyn"),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("msg_id", sa.Text, nullable=False, unique=True),
    sa.Column("end_to_end_id", sa.Text, nullable=False, unique=True),
    sa.Column("content", sa.LargeBinary, nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("code", sa.Text, nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint(
        "state IN ('prepared', 'submitting', 'sent', 'accepted', 'settled', 'bounced', 'unknown')",
        name="state_known",
    ),
    sa.CheckConstraint("amount_tiyn > 0 AND items > 0", name="of_something"),
    sa.CheckConstraint("(content IS NULL) = (state = 'prepared')", name="frozen_when_it_leaves"),
    sa.CheckConstraint("length(msg_id) <= 35 AND length(end_to_end_id) <= 35", name="ids_short"),
    sa.Index("ix_payouts_open", "id", postgresql_where=sa.text("state NOT IN ('settled', 'bounced')")),
    sa.Index(None, "provider_id", "id"),
)

bank_reports = sa.Table(
    "bank_reports",
    metadata,
    sa.Column("payout_id", sa.ForeignKey("payouts.id"), primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=True),
    sa.Column("contradicts", sa.Boolean, nullable=False),
    sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
)
