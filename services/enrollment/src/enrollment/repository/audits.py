"""What must never be found in enrollment's tables: each of these selects nothing when all is well."""

AUDITS = {
    "confirmed_without_a_funded_first_month": """
        SELECT id FROM enrollments
        WHERE state = 'confirmed' AND (ends_on IS NULL OR ends_on > starts_on)
          AND NOT EXISTS (
              SELECT FROM enrollment_months AS month
              WHERE month.enrollment_id = enrollments.id AND month.state IN ('funded', 'charged')
          )
          AND (ends_on IS NULL OR EXISTS (
              SELECT FROM enrollment_months AS month WHERE month.enrollment_id = enrollments.id
          ))
    """,
    "child_twice_in_a_group": """
        SELECT child_id, group_id FROM enrollments
        WHERE state NOT IN ('rejected', 'canceled', 'ended')
        GROUP BY child_id, group_id HAVING count(*) > 1
    """,
    "month_after_the_end": """
        SELECT id FROM enrollments JOIN enrollment_months ON enrollment_id = id
        WHERE ends_on IS NOT NULL AND (month || '-01')::date >= ends_on
    """,
    "month_of_what_came_to_nothing": """
        SELECT id FROM enrollments JOIN enrollment_months ON enrollment_id = id
        WHERE enrollments.state IN ('requested', 'queued', 'offered', 'rejected', 'canceled')
    """,
    "unsettled_for_an_hour": """
        SELECT id FROM enrollments
        WHERE state IN ('requested', 'funding') AND changed_at < clock_timestamp() - interval '1 hour'
    """,
    "unfunded_without_an_end_of_grace": """
        SELECT enrollment_id FROM enrollment_months WHERE state = 'unfunded' AND grace_ends_on IS NULL
    """,
    "end_without_its_deadline": """
        SELECT id FROM enrollments
        WHERE state = 'confirmed' AND ends_on IS NOT NULL
          AND NOT EXISTS (
              SELECT FROM deadlines WHERE kind = 'enrollment_ends' AND subject_id = enrollments.id
          )
    """,
    "guardian_with_no_grant": """
        SELECT link.id FROM guardian_links AS link
        WHERE link.state = 'verified' AND NOT EXISTS (
            SELECT FROM grants
            WHERE role = 'guardian' AND NOT ended
              AND grants.person_id = link.person_id AND scope_id = link.child_id
        )
    """,
    "guardian_grant_with_no_link": """
        SELECT id FROM grants
        WHERE role = 'guardian' AND NOT ended AND NOT EXISTS (
            SELECT FROM guardian_links AS link
            WHERE link.state = 'verified' AND link.person_id = grants.person_id
              AND link.child_id = grants.scope_id
        )
    """,
}
