"""The ledger, the programs behind it, and the projections it decides on."""

from alembic import op

revision = "wallet_0001"
down_revision = None
branch_labels = None
depends_on = "shared_0001"  # for refuse_change()

INSERT_ONLY = ("operations", "postings", "batches")

TABLES = """
CREATE SEQUENCE allotment_places START WITH 1024;
CREATE TABLE accounts (
    id BIGINT NOT NULL,
    credited BIGINT DEFAULT '0' NOT NULL,
    debited BIGINT DEFAULT '0' NOT NULL,
    held BIGINT DEFAULT '0' NOT NULL,
    version BIGINT DEFAULT '0' NOT NULL,
    child_id UUID,
    expires_on DATE,
    kind SMALLINT NOT NULL,
    CONSTRAINT pk_accounts PRIMARY KEY (id),
    CONSTRAINT ck_accounts_never_negative CHECK (credited >= 0 AND debited >= 0 AND held >= 0),
    CONSTRAINT ck_accounts_no_overdraft CHECK (
        CASE kind WHEN 1 THEN credited <= debited ELSE debited + held <= credited END
    ),
    CONSTRAINT ck_accounts_only_allotments_hold CHECK (held = 0 OR kind = 16),
    CONSTRAINT ck_accounts_allotted_to_a_child CHECK (
        (kind = 16) = (child_id IS NOT NULL AND expires_on IS NOT NULL)
    )
) WITH (fillfactor = 75);
CREATE UNIQUE INDEX uq_accounts_allotment ON accounts (child_id, (id >> 40), expires_on) WHERE kind = 16;
CREATE TABLE batches (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    operations INTEGER NOT NULL,
    postings INTEGER NOT NULL,
    CONSTRAINT pk_batches PRIMARY KEY (id)
);
CREATE TABLE enrollment_months (
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    child_id UUID NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    missing_tiyn BIGINT NOT NULL,
    hold_id UUID,
    CONSTRAINT pk_enrollment_months PRIMARY KEY (enrollment_id, month),
    CONSTRAINT ck_enrollment_months_state_known CHECK (state IN ('held', 'declined', 'released'))
);
CREATE TABLE enrollments (
    id UUID NOT NULL,
    child_id UUID NOT NULL,
    ends_on DATE,
    released BOOLEAN NOT NULL,
    CONSTRAINT pk_enrollments PRIMARY KEY (id)
);
CREATE TABLE entitlements (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    child_id UUID NOT NULL,
    program_id UUID NOT NULL,
    starts_on DATE NOT NULL,
    until DATE NOT NULL,
    coefficient_percent INTEGER NOT NULL,
    CONSTRAINT pk_entitlements PRIMARY KEY (id)
);
CREATE INDEX ix_entitlements_child_id ON entitlements (child_id);
CREATE INDEX ix_entitlements_program_id_child_id ON entitlements (program_id, child_id);
CREATE TABLE group_months (
    group_id UUID NOT NULL,
    month TEXT NOT NULL,
    version BIGINT NOT NULL,
    lessons JSONB NOT NULL,
    CONSTRAINT pk_group_months PRIMARY KEY (group_id, month)
);
CREATE TABLE groups (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    provider_id UUID NOT NULL,
    direction TEXT NOT NULL,
    price_tiyn BIGINT NOT NULL,
    CONSTRAINT pk_groups PRIMARY KEY (id)
);
CREATE TABLE hold_layers (
    hold_id UUID NOT NULL,
    place SMALLINT NOT NULL,
    account_id BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    released_tiyn BIGINT NOT NULL,
    CONSTRAINT pk_hold_layers PRIMARY KEY (hold_id, place),
    CONSTRAINT ck_hold_layers_amount_positive CHECK (amount_tiyn > 0),
    CONSTRAINT ck_hold_layers_released_within CHECK (released_tiyn BETWEEN 0 AND amount_tiyn)
);
CREATE TABLE holds (
    id UUID NOT NULL,
    child_id UUID NOT NULL,
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    open BOOLEAN NOT NULL,
    terms JSONB NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (id)
);
CREATE INDEX ix_holds_child_id ON holds (child_id) WHERE open;
CREATE UNIQUE INDEX uq_holds_open ON holds (enrollment_id, month) WHERE open;
CREATE TABLE operations (
    id UUID NOT NULL,
    batch_id BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    child_id UUID,
    hold_id UUID,
    digest BYTEA NOT NULL,
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    code TEXT,
    CONSTRAINT pk_operations PRIMARY KEY (id),
    CONSTRAINT uq_operations_key_kind_origin UNIQUE (key, kind, origin)
);
CREATE INDEX ix_operations_child_id ON operations (child_id, id) WHERE child_id IS NOT NULL;
CREATE TABLE postings (
    operation_id UUID NOT NULL,
    place SMALLINT NOT NULL,
    debit_account BIGINT NOT NULL,
    credit_account BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (operation_id, place),
    CONSTRAINT ck_postings_amount_positive CHECK (amount_tiyn > 0),
    CONSTRAINT ck_postings_two_accounts CHECK (debit_account <> credit_account),
    CONSTRAINT ck_postings_within_one_fund CHECK (debit_account >> 40 = credit_account >> 40)
);
CREATE TABLE programs (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    region_id UUID NOT NULL,
    name JSONB NOT NULL,
    place INTEGER NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    CONSTRAINT pk_programs PRIMARY KEY (id),
    CONSTRAINT ck_programs_starts_before_end CHECK (starts_on <= ends_on)
);
CREATE TABLE wallets (
    child_id UUID NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_wallets PRIMARY KEY (child_id)
) WITH (fillfactor = 75);
CREATE TABLE funds (
    id UUID NOT NULL,
    number INTEGER GENERATED ALWAYS AS IDENTITY,
    version BIGINT NOT NULL,
    program_id UUID NOT NULL,
    region_id UUID NOT NULL,
    funder JSONB NOT NULL,
    name JSONB NOT NULL,
    mode TEXT NOT NULL,
    budget_tiyn BIGINT NOT NULL,
    monthly_tiyn BIGINT,
    last_capture_on DATE NOT NULL,
    CONSTRAINT pk_funds PRIMARY KEY (id),
    CONSTRAINT ck_funds_mode_known CHECK (mode IN ('ahead', 'on_hold')),
    CONSTRAINT ck_funds_allotted_only_ahead CHECK ((monthly_tiyn IS NOT NULL) = (mode = 'ahead')),
    CONSTRAINT ck_funds_budget_positive CHECK (budget_tiyn > 0),
    CONSTRAINT uq_funds_number UNIQUE (number),
    CONSTRAINT fk_funds_program_id FOREIGN KEY(program_id) REFERENCES programs (id)
);
CREATE INDEX ix_funds_program_id ON funds (program_id);
CREATE TABLE program_rules (
    program_id UUID NOT NULL,
    version INTEGER NOT NULL,
    valid_from DATE NOT NULL,
    directions TEXT[] NOT NULL,
    monthly_rate_tiyn BIGINT NOT NULL,
    clubs_per_child_max INTEGER NOT NULL,
    asks_from_day INTEGER NOT NULL,
    grace_ends_on_day INTEGER NOT NULL,
    declined_percent_max INTEGER NOT NULL,
    evidence JSONB NOT NULL,
    charge JSONB NOT NULL,
    CONSTRAINT pk_program_rules PRIMARY KEY (program_id, version),
    CONSTRAINT uq_program_rules_program_id_valid_from UNIQUE (program_id, valid_from),
    CONSTRAINT fk_program_rules_program_id FOREIGN KEY(program_id) REFERENCES programs (id)
);
CREATE TABLE funding_runs (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    fund_id UUID NOT NULL,
    until DATE NOT NULL,
    dry_run BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    after_child UUID,
    months INTEGER NOT NULL,
    funded INTEGER DEFAULT '0' NOT NULL,
    already INTEGER DEFAULT '0' NOT NULL,
    declined INTEGER DEFAULT '0' NOT NULL,
    allotted_tiyn BIGINT DEFAULT '0' NOT NULL,
    missing_tiyn BIGINT DEFAULT '0' NOT NULL,
    created_by UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_funding_runs PRIMARY KEY (id),
    CONSTRAINT ck_funding_runs_state_known CHECK (state IN ('running', 'done')),
    CONSTRAINT fk_funding_runs_fund_id FOREIGN KEY(fund_id) REFERENCES funds (id)
);
CREATE INDEX ix_funding_runs_running ON funding_runs (id) WHERE state = 'running';
"""


def upgrade() -> None:
    """Create everything, and make the ledger's own tables insert-only, also for their owner."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
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
