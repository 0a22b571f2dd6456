"""Where the ledger lives, and what the bank paid of which a restored ledger knows nothing yet."""

from alembic import op

revision = "wallet_0004"
down_revision = "wallet_0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE recoveries (
    id UUID NOT NULL,
    cluster TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recoveries PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_recoveries_open ON recoveries ((true)) WHERE ended_at IS NULL;
CREATE TABLE bank_days (
    day DATE NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_bank_days PRIMARY KEY (day)
);
CREATE TABLE bank_lines (
    end_to_end_id TEXT NOT NULL,
    day DATE NOT NULL,
    amount_tiyn BIGINT NOT NULL,
    iban TEXT NOT NULL,
    purpose TEXT NOT NULL,
    payout_id UUID,
    trouble TEXT,
    CONSTRAINT pk_bank_lines PRIMARY KEY (end_to_end_id),
    CONSTRAINT ck_bank_lines_of_something CHECK (amount_tiyn > 0),
    CONSTRAINT fk_bank_lines_payout_id_payouts FOREIGN KEY (payout_id) REFERENCES payouts (id)
);
"""


def upgrade() -> None:
    """Nothing that is there changes."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
