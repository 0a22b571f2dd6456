"""What must hold of the tables at any moment: each statement finds the rows for which it does not."""

AUDIT = {
    # Occupancy only grows where a seat begins, so looking at those days looks at every day.
    "seats_within_capacity": """
        SELECT seat.enrollment_id FROM seats AS seat JOIN groups ON groups.id = seat.group_id
        WHERE seat.state IN ('offered', 'reserved', 'freed') AND seat.starts_on < seat.ends_before
        AND groups.capacity < (
            SELECT count(*) FROM seats AS other
            WHERE other.group_id = seat.group_id AND other.state IN ('offered', 'reserved', 'freed')
            AND other.starts_on <= seat.starts_on AND other.ends_before > seat.starts_on
        )""",
    "seats_within_the_group": """
        SELECT seat.enrollment_id FROM seats AS seat JOIN groups ON groups.id = seat.group_id
        WHERE seat.state IN ('offered', 'reserved', 'freed') AND seat.starts_on < seat.ends_before
        AND (seat.starts_on < groups.starts_on OR seat.ends_before > groups.ends_on + 1)""",
    "nobody_waits_for_a_free_seat": """
        SELECT id FROM groups WHERE free_from IS NOT NULL
        AND EXISTS (SELECT FROM seats WHERE seats.group_id = groups.id AND seats.state = 'waiting')""",
    "free_from_is_what_the_seats_say": """
        SELECT id FROM groups WHERE NOT closed AND free_from IS DISTINCT FROM (
            SELECT min(day) FROM (
                SELECT groups.starts_on AS day UNION
                SELECT ends_before FROM seats WHERE seats.group_id = groups.id AND ends_before IS NOT NULL
            ) AS days
            WHERE day BETWEEN groups.starts_on AND groups.ends_on AND NOT EXISTS (
                SELECT FROM seats AS full_day
                WHERE full_day.group_id = groups.id AND full_day.starts_on < full_day.ends_before
                AND full_day.state IN ('offered', 'reserved', 'freed')
                AND groups.capacity <= (
                    SELECT count(*) FROM seats AS other
                    WHERE other.group_id = groups.id AND other.state IN ('offered', 'reserved', 'freed')
                    AND other.starts_on <= greatest(full_day.starts_on, day)
                    AND other.ends_before > greatest(full_day.starts_on, day)
                )
            )
        )""",
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
}
