"""Money that goes back: allotments that nobody uses, claims that are repaid, and what takes two persons.

An allotment that is there already counts as used today: how long nobody has used it was not kept.
"""

from alembic import op

revision = "wallet_0009"
down_revision = "wallet_0008"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE program_rules ADD COLUMN restore_days INTEGER NOT NULL DEFAULT 28;
ALTER TABLE accounts ADD COLUMN moved_on DATE DEFAULT CURRENT_DATE,
    ADD COLUMN given_back BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE accounts ALTER COLUMN moved_on DROP DEFAULT;
ALTER TABLE payable_items ADD COLUMN recovered_tiyn BIGINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_payable_items_recovered_of_what_settled CHECK (
        recovered_tiyn BETWEEN 0 AND claimed_tiyn AND (recovered_tiyn = 0 OR stage = 'settled')
    );
CREATE INDEX ix_payable_items_claimed ON payable_items (provider_id, fund_id) WHERE claimed_tiyn > 0;
ALTER TABLE item_entries DROP CONSTRAINT ck_item_entries_kind_known;
ALTER TABLE item_entries ADD CONSTRAINT ck_item_entries_kind_known CHECK (
    kind IN ('capture', 'refund', 'claw_back', 'withdraw_claim', 'pay_out', 'settle', 'bounce', 'recover')
) NOT VALID;
ALTER TABLE item_entries VALIDATE CONSTRAINT ck_item_entries_kind_known;
CREATE TABLE approved_operations (
    operation_id UUID NOT NULL,
    fund_id UUID NOT NULL,
    proposal_id UUID NOT NULL,
    proposed_by UUID NOT NULL,
    approved_by UUID NOT NULL,
    approved_at TIMESTAMP WITH TIME ZONE NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    provider_id UUID,
    bank_reference TEXT,
    corrects UUID,
    reason TEXT,
    CONSTRAINT pk_approved_operations PRIMARY KEY (operation_id),
    CONSTRAINT uq_approved_operations_proposal_id UNIQUE (proposal_id),
    CONSTRAINT uq_approved_operations_fund_id_bank_reference UNIQUE (fund_id, bank_reference),
    CONSTRAINT ck_approved_operations_two_persons CHECK (proposed_by <> approved_by),
    CONSTRAINT ck_approved_operations_amount_positive CHECK (amount_tiyn > 0),
    CONSTRAINT ck_approved_operations_of_the_bank_or_a_correction
        CHECK (num_nonnulls(bank_reference, corrects) = 1),
    CONSTRAINT ck_approved_operations_corrected_for_a_reason CHECK ((corrects IS NULL) = (reason IS NULL))
);
CREATE INDEX ix_approved_operations_fund_id_operation_id ON approved_operations (fund_id, operation_id);
CREATE INDEX ix_approved_operations_corrects ON approved_operations (corrects) WHERE corrects IS NOT NULL;
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON approved_operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TABLE allotment_sweeps (
    fund_id UUID NOT NULL,
    day DATE NOT NULL,
    after_account BIGINT,
    CONSTRAINT pk_allotment_sweeps PRIMARY KEY (fund_id),
    CONSTRAINT fk_allotment_sweeps_fund_id_funds FOREIGN KEY (fund_id) REFERENCES funds (id)
);
"""


def upgrade() -> None:
    """Nothing that is there changes."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
    # The runtime role is named like the schema: deploy/postgres/setup.sql.
    op.execute(
        """
        DO $$ BEGIN
            EXECUTE format(
                'REVOKE UPDATE, DELETE, TRUNCATE ON approved_operations FROM %I', current_schema()
            );
        END $$
        """
    )
