"""The plumbing's own tables, the same in every service's schema.

`audit_entries` is insert-only. `refuse_change()` is for every table that must be: the runtime role loses its
rights there, and the trigger refuses the owner too.
"""

from alembic import op

revision = "shared_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE audit_entries (
        id UUID NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        actor_id UUID,
        roles TEXT[] NOT NULL,
        action TEXT NOT NULL,
        object_kind TEXT NOT NULL,
        object_id UUID NOT NULL,
        reason TEXT,
        details JSONB NOT NULL,
        correlation_id UUID NOT NULL,
        CONSTRAINT pk_audit_entries PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_audit_entries_actor_id ON audit_entries (actor_id)",
    "CREATE INDEX ix_audit_entries_object_id ON audit_entries (object_id)",
    """
    CREATE TABLE consumer_offsets (
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        log_id TEXT NOT NULL,
        next_offset BIGINT NOT NULL,
        CONSTRAINT pk_consumer_offsets PRIMARY KEY (topic, partition)
    )
    """,
    """
    CREATE TABLE deadlines (
        kind TEXT NOT NULL,
        subject_id UUID NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE NOT NULL,
        attempts INTEGER DEFAULT '0' NOT NULL,
        retry_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_deadlines PRIMARY KEY (kind, subject_id)
    )
    """,
    "CREATE INDEX ix_deadlines_due_at ON deadlines (due_at)",
    """
    CREATE TABLE grants (
        id UUID NOT NULL,
        person_id UUID NOT NULL,
        role TEXT NOT NULL,
        scope_kind TEXT NOT NULL,
        scope_id UUID NOT NULL,
        version BIGINT NOT NULL,
        ended BOOLEAN NOT NULL,
        CONSTRAINT pk_grants PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_grants_person_id ON grants (person_id)",
    "CREATE INDEX ix_grants_scope_id ON grants (scope_id)",
    """
    CREATE TABLE guarded_children (
        child_id UUID NOT NULL,
        version BIGINT NOT NULL,
        CONSTRAINT pk_guarded_children PRIMARY KEY (child_id)
    )
    """,
    """
    CREATE TABLE idempotency (
        person_id UUID NOT NULL,
        route TEXT NOT NULL,
        key TEXT NOT NULL,
        fingerprint BYTEA NOT NULL,
        status SMALLINT,
        headers JSONB,
        body BYTEA,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_idempotency PRIMARY KEY (person_id, route, key),
        CONSTRAINT ck_idempotency_key_length CHECK (length(key) BETWEEN 1 AND 255)
    )
    """,
    "CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)",
    """
    CREATE TABLE inbox (
        event_id UUID NOT NULL,
        source TEXT NOT NULL,
        received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_inbox PRIMARY KEY (event_id, source)
    )
    """,
    "CREATE INDEX ix_inbox_received_at ON inbox USING brin (received_at)",
    """
    CREATE TABLE outbox (
        id BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        headers JSONB NOT NULL,
        value BYTEA NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_outbox PRIMARY KEY (id),
        CONSTRAINT ck_outbox_value_fits_a_record CHECK (octet_length(value) <= 262144)
    )
    """,
    """
    CREATE TABLE parked_keys (
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        attempts INTEGER DEFAULT '0' NOT NULL,
        next_attempt_at TIMESTAMP WITH TIME ZONE NOT NULL,
        parked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_parked_keys PRIMARY KEY (topic, key),
        CONSTRAINT ck_parked_keys_reason_is_known CHECK (reason IN ('not_yet', 'failed', 'unreadable'))
    )
    """,
    "CREATE INDEX ix_parked_keys_next_attempt_at ON parked_keys (next_attempt_at)",
    """
    CREATE TABLE parked_records (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        "offset" BIGINT NOT NULL,
        key TEXT,
        headers BYTEA NOT NULL,
        value BYTEA NOT NULL,
        CONSTRAINT pk_parked_records PRIMARY KEY (id),
        CONSTRAINT uq_parked_records_topic_partition_offset UNIQUE (topic, partition, "offset")
    )
    """,
    "CREATE INDEX ix_parked_records_topic_key_id ON parked_records (topic, key, id)",
    """
    CREATE TABLE proposals (
        id UUID NOT NULL,
        kind TEXT NOT NULL,
        scope_id UUID,
        payload JSONB NOT NULL,
        state TEXT NOT NULL,
        version BIGINT NOT NULL,
        proposed_by UUID NOT NULL,
        proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        decided_by UUID,
        decided_at TIMESTAMP WITH TIME ZONE,
        reason TEXT,
        made_id UUID,
        CONSTRAINT pk_proposals PRIMARY KEY (id),
        CONSTRAINT ck_proposals_state_is_known CHECK (
            state IN ('open', 'approved', 'rejected', 'expired', 'executed')
        ),
        CONSTRAINT ck_proposals_two_persons CHECK (decided_by <> proposed_by)
    )
    """,
    "CREATE INDEX ix_proposals_kind_id ON proposals (kind, id)",
)

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES:
        op.execute(statement)
    op.execute(REFUSE_CHANGE)
    op.execute(
        "CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    # The runtime role is named like the schema: deploy/postgres/setup.sql.
    op.execute(
        "DO $$ BEGIN"
        " EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM %I', current_schema());"
        " END $$"
    )
