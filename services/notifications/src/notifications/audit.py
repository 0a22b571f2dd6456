"""What must never be found in the database of notifications: each check finds nothing when all is well."""

AUDIT = {
    "messages_beyond_their_mailbox": """
        SELECT messages.id FROM messages LEFT JOIN mailboxes USING (person_id)
        WHERE mailboxes.person_id IS NULL OR messages.number > mailboxes.last_number
    """,
    "messages_about_children_nobody_described": """
        SELECT messages.id FROM messages LEFT JOIN guarded_children USING (child_id)
        WHERE messages.child_id IS NOT NULL AND guarded_children.child_id IS NULL
    """,
    "messages_to_people_who_never_were_guardians": """
        SELECT messages.id FROM messages
        WHERE provider_id IS NULL AND NOT EXISTS (
            SELECT FROM grants
            WHERE grants.role = 'guardian' AND grants.scope_id = messages.child_id
                AND grants.person_id = messages.person_id
        )
    """,
    "messages_to_people_who_never_were_directors": """
        SELECT messages.id FROM messages
        WHERE provider_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM grants
            WHERE grants.role = 'director' AND grants.scope_id = messages.provider_id
                AND grants.person_id = messages.person_id
        )
    """,
    "months_stopped_before_they_were_charged": """
        SELECT enrollment_id, month FROM bills WHERE revision = 0
    """,
    "deliveries_stuck_for_an_hour": """
        SELECT id FROM deliveries
        WHERE state = 'pending' AND next_at < clock_timestamp() - interval '1 hour'
            AND not_before < clock_timestamp() - interval '1 hour'
    """,
}
