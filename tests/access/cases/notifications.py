"""Notifications' endpoints: everybody has an inbox, contacts and preferences of their own, and no other."""

from access.cases import (
    EMPTY,
    REJECTION,
    Case,
    always,
    any_of_them,
    for_everyone,
    listed,
    listed_of_any,
    own,
)

CONTACTS = {"email": "aigerim@example.kz", "phone": "+7 701 123 45 67"}
PREFERENCES = {
    "language": "kk",
    "topics": {"children": [], "seats": ["email"], "enrollments": [], "money": [], "attendance": ["sms"]},
    "quiet_hours": {"starts_at": "21:00", "ends_at": "08:00"},
}

CASES: dict[str, Case] = {
    "GET /v1/inbox/stream": for_everyone(),
    "GET /v1/inbox": Case({"guardian": listed()}, others=always(EMPTY), lists="message"),
    "POST /v1/inbox/{message_id}/read": Case({"guardian": own()}, others=always(404)),
    "GET /v1/me/contacts": for_everyone(),
    "PUT /v1/me/contacts": for_everyone(body=CONTACTS),
    "GET /v1/me/preferences": for_everyone(),
    "PUT /v1/me/preferences": for_everyone(body=PREFERENCES),
    "GET /v1/approvals": Case({"administrator": listed_of_any()}, others=always(EMPTY), lists="proposal"),
    # To drop a record that is not there any more: what executes it does not find it.
    "POST /v1/approvals/{proposal_id}/approve": Case(others=always(404)),
    "POST /v1/approvals/{proposal_id}/reject": Case(
        {"administrator": any_of_them()}, others=always(404), body=REJECTION
    ),
    "GET /v1/audit-entries": Case({"auditor": listed_of_any()}, lists="proposal"),
}
