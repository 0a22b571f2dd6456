"""Months of funds are locked by two persons, and stay as they were reported then."""

from alembic import op

revision = "wallet_0011"
down_revision = "wallet_0010"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE month_locks (
    fund_number INTEGER NOT NULL,
    month TEXT NOT NULL,
    last_batch_id BIGINT NOT NULL,
    proposal_id UUID NOT NULL,
    proposed_by UUID NOT NULL,
    approved_by UUID NOT NULL,
    locked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    report JSONB NOT NULL,
    CONSTRAINT pk_month_locks PRIMARY KEY (fund_number, month),
    CONSTRAINT fk_month_locks_fund_number FOREIGN KEY (fund_number) REFERENCES funds (number),
    CONSTRAINT ck_month_locks_two_persons CHECK (approved_by <> proposed_by)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON month_locks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """A new table, insert-only also for its owner."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
    # The runtime role is named like the schema: deploy/postgres/setup.sql.
    op.execute(
        """
        DO $$ BEGIN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON month_locks FROM %I', current_schema());
        END $$
        """
    )
