"""The ledger's rows become narrow: most of what they took was the text of who had asked, twice.

An operation's identity is a digest of (origin, kind, key), and so the one thing that is looked up; what the
text said stands in the hold, the charge, the order or the audit entry. A hold has its operation's id; that an
operation found its month held already is kept beside.
"""

from alembic import op

revision = "wallet_0006"
down_revision = "wallet_0005"
branch_labels = None
depends_on = None

INSERT_ONLY = ("operations", "postings", "repeated_holds")

CHANGES = """
ALTER TABLE operations RENAME TO old_operations;
ALTER TABLE old_operations RENAME CONSTRAINT pk_operations TO pk_old_operations;
DROP INDEX ix_operations_child_id;
ALTER TABLE postings RENAME TO old_postings;
ALTER TABLE old_postings RENAME CONSTRAINT pk_postings TO pk_old_postings;
CREATE TABLE operations (
    id UUID NOT NULL,
    identity UUID NOT NULL,
    child_id UUID,
    batch_id BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    digest BIGINT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT
);
INSERT INTO operations
SELECT id,
    encode(substring(sha256(convert_to(concat_ws(E'\\x1f', origin, kind, key), 'UTF8')) FOR 16), 'hex')::uuid,
    child_id, batch_id, amount_tiyn,
    ('x' || encode(substring(digest FOR 8), 'hex'))::bit(64)::bigint, kind, code
FROM old_operations ORDER BY batch_id, id;
ALTER TABLE operations ADD CONSTRAINT pk_operations PRIMARY KEY (id),
    ADD CONSTRAINT uq_operations_identity UNIQUE (identity);
CREATE INDEX ix_operations_child_id ON operations (child_id) WHERE child_id IS NOT NULL;
CREATE INDEX ix_operations_batch_id ON operations USING brin (batch_id)
    WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE repeated_holds (
    operation_id UUID NOT NULL,
    hold_id UUID NOT NULL,
    CONSTRAINT pk_repeated_holds PRIMARY KEY (operation_id)
);
INSERT INTO repeated_holds SELECT id, hold_id FROM old_operations WHERE hold_id <> id;
CREATE TABLE postings (
    operation_id UUID NOT NULL,
    debit_account BIGINT NOT NULL,
    credit_account BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    place SMALLINT NOT NULL,
    CONSTRAINT ck_postings_amount_positive CHECK (amount_tiyn > 0),
    CONSTRAINT ck_postings_two_accounts CHECK (debit_account <> credit_account),
    CONSTRAINT ck_postings_within_one_fund CHECK (debit_account >> 40 = credit_account >> 40)
);
INSERT INTO postings
SELECT p.operation_id, p.debit_account, p.credit_account, p.amount_tiyn, p.place
FROM old_postings p JOIN operations o ON o.id = p.operation_id ORDER BY o.batch_id, o.id, p.place;
CREATE INDEX ix_postings_operation_id ON postings USING brin (operation_id)
    WITH (pages_per_range = 16, autosummarize = on);
DROP TABLE old_postings;
DROP TABLE old_operations;
"""


def upgrade() -> None:
    """Write the rows anew, and make them insert-only again, also for their owner."""
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
