"""From a month's facts to the bank order: charges, payable items, signatures, runs and orders."""

from alembic import op

revision = "wallet_0003"
down_revision = "wallet_0002"
branch_labels = None
depends_on = None

INSERT_ONLY = ("charges", "item_entries", "signed_revisions", "bank_reports")

CHANGES = """
ALTER TABLE accounts
    ADD COLUMN provider_id UUID,
    ADD COLUMN payout_id UUID,
    DROP CONSTRAINT ck_accounts_no_overdraft,
    ADD CONSTRAINT ck_accounts_no_overdraft CHECK (
        CASE WHEN kind IN (1, 6) THEN credited <= debited ELSE debited + held <= credited END
    ),
    ADD CONSTRAINT ck_accounts_owed_to_or_by_a_provider CHECK ((kind IN (5, 6)) = (provider_id IS NOT NULL)),
    ADD CONSTRAINT ck_accounts_on_its_way_by_an_order CHECK ((kind = 7) = (payout_id IS NOT NULL));
CREATE UNIQUE INDEX uq_accounts_provider ON accounts (provider_id, (id >> 40), kind) WHERE kind IN (5, 6);
CREATE UNIQUE INDEX uq_accounts_payout ON accounts (payout_id) WHERE kind = 7;
ALTER TABLE hold_layers
    ADD COLUMN captured_tiyn BIGINT DEFAULT '0' NOT NULL,
    DROP CONSTRAINT ck_hold_layers_released_within,
    ADD CONSTRAINT ck_hold_layers_released_or_captured_within CHECK (
        released_tiyn >= 0 AND captured_tiyn >= 0 AND released_tiyn + captured_tiyn <= amount_tiyn
    );
ALTER TABLE enrollment_months
    ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN captured_tiyn BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN disputed_tiyn BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN uncovered_tiyn BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN frozen BOOLEAN DEFAULT 'false' NOT NULL,
    DROP CONSTRAINT ck_enrollment_months_state_known,
    ADD CONSTRAINT ck_enrollment_months_state_known CHECK (
        state IN ('held', 'declined', 'released', 'charged')
    ),
    ADD CONSTRAINT ck_enrollment_months_charged_by_a_revision CHECK ((state = 'charged') = (revision > 0));
"""

TABLES = """
CREATE TABLE charges (
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    revision INTEGER NOT NULL,
    operation_id UUID NOT NULL,
    child_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    group_id UUID NOT NULL,
    digest TEXT NOT NULL,
    code TEXT,
    cost_tiyn BIGINT NOT NULL,
    captured_tiyn BIGINT NOT NULL,
    disputed_tiyn BIGINT NOT NULL,
    uncovered_tiyn BIGINT NOT NULL,
    frozen BOOLEAN NOT NULL,
    verdicts JSONB NOT NULL,
    charged_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_charges PRIMARY KEY (enrollment_id, month, revision),
    CONSTRAINT uq_charges_operation_id UNIQUE (operation_id)
);
CREATE TABLE payable_items (
    id UUID NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    child_id UUID NOT NULL,
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    revision INTEGER NOT NULL,
    provider_id UUID NOT NULL,
    group_id UUID NOT NULL,
    fund_id UUID NOT NULL,
    place SMALLINT NOT NULL,
    charged_tiyn BIGINT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    claimed_tiyn BIGINT DEFAULT '0' NOT NULL,
    stage TEXT NOT NULL,
    frozen BOOLEAN NOT NULL,
    due_on DATE NOT NULL,
    payout_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_payable_items PRIMARY KEY (id),
    CONSTRAINT uq_payable_items_enrollment_id_month_fund_id_revision
        UNIQUE (enrollment_id, month, fund_id, revision),
    CONSTRAINT ck_payable_items_stage_known CHECK (
        stage IN ('charged', 'due', 'in_run', 'submitting', 'sent', 'settled', 'void')
    ),
    CONSTRAINT ck_payable_items_frozen_before_it_leaves CHECK (
        NOT frozen OR stage IN ('charged', 'due')
    ),
    CONSTRAINT ck_payable_items_of_an_order_while_it_is_paid CHECK (
        (payout_id IS NOT NULL) = (stage IN ('in_run', 'submitting', 'sent', 'settled'))
    ),
    CONSTRAINT ck_payable_items_amount_within CHECK (amount_tiyn BETWEEN 0 AND charged_tiyn),
    CONSTRAINT ck_payable_items_void_at_zero CHECK ((amount_tiyn = 0) = (stage = 'void')),
    CONSTRAINT ck_payable_items_claimed_of_what_left CHECK (
        claimed_tiyn BETWEEN 0 AND amount_tiyn
        AND (claimed_tiyn = 0 OR stage IN ('submitting', 'sent', 'settled'))
    )
) WITH (fillfactor = 75);
CREATE INDEX ix_payable_items_due ON payable_items (fund_id, due_on) WHERE stage = 'due';
CREATE INDEX ix_payable_items_payout_id ON payable_items (payout_id) WHERE payout_id IS NOT NULL;
CREATE INDEX ix_payable_items_provider_id_month_id ON payable_items (provider_id, month, id);
CREATE TABLE item_entries (
    item_id UUID NOT NULL,
    operation_id UUID NOT NULL,
    kind TEXT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    payout_id UUID,
    CONSTRAINT pk_item_entries PRIMARY KEY (item_id, operation_id, kind),
    CONSTRAINT ck_item_entries_amount_positive CHECK (amount_tiyn > 0),
    CONSTRAINT ck_item_entries_kind_known CHECK (
        kind IN ('capture', 'refund', 'claw_back', 'withdraw_claim', 'pay_out', 'settle', 'bounce')
    )
);
CREATE INDEX ix_item_entries_payout_id ON item_entries (payout_id) WHERE payout_id IS NOT NULL;
CREATE TABLE signed_revisions (
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    provider_id UUID NOT NULL,
    statement_id UUID NOT NULL,
    signed_by UUID NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_signed_revisions PRIMARY KEY (enrollment_id, month, revision, digest)
);
CREATE TABLE payees (
    id UUID NOT NULL,
    provider_id UUID NOT NULL,
    iban TEXT NOT NULL,
    name TEXT NOT NULL,
    bin TEXT NOT NULL,
    proposal_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    replaced_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payees PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_payees_current ON payees (provider_id) WHERE replaced_at IS NULL;
CREATE TABLE payout_runs (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    fund_id UUID NOT NULL,
    state TEXT NOT NULL,
    proposal_id UUID NOT NULL,
    digest TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    approved_by UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    approved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payout_runs PRIMARY KEY (id),
    CONSTRAINT ck_payout_runs_state_known CHECK (state IN ('proposed', 'approved', 'given_up')),
    CONSTRAINT ck_payout_runs_two_persons CHECK (approved_by <> proposed_by),
    CONSTRAINT fk_payout_runs_fund_id FOREIGN KEY(fund_id) REFERENCES funds (id)
);
CREATE INDEX ix_payout_runs_fund_id ON payout_runs (fund_id);
CREATE INDEX ix_payout_runs_proposed ON payout_runs (id) WHERE state = 'proposed';
CREATE TABLE payouts (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    run_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    fund_id UUID NOT NULL,
    iban TEXT NOT NULL,
    name TEXT NOT NULL,
    bin TEXT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    items INTEGER NOT NULL,
    state TEXT NOT NULL,
    msg_id TEXT NOT NULL,
    end_to_end_id TEXT NOT NULL,
    content BYTEA,
    attempts INTEGER DEFAULT '0' NOT NULL,
    code TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    submitted_at TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    answered_at TIMESTAMP WITH TIME ZONE,
    final_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payouts PRIMARY KEY (id),
    CONSTRAINT ck_payouts_state_known CHECK (
        state IN ('prepared', 'submitting', 'sent', 'accepted', 'settled', 'bounced', 'unknown')
    ),
    CONSTRAINT ck_payouts_of_something CHECK (amount_tiyn > 0 AND items > 0),
    CONSTRAINT ck_payouts_frozen_when_it_leaves CHECK ((content IS NULL) = (state = 'prepared')),
    CONSTRAINT ck_payouts_ids_short CHECK (length(msg_id) <= 35 AND length(end_to_end_id) <= 35),
    CONSTRAINT fk_payouts_run_id FOREIGN KEY(run_id) REFERENCES payout_runs (id),
    CONSTRAINT fk_payouts_fund_id FOREIGN KEY(fund_id) REFERENCES funds (id),
    CONSTRAINT uq_payouts_msg_id UNIQUE (msg_id),
    CONSTRAINT uq_payouts_end_to_end_id UNIQUE (end_to_end_id)
);
CREATE INDEX ix_payouts_open ON payouts (id) WHERE state NOT IN ('settled', 'bounced');
CREATE INDEX ix_payouts_provider_id_id ON payouts (provider_id, id);
CREATE INDEX ix_payouts_run_id ON payouts (run_id);
CREATE TABLE bank_reports (
    payout_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    contradicts BOOLEAN NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_bank_reports PRIMARY KEY (payout_id, digest),
    CONSTRAINT fk_bank_reports_payout_id FOREIGN KEY(payout_id) REFERENCES payouts (id)
);
"""


def upgrade() -> None:
    """Widen what there is, create the rest, and make what tells the past insert-only, also for its owner."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (CHANGES + TABLES).split(";"):
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
