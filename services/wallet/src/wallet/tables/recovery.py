"""Which cluster the ledger lives in, and the bank's statements that a restored ledger is compared with."""

import sqlalchemy as sa

from wallet.tables.schema import metadata, tiyn

recoveries = sa.Table(
    "recoveries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    sa.Index(
        "uq_recoveries_open", sa.text("(true)"), unique=True, postgresql_where=sa.text("ended_at IS NULL")
    ),
)

bank_days = sa.Table(
    "bank_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
)

bank_lines = sa.Table(
    "bank_lines",
    metadata,
    sa.Column("end_to_end_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    tiyn("amount_tiyn"),
    sa.Column("iban", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("payout_id", sa.ForeignKey("payouts.id"), nullable=True),
    sa.Column("trouble", sa.Text, nullable=True),
    sa.CheckConstraint("amount_tiyn > 0", name="of_something"),
)
