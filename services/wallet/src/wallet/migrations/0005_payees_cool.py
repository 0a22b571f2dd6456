"""A changed account is paid to after a while only. The accounts that are there may be paid to as before."""

from alembic import op

revision = "wallet_0005"
down_revision = "wallet_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From when on an account may be paid to that replaces another."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE payees ADD COLUMN payable_from TIMESTAMP WITH TIME ZONE")
