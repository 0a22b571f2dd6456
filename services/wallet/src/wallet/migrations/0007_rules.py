"""A rate in MRP and caps for a child in the rules of programs; and the facts that months were charged by."""

from alembic import op

revision = "wallet_0007"
down_revision = "wallet_0006"
branch_labels = None
depends_on = None

CHANGES = """
CREATE TABLE mrp (
    valid_from DATE NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    CONSTRAINT pk_mrp PRIMARY KEY (valid_from),
    CONSTRAINT ck_mrp_amount_positive CHECK (amount_tiyn > 0)
);
INSERT INTO mrp (valid_from, amount_tiyn) VALUES ('2025-01-01', 393200), ('2026-01-01', 432500);
CREATE TABLE month_facts (
    month TEXT NOT NULL,
    enrollment_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    facts JSONB NOT NULL,
    CONSTRAINT pk_month_facts PRIMARY KEY (month, enrollment_id)
);
ALTER TABLE program_rules
    ALTER COLUMN monthly_rate_tiyn DROP NOT NULL,
    ADD COLUMN monthly_rate_mrp_thousandths INTEGER,
    ADD COLUMN month_cap_tiyn BIGINT,
    ADD COLUMN year_cap_tiyn BIGINT,
    ADD CONSTRAINT ck_program_rules_one_rate
        CHECK (num_nonnulls(monthly_rate_tiyn, monthly_rate_mrp_thousandths) = 1);
"""
"""The MRP of 2025 and 2026 is that of the laws on the republic's budget: 3,932 and 4,325 tenge."""


def upgrade() -> None:
    """Nothing that is there changes."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in CHANGES.split(";"):
        if statement.strip():
            op.execute(statement)
