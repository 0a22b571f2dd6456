"""Which months of which funds are locked, and what was reported of them when they were."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from wallet.tables.schema import metadata

month_locks = sa.Table(
    "month_locks",
    metadata,
    sa.Column("fund_number", sa.ForeignKey("funds.number"), primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("last_batch_id", sa.BigInteger, nullable=False),
    sa.Column("proposal_id", sa.Uuid, nullable=False),
    sa.Column("proposed_by", sa.Uuid, nullable=False),
    sa.Column("approved_by", sa.Uuid, nullable=False),
    sa.Column("locked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("report", JSONB, nullable=False),
    sa.CheckConstraint("approved_by <> proposed_by", name="two_persons"),
)
"""What a later batch moves for a locked month counts in the month of its posting."""
