"""Sheets are looked up by enrollment and month only: the index by group served no query."""

from alembic import op

revision = "clubs_0003"
down_revision = "clubs_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index by group."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP INDEX ix_sheets_group_id_month")
