"""The log that operations are sealed in, batch by batch, and its heads as they were signed."""

import sqlalchemy as sa

from wallet.tables.schema import metadata

payout_approvers = sa.Table(
    "payout_approvers",
    metadata,
    sa.Column("operation_id", sa.Uuid, primary_key=True),
    sa.Column("proposed_by", sa.Uuid, nullable=False),
    sa.Column("approved_by", sa.Uuid, nullable=False),
    sa.CheckConstraint("approved_by <> proposed_by", name="two_persons"),
)

log_entries = sa.Table(
    "log_entries",
    metadata,
    sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("batch_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""The leaves of the log, in the order in which they were sealed: nearly that of the batches."""

log_nodes = sa.Table(
    "log_nodes",
    metadata,
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""The complete subtrees above the leaves, from level 1: what paths are made of."""

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("settled_up_to", sa.BigInteger, nullable=False),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
)
"""`settled_up_to`: no batch up to this id can appear any more, and all of them are in the log."""
