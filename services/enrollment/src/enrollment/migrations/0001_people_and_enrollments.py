"""Children and who speaks for them, enrollments with their months, and the projections they are judged by."""

from alembic import op

revision = "enrollment_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE children (
    id UUID NOT NULL,
    iin_encrypted BYTEA NOT NULL,
    iin_index BYTEA NOT NULL,
    birth_date DATE NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    patronymic TEXT,
    school_name TEXT,
    school_rural BOOLEAN,
    priority INTEGER NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT pk_children PRIMARY KEY (id),
    CONSTRAINT ck_children_priority_counts_up CHECK (priority >= 0),
    CONSTRAINT uq_children_iin_index UNIQUE (iin_index)
);
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
    age_from INTEGER NOT NULL,
    age_to INTEGER NOT NULL,
    schedule JSONB NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    closed BOOLEAN NOT NULL,
    CONSTRAINT pk_groups PRIMARY KEY (id)
);
CREATE INDEX ix_groups_provider_id ON groups (provider_id);
CREATE TABLE programs (
    id UUID NOT NULL,
    version BIGINT NOT NULL,
    region_id UUID NOT NULL,
    asks_from_day INTEGER NOT NULL,
    grace_ends_on_day INTEGER NOT NULL,
    declined_percent_max INTEGER NOT NULL,
    CONSTRAINT pk_programs PRIMARY KEY (id)
);
CREATE TABLE unfunded_reviews (
    id UUID NOT NULL,
    program_id UUID NOT NULL,
    month TEXT NOT NULL,
    verdict TEXT NOT NULL,
    unfunded INTEGER NOT NULL,
    enrolled INTEGER NOT NULL,
    proposal_id UUID,
    CONSTRAINT pk_unfunded_reviews PRIMARY KEY (id),
    CONSTRAINT uq_unfunded_reviews_program_id_month UNIQUE (program_id, month),
    CONSTRAINT ck_unfunded_reviews_verdict_is_known CHECK (verdict IN ('end', 'wait'))
);
CREATE TABLE enrollments (
    id UUID NOT NULL,
    child_id UUID NOT NULL,
    group_id UUID NOT NULL,
    requested_by UUID NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE,
    code TEXT,
    missing_tiyn BIGINT,
    place INTEGER,
    offer_id UUID,
    offer_until TIMESTAMP WITH TIME ZONE,
    program_id UUID,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_enrollments PRIMARY KEY (id),
    CONSTRAINT ck_enrollments_state_is_known
        CHECK (state IN ('requested', 'queued', 'offered', 'funding',
            'payment_required', 'confirmed', 'rejected', 'canceled', 'ended')),
    CONSTRAINT ck_enrollments_confirmed_has_a_program
        CHECK (state NOT IN ('confirmed', 'ended') OR program_id IS NOT NULL),
    CONSTRAINT fk_enrollments_child_id FOREIGN KEY(child_id) REFERENCES children (id)
);
CREATE INDEX ix_enrollments_child_id_id ON enrollments (child_id, id);
CREATE INDEX ix_enrollments_group_id_id ON enrollments (group_id, id);
CREATE INDEX ix_enrollments_program_id ON enrollments (program_id);
CREATE UNIQUE INDEX uq_enrollments_live ON enrollments (child_id, group_id)
    WHERE state IN ('requested', 'queued', 'offered', 'funding', 'payment_required', 'confirmed');
CREATE TABLE entitlements (
    id UUID NOT NULL,
    child_id UUID NOT NULL,
    program_id UUID NOT NULL,
    starts_on DATE NOT NULL,
    until DATE NOT NULL,
    coefficient_percent INTEGER NOT NULL,
    version BIGINT NOT NULL,
    CONSTRAINT pk_entitlements PRIMARY KEY (id),
    CONSTRAINT uq_entitlements_child_id_program_id UNIQUE (child_id, program_id),
    CONSTRAINT ck_entitlements_ends_after_start CHECK (until >= starts_on),
    CONSTRAINT ck_entitlements_coefficient_in_range CHECK (coefficient_percent BETWEEN 1 AND 1000),
    CONSTRAINT fk_entitlements_child_id FOREIGN KEY(child_id) REFERENCES children (id)
);
CREATE TABLE guardian_links (
    id UUID NOT NULL,
    person_id UUID NOT NULL,
    iin_encrypted BYTEA,
    iin_index BYTEA NOT NULL,
    birth_date DATE NOT NULL,
    child_id UUID,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    asks INTEGER DEFAULT '0' NOT NULL,
    next_ask_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_guardian_links PRIMARY KEY (id),
    CONSTRAINT ck_guardian_links_state_is_known CHECK (state IN ('claimed', 'refused', 'verified', 'ended')),
    CONSTRAINT ck_guardian_links_child_is_known_once_verified
        CHECK ((state IN ('verified', 'ended')) = (child_id IS NOT NULL)),
    CONSTRAINT ck_guardian_links_only_claims_are_asked_about
        CHECK ((state = 'claimed') = (next_ask_at IS NOT NULL)),
    CONSTRAINT fk_guardian_links_child_id FOREIGN KEY(child_id) REFERENCES children (id)
);
CREATE INDEX ix_guardian_links_child_id ON guardian_links (child_id);
CREATE INDEX ix_guardian_links_person_id_claimed_at ON guardian_links (person_id, claimed_at);
CREATE INDEX ix_guardian_links_to_ask ON guardian_links (next_ask_at) WHERE state = 'claimed';
CREATE UNIQUE INDEX uq_guardian_links_live ON guardian_links (person_id, iin_index)
    WHERE state IN ('claimed', 'verified');
CREATE TABLE enrollment_months (
    enrollment_id UUID NOT NULL,
    month TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    code TEXT,
    missing_tiyn BIGINT NOT NULL,
    grace_ends_on DATE,
    asked_on_eve BOOLEAN NOT NULL,
    CONSTRAINT pk_enrollment_months PRIMARY KEY (enrollment_id, month),
    CONSTRAINT ck_enrollment_months_state_is_known
        CHECK (state IN ('asked', 'funded', 'unfunded', 'charged')),
    CONSTRAINT fk_enrollment_months_enrollment_id FOREIGN KEY(enrollment_id) REFERENCES enrollments (id)
);
CREATE INDEX ix_enrollment_months_month ON enrollment_months (month);
CREATE INDEX ix_enrollment_months_unfunded ON enrollment_months (enrollment_id) WHERE state = 'unfunded';
CREATE UNIQUE INDEX uq_enrollment_months_asked ON enrollment_months (enrollment_id) WHERE state = 'asked';
"""


def upgrade() -> None:
    """Create everything."""
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
