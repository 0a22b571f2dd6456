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

AUDIT = {
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
}
