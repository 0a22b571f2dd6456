"""The ledger: accounts, postings, holds, and what became of each month of an enrollment."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from wallet.tables.schema import FUND_SHIFT, metadata, tiyn

SUMMARIZED = {"pages_per_range": "16", "autosummarize": "on"}
"""Rows come in the order of their batches, and nearly in that of their ids: a summary of each 128 KiB finds
them as a tree would, and takes no room."""

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
    tiyn("credited", default=True),
    tiyn("debited", default=True),
    tiyn("held", default=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("child_id", sa.Uuid, nullable=True),
    sa.Column("expires_on", sa.Date, nullable=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("provider_id", sa.Uuid, nullable=True),
    sa.Column("payout_id", sa.Uuid, nullable=True),
    sa.Column("moved_on", sa.Date, nullable=True),
    sa.Column("given_back", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.CheckConstraint("credited >= 0 AND debited >= 0 AND held >= 0", name="never_negative"),
    sa.CheckConstraint(
        "CASE WHEN kind IN (1, 6) THEN credited <= debited ELSE debited + held <= credited END",
        name="no_overdraft",
    ),
    sa.CheckConstraint("held = 0 OR kind = 16", name="only_allotments_hold"),
    sa.CheckConstraint(
        "(kind = 16) = (child_id IS NOT NULL AND expires_on IS NOT NULL)", name="allotted_to_a_child"
    ),
    sa.CheckConstraint("(kind IN (5, 6)) = (provider_id IS NOT NULL)", name="owed_to_or_by_a_provider"),
    sa.CheckConstraint("(kind = 7) = (payout_id IS NOT NULL)", name="on_its_way_by_an_order"),
    sa.Index(
        "uq_accounts_allotment",
        "child_id",
        sa.text(f"(id >> {FUND_SHIFT})"),
        "expires_on",
        unique=True,
        postgresql_where=sa.text("kind = 16"),
    ),
    sa.Index(
        "uq_accounts_provider",
        "provider_id",
        sa.text(f"(id >> {FUND_SHIFT})"),
        "kind",
        unique=True,
        postgresql_where=sa.text("kind IN (5, 6)"),
    ),
    sa.Index("uq_accounts_payout", "payout_id", unique=True, postgresql_where=sa.text("kind = 7")),
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
    sa.Column("identity", sa.Uuid, nullable=False, unique=True),
    sa.Column("child_id", sa.Uuid, nullable=True),
    sa.Column("batch_id", sa.BigInteger, nullable=False),
    tiyn("amount_tiyn"),
    sa.Column("digest", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=True),
    sa.Index(None, "child_id", postgresql_where=sa.text("child_id IS NOT NULL")),
    sa.Index(None, "batch_id", postgresql_using="brin", postgresql_with=SUMMARIZED),
)

repeated_holds = sa.Table(
    "repeated_holds",
    metadata,
    sa.Column("operation_id", sa.Uuid, primary_key=True),
    sa.Column("hold_id", sa.Uuid, nullable=False),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("operation_id", sa.Uuid, nullable=False),
    sa.Column("debit_account", sa.BigInteger, nullable=False),
    sa.Column("credit_account", sa.BigInteger, nullable=False),
    tiyn("amount_tiyn"),
    sa.Column("place", sa.SmallInteger, nullable=False),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint("debit_account <> credit_account", name="two_accounts"),
    sa.CheckConstraint(
        f"debit_account >> {FUND_SHIFT} = credit_account >> {FUND_SHIFT}", name="within_one_fund"
    ),
    sa.Index(None, "operation_id", postgresql_using="brin", postgresql_with=SUMMARIZED),
)

approved_operations = sa.Table(
    "approved_operations",
    metadata,
    sa.Column("operation_id", sa.Uuid, primary_key=True),
    sa.Column("fund_id", sa.Uuid, nullable=False),
    sa.Column("proposal_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("proposed_by", sa.Uuid, nullable=False),
    sa.Column("approved_by", sa.Uuid, nullable=False),
    sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("debit", sa.Text, nullable=False),
    sa.Column("credit", sa.Text, nullable=False),
    tiyn("amount_tiyn"),
    sa.Column("provider_id", sa.Uuid, nullable=True),
    sa.Column("bank_reference", sa.Text, nullable=True),
    sa.Column("corrects", sa.Uuid, nullable=True),
    sa.Column("reason", sa.Text, nullable=True),
    sa.CheckConstraint("proposed_by <> approved_by", name="two_persons"),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint("num_nonnulls(bank_reference, corrects) = 1", name="of_the_bank_or_a_correction"),
    sa.CheckConstraint("(corrects IS NULL) = (reason IS NULL)", name="corrected_for_a_reason"),
    sa.UniqueConstraint("fund_id", "bank_reference"),
    sa.Index(None, "fund_id", "operation_id"),
    sa.Index("ix_approved_operations_corrects", "corrects", postgresql_where=sa.text("corrects IS NOT NULL")),
)
"""By whom an operation was wanted and agreed to, and what it says; of those that take two persons."""

allotment_sweeps = sa.Table(
    "allotment_sweeps",
    metadata,
    sa.Column("fund_id", sa.ForeignKey("funds.id"), primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("after_account", sa.BigInteger, nullable=True),
)
"""Of each fund that allots: for which day its allotments were looked through last, and how far that came."""

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
    tiyn("amount_tiyn"),
    tiyn("released_tiyn"),
    tiyn("captured_tiyn", default=True),
    sa.CheckConstraint("amount_tiyn > 0", name="amount_positive"),
    sa.CheckConstraint(
        "released_tiyn >= 0 AND captured_tiyn >= 0 AND released_tiyn + captured_tiyn <= amount_tiyn",
        name="released_or_captured_within",
    ),
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
    tiyn("missing_tiyn"),
    sa.Column("hold_id", sa.Uuid, nullable=True),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    tiyn("captured_tiyn", default=True),
    tiyn("disputed_tiyn", default=True),
    tiyn("uncovered_tiyn", default=True),
    sa.Column("frozen", sa.Boolean, nullable=False, server_default="false"),
    sa.CheckConstraint("state IN ('held', 'declined', 'released', 'charged')", name="state_known"),
    sa.CheckConstraint("(state = 'charged') = (revision > 0)", name="charged_by_a_revision"),
)
