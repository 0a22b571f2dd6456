"""A funding run counts months for each child, no longer once for all."""

from alembic import op

revision = "wallet_0002"
down_revision = "wallet_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget how many months a run once counted for all."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE funding_runs DROP COLUMN months")
