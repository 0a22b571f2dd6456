"""Providers and funds have names too: directors are told by whom which provider is paid."""

from alembic import op

revision = "notifications_0003"
down_revision = "notifications_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the names of groups those of anything."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE groups RENAME TO names")
    op.execute("ALTER TABLE names RENAME COLUMN group_id TO id")
    op.execute("ALTER TABLE names RENAME CONSTRAINT pk_groups TO pk_names")
