"""Lessons as they were held: reports and marks, absences, disputes, sheets and signed statements."""

from alembic import op

revision = "clubs_0002"
down_revision = "clubs_0001"
branch_labels = None
depends_on = "shared_0001"  # for refuse_change() and deadlines

TABLES = (
    """
    CREATE TABLE reports (
        number BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
        lesson_id UUID NOT NULL,
        source TEXT NOT NULL,
        person_id UUID NOT NULL,
        took_place BOOLEAN NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_reports PRIMARY KEY (number),
        CONSTRAINT fk_reports_lesson_id_lessons FOREIGN KEY (lesson_id) REFERENCES lessons (id),
        CONSTRAINT ck_reports_source_known CHECK (source IN ('coach', 'device'))
    )
    """,
    "CREATE INDEX ix_reports_lesson_id ON reports (lesson_id)",
    """
    CREATE TABLE marks (
        number BIGINT GENERATED ALWAYS AS IDENTITY (CACHE 1),
        lesson_id UUID NOT NULL,
        enrollment_id UUID NOT NULL,
        child_id UUID NOT NULL,
        source TEXT NOT NULL,
        person_id UUID NOT NULL,
        present BOOLEAN NOT NULL,
        corrects BOOLEAN NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_marks PRIMARY KEY (number),
        CONSTRAINT fk_marks_lesson_id_lessons FOREIGN KEY (lesson_id) REFERENCES lessons (id),
        CONSTRAINT fk_marks_enrollment_id_seats FOREIGN KEY (enrollment_id) REFERENCES seats (enrollment_id),
        CONSTRAINT ck_marks_source_known CHECK (source IN ('coach', 'guardian', 'device')),
        CONSTRAINT ck_marks_coaches_correct CHECK (source = 'coach' OR NOT corrects)
    )
    """,
    "CREATE INDEX ix_marks_lesson_id_enrollment_id ON marks (lesson_id, enrollment_id)",
    """
    CREATE TABLE absences (
        id UUID NOT NULL,
        child_id UUID NOT NULL,
        provider_id UUID NOT NULL,
        since DATE NOT NULL,
        until DATE NOT NULL,
        asked_by UUID NOT NULL,
        asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        accepted_by UUID,
        accepted_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_absences PRIMARY KEY (id),
        CONSTRAINT fk_absences_provider_id_providers FOREIGN KEY (provider_id) REFERENCES providers (id),
        CONSTRAINT uq_absences_child_id_provider_id_since_until UNIQUE (child_id, provider_id, since, until),
        CONSTRAINT ck_absences_days_in_order CHECK (since <= until),
        CONSTRAINT ck_absences_accepted_whole CHECK ((accepted_by IS NULL) = (accepted_at IS NULL))
    )
    """,
    "CREATE INDEX ix_absences_provider_id ON absences (provider_id)",
    """
    CREATE TABLE disputes (
        id UUID NOT NULL,
        version BIGINT NOT NULL,
        enrollment_id UUID NOT NULL,
        child_id UUID NOT NULL,
        lesson_id UUID NOT NULL,
        group_id UUID NOT NULL,
        provider_id UUID NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT,
        reason TEXT,
        opened_by UUID NOT NULL,
        opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
        closed_by UUID,
        closed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_disputes PRIMARY KEY (id),
        CONSTRAINT fk_disputes_enrollment_id_seats
            FOREIGN KEY (enrollment_id) REFERENCES seats (enrollment_id),
        CONSTRAINT fk_disputes_lesson_id_lessons FOREIGN KEY (lesson_id) REFERENCES lessons (id),
        CONSTRAINT fk_disputes_group_id_groups FOREIGN KEY (group_id) REFERENCES groups (id),
        CONSTRAINT fk_disputes_provider_id_providers FOREIGN KEY (provider_id) REFERENCES providers (id),
        CONSTRAINT ck_disputes_state_known CHECK (state IN ('open', 'withdrawn', 'decided')),
        CONSTRAINT ck_disputes_outcome_known CHECK (outcome IN ('count', 'do_not_count')),
        CONSTRAINT ck_disputes_decided_with_a_reason CHECK (
            (state = 'decided') = (outcome IS NOT NULL) AND (state = 'decided') = (reason IS NOT NULL)
        ),
        CONSTRAINT ck_disputes_closed_by_somebody CHECK (
            (state = 'open') = (closed_by IS NULL) AND (state = 'open') = (closed_at IS NULL)
        )
    )
    """,
    "CREATE UNIQUE INDEX uq_disputes_standing ON disputes (lesson_id, child_id) WHERE state <> 'withdrawn'",
    "CREATE INDEX ix_disputes_child_id ON disputes (child_id)",
    "CREATE INDEX ix_disputes_provider_id ON disputes (provider_id)",
    """
    CREATE TABLE sheets (
        enrollment_id UUID NOT NULL,
        month TEXT NOT NULL,
        revision INTEGER NOT NULL,
        group_id UUID NOT NULL,
        provider_id UUID NOT NULL,
        child_id UUID NOT NULL,
        digest TEXT NOT NULL,
        content TEXT NOT NULL,
        made_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_sheets PRIMARY KEY (enrollment_id, month, revision),
        CONSTRAINT fk_sheets_enrollment_id_seats FOREIGN KEY (enrollment_id) REFERENCES seats (enrollment_id),
        CONSTRAINT ck_sheets_revisions_from_one CHECK (revision >= 1)
    )
    """,
    "CREATE INDEX ix_sheets_group_id_month ON sheets (group_id, month)",
    """
    CREATE TABLE statements (
        id UUID NOT NULL,
        version BIGINT NOT NULL,
        provider_id UUID NOT NULL,
        month TEXT NOT NULL,
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        signed_by UUID,
        signed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_statements PRIMARY KEY (id),
        CONSTRAINT fk_statements_provider_id_providers FOREIGN KEY (provider_id) REFERENCES providers (id),
        CONSTRAINT uq_statements_provider_id_month_number UNIQUE (provider_id, month, number),
        CONSTRAINT ck_statements_state_known CHECK (state IN ('open', 'ready', 'signed')),
        CONSTRAINT ck_statements_signed_by_somebody CHECK (
            (state = 'signed') = (signed_by IS NOT NULL) AND (state = 'signed') = (signed_at IS NOT NULL)
        )
    )
    """,
    "CREATE UNIQUE INDEX uq_statements_unsigned ON statements (provider_id, month) WHERE state <> 'signed'",
    """
    CREATE TABLE statement_lines (
        statement_id UUID NOT NULL,
        enrollment_id UUID NOT NULL,
        month TEXT NOT NULL,
        revision INTEGER NOT NULL,
        digest TEXT NOT NULL,
        CONSTRAINT pk_statement_lines PRIMARY KEY (statement_id, enrollment_id),
        CONSTRAINT fk_statement_lines_statement_id_statements
            FOREIGN KEY (statement_id) REFERENCES statements (id),
        CONSTRAINT fk_statement_lines_enrollment_id_month_revision_sheets
            FOREIGN KEY (enrollment_id, month, revision) REFERENCES sheets (enrollment_id, month, revision)
    )
    """,
    "ALTER TABLE group_months ADD COLUMN closed BOOLEAN NOT NULL DEFAULT false",
    "ALTER TABLE group_months ALTER COLUMN closed DROP DEFAULT",
    "CREATE INDEX ix_seats_child_id ON seats (child_id)",
)

INSERT_ONLY = ("reports", "marks", "sheets")

# Groups that were opened before there was anything to close: the end of the windows of their first month.
CLOSING_OF_OLD_GROUPS = """
INSERT INTO deadlines (kind, subject_id, due_at)
SELECT 'month_closes', groups.id,
    (least(to_date(min(month), 'YYYY-MM') + interval '1 month', groups.ends_on + 1) + interval '4 days')
        AT TIME ZONE 'Asia/Almaty'
FROM groups JOIN group_months ON group_months.group_id = groups.id
GROUP BY groups.id
"""


def upgrade() -> None:
    """Create the tables; what was said and what was closed can be added to, never changed."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in TABLES:
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
    op.execute(CLOSING_OF_OLD_GROUPS)
