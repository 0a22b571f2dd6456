"""Funding runs say how far they are, whom they left out and why; and they can be paused."""

from alembic import op

revision = "wallet_0010"
down_revision = "wallet_0009"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE funding_runs
    ADD COLUMN children INTEGER,
    ADD COLUMN children_per_second INTEGER,
    ADD COLUMN left_out JSONB DEFAULT '{}' NOT NULL,
    ADD COLUMN declined_tiyn BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN worked_ms BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN worked_at TIMESTAMP WITH TIME ZONE,
    DROP CONSTRAINT ck_funding_runs_state_known,
    ADD CONSTRAINT ck_funding_runs_state_known CHECK (state IN ('running', 'paused', 'done'));
UPDATE funding_runs SET declined_tiyn = missing_tiyn, left_out =
    CASE WHEN already > 0 THEN jsonb_build_object('already_allotted', already) ELSE '{}' END ||
    CASE WHEN declined > 0 THEN jsonb_build_object('no_money', declined) ELSE '{}' END;
ALTER TABLE funding_runs DROP COLUMN already, DROP COLUMN declined;
CREATE TABLE funding_run_left_out (
    run_id UUID NOT NULL,
    code TEXT NOT NULL,
    child_id UUID NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    CONSTRAINT pk_funding_run_left_out PRIMARY KEY (run_id, code, child_id),
    CONSTRAINT fk_funding_run_left_out_run_id FOREIGN KEY(run_id) REFERENCES funding_runs (id)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON funding_run_left_out
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# The runtime role is named like the schema: deploy/postgres/setup.sql.
RIGHTS = """
DO $$ BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON funding_run_left_out FROM %I', current_schema());
END $$
"""


def upgrade() -> None:
    """What earlier runs counted is kept; which children they left out was not."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(RIGHTS)
