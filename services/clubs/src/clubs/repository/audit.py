"""What must hold of the tables at any moment: each statement finds the rows for which it does not."""

# The seats that take days away from others.
_TAKEN = """(
    SELECT enrollment_id, group_id, starts_on, ends_before FROM seats
    WHERE state IN ('offered', 'reserved', 'freed') AND starts_on < ends_before
)"""

# Whether all seats of `groups` are taken on some day from `day` on. Occupancy only grows where a seat begins,
# so looking at those days, and at `day` itself, looks at every day.
_FULL_LATER = f"""EXISTS (
    SELECT FROM {_TAKEN} AS later
    WHERE later.group_id = groups.id AND later.ends_before > day AND groups.capacity <= (
        SELECT count(*) FROM {_TAKEN} AS other
        WHERE other.group_id = groups.id AND other.starts_on <= greatest(later.starts_on, day)
        AND other.ends_before > greatest(later.starts_on, day)
    )
)"""  # noqa: S608 - our own words only

# Occupancy only falls where a seat ends, or else there is room from the group's first day on.
_SOME_DAY_IS_FREE = f"""EXISTS (
    SELECT FROM (
        SELECT groups.starts_on AS day
        UNION SELECT ends_before FROM {_TAKEN} AS taken WHERE taken.group_id = groups.id
    ) AS days
    WHERE day <= groups.ends_on AND NOT {_FULL_LATER}
)"""  # noqa: S608 - our own words only

_SOMEBODY_WAITS = "EXISTS (SELECT FROM seats WHERE group_id = groups.id AND state = 'waiting')"
_NOT_OVER = "EXISTS (SELECT FROM deadlines WHERE kind = 'group_over' AND subject_id = groups.id)"

# The latest revision of each sheet.
_LATEST = (
    "(SELECT DISTINCT ON (enrollment_id, month) * FROM sheets ORDER BY enrollment_id, month, revision DESC)"
)

_OFFERINGS = {
    "seats_within_capacity": f"""
        SELECT seat.enrollment_id FROM {_TAKEN} AS seat JOIN groups ON groups.id = seat.group_id
        WHERE groups.capacity < (
            SELECT count(*) FROM {_TAKEN} AS other
            WHERE other.group_id = seat.group_id
            AND other.starts_on <= seat.starts_on AND other.ends_before > seat.starts_on
        )""",  # noqa: S608 - our own words only
    "seats_within_the_group": f"""
        SELECT seat.enrollment_id FROM {_TAKEN} AS seat JOIN groups ON groups.id = seat.group_id
        WHERE seat.starts_on < groups.starts_on OR seat.ends_before > groups.ends_on + 1""",  # noqa: S608 - our own words only
    "nobody_waits_for_a_free_seat": f"""
        SELECT id FROM groups WHERE {_SOMEBODY_WAITS} AND (closed OR {_SOME_DAY_IS_FREE})""",  # noqa: S608 - our own words only
    "free_from_is_free": f"""
        SELECT id FROM (SELECT *, free_from AS day FROM groups) AS groups
        WHERE day IS NOT NULL AND (closed OR day > ends_on OR {_FULL_LATER})""",  # noqa: S608 - our own words only
    "no_free_seat_is_forgotten": f"""
        SELECT id FROM groups
        WHERE free_from IS NULL AND NOT closed AND {_NOT_OVER} AND {_SOME_DAY_IS_FREE}""",  # noqa: S608 - our own words only
    "offers_have_a_deadline": """
        SELECT enrollment_id FROM seats WHERE state = 'offered' AND NOT EXISTS (
            SELECT FROM deadlines WHERE kind = 'offer_lapses' AND subject_id = seats.offer_id
        )""",
    "months_have_a_deadline": """
        SELECT id FROM groups WHERE NOT closed
        AND to_char(ends_on, 'YYYY-MM') > (SELECT max(month) FROM group_months WHERE group_id = groups.id)
        AND NOT EXISTS (SELECT FROM deadlines WHERE kind = 'months_due' AND subject_id = groups.id)""",
    "lessons_are_in_their_month": """
        SELECT id FROM lessons WHERE to_char(held_on, 'YYYY-MM') <> month""",
    "lessons_are_left_until_the_last_day": """
        SELECT lessons.id FROM lessons JOIN groups ON groups.id = lessons.group_id
        WHERE canceled <> (held_on > ends_on)""",
}

_ATTENDANCE = {
    "marks_within_seats": """
        SELECT number FROM marks JOIN lessons ON lessons.id = marks.lesson_id
        JOIN seats USING (enrollment_id)
        WHERE seats.group_id <> lessons.group_id OR seats.child_id <> marks.child_id
        OR seats.state = 'reserved' AND NOT (starts_on <= held_on AND held_on < ends_before)
        OR marks.at < lessons.starts_at""",
    "marks_before_closing": """
        SELECT number FROM marks JOIN lessons ON lessons.id = marks.lesson_id
        JOIN sheets ON sheets.enrollment_id = marks.enrollment_id AND sheets.month = lessons.month
        WHERE revision = 1 AND marks.at > made_at AND NOT corrects""",
    "sheets_are_of_their_digest": """
        SELECT enrollment_id, month, revision FROM sheets
        WHERE digest <> encode(sha256(convert_to(content, 'UTF8')), 'hex')
        OR content::jsonb ->> 'enrollment_id' <> enrollment_id::text
        OR content::jsonb ->> 'month' <> month""",
    "revisions_without_gaps": """
        SELECT enrollment_id, month FROM sheets GROUP BY enrollment_id, month
        HAVING max(revision) <> count(*)""",
    "closed_months_have_sheets": """
        SELECT seats.enrollment_id, group_months.month FROM group_months
        JOIN seats ON seats.group_id = group_months.group_id AND seats.state IN ('reserved', 'freed')
        WHERE group_months.closed AND EXISTS (
            SELECT FROM lessons
            WHERE lessons.group_id = group_months.group_id AND lessons.month = group_months.month
            AND NOT canceled AND held_on >= seats.starts_on AND held_on < seats.ends_before
        )
        AND NOT EXISTS (
            SELECT FROM sheets
            WHERE sheets.enrollment_id = seats.enrollment_id AND sheets.month = group_months.month
        )
        AND NOT EXISTS (
            SELECT FROM deadlines WHERE kind = 'seat_closes' AND subject_id = seats.enrollment_id
        )""",
    "open_months_have_a_deadline": """
        SELECT group_id FROM group_months WHERE NOT closed
        AND NOT EXISTS (SELECT FROM deadlines WHERE kind = 'month_closes' AND subject_id = group_id)""",
    "sheets_know_their_disputes": f"""
        SELECT sheet.enrollment_id, sheet.month FROM {_LATEST} AS sheet
        CROSS JOIN jsonb_array_elements(content::jsonb -> 'lessons') AS lesson
        LEFT JOIN disputes ON disputes.state <> 'withdrawn'
            AND disputes.enrollment_id = sheet.enrollment_id
            AND disputes.lesson_id = (lesson ->> 'lesson_id')::uuid
        WHERE (lesson ->> 'disputed')::boolean IS DISTINCT FROM coalesce(disputes.state = 'open', false)
        OR lesson ->> 'decided' IS DISTINCT FROM disputes.outcome""",  # noqa: S608 - our own words only
    "sheets_are_on_a_statement": f"""
        SELECT sheet.enrollment_id, sheet.month FROM {_LATEST} AS sheet WHERE NOT EXISTS (
            SELECT FROM statement_lines AS line JOIN statements ON statements.id = line.statement_id
            WHERE line.enrollment_id = sheet.enrollment_id AND line.month = sheet.month
            AND line.revision = sheet.revision AND statements.provider_id = sheet.provider_id
            AND statements.month = sheet.month
        )""",  # noqa: S608 - our own words only
    "lines_are_sheets": """
        SELECT statement_id, enrollment_id FROM statement_lines AS line WHERE NOT EXISTS (
            SELECT FROM sheets WHERE sheets.enrollment_id = line.enrollment_id
            AND sheets.month = line.month AND sheets.revision = line.revision AND sheets.digest = line.digest
        )""",
    "one_unsigned_statement": """
        SELECT provider_id, month FROM statements WHERE state <> 'signed'
        GROUP BY provider_id, month HAVING count(*) > 1""",
    "statements_open_while_months_are": """
        SELECT id FROM statements WHERE state = 'open' AND NOT EXISTS (
            SELECT FROM group_months JOIN groups ON groups.id = group_months.group_id
            WHERE groups.provider_id = statements.provider_id AND group_months.month = statements.month
            AND NOT group_months.closed
        )""",
}

AUDIT = {**_OFFERINGS, **_ATTENDANCE}
