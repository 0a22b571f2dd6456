"""The log of sealed batches, its signed checkpoints, and which two persons an operation had."""

from alembic import op

revision = "wallet_0008"
down_revision = "wallet_0007"
branch_labels = None
depends_on = None

INSERT_ONLY = ("payout_approvers", "log_entries", "log_nodes", "checkpoints")

CHANGES = """
CREATE TABLE payout_approvers (
    operation_id UUID NOT NULL,
    proposed_by UUID NOT NULL,
    approved_by UUID NOT NULL,
    CONSTRAINT pk_payout_approvers PRIMARY KEY (operation_id),
    CONSTRAINT ck_payout_approvers_two_persons CHECK (approved_by <> proposed_by)
);
INSERT INTO payout_approvers (operation_id, proposed_by, approved_by)
SELECT DISTINCT e.operation_id, r.proposed_by, r.approved_by
FROM item_entries e JOIN payouts p ON p.id = e.payout_id JOIN payout_runs r ON r.id = p.run_id
WHERE e.kind = 'pay_out';
CREATE TABLE log_entries (
    place BIGINT NOT NULL,
    batch_id BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_log_entries PRIMARY KEY (place),
    CONSTRAINT uq_log_entries_batch_id UNIQUE (batch_id)
);
CREATE TABLE log_nodes (
    level SMALLINT NOT NULL,
    place BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_log_nodes PRIMARY KEY (level, place)
);
CREATE TABLE checkpoints (
    size BIGINT NOT NULL,
    note TEXT NOT NULL,
    settled_up_to BIGINT NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_checkpoints PRIMARY KEY (size)
);
"""


def upgrade() -> None:
    """What was posted before is sealed like the rest: it has no place in the log yet."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
    for table in INSERT_ONLY:
        op.execute(
            f"CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        # The runtime role is named like the schema: deploy/postgres/setup.sql.
        op.execute(
            f"""
            DO $$ BEGIN
                EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM %I', current_schema());
            END $$
            """
        )
