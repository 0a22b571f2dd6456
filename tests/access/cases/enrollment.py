"""Enrollment's endpoints. Guardians' own things are those of their children, directors' of their groups."""

from access.cases import (
    EMPTY,
    NOT_FOUND,
    REJECTION,
    WATCHED,
    Case,
    always,
    any_of_them,
    for_everyone,
    listed,
    listed_of_any,
    own,
)

NAMES = {"given_name": "Әлихан", "family_name": "Қыдырбаев"}
GRANT = {
    "person_id": "00000000-0000-7000-8000-000000000001",
    "role": "auditor",
    "scope_kind": "region",
    "scope_id": "=region",
}

CASES: dict[str, Case] = {
    "GET /v1/me": for_everyone(),
    "POST /v1/guardian-links": Case(others=always(201), body={"iin": "150901500010"}),
    "GET /v1/guardian-links/{link_id}": Case(
        {"guardian": own(), "administrator": any_of_them()}, others=NOT_FOUND
    ),
    "POST /v1/guardian-links/{link_id}/verify": Case(
        {"administrator": any_of_them(202)}, body=NAMES, path={"link_id": "claim"}
    ),
    "POST /v1/guardian-links/{link_id}/end": Case(
        {"guardian": own(), "administrator": any_of_them()}, others=NOT_FOUND
    ),
    "GET /v1/children": Case(
        {
            "director": listed(),
            "administrator": listed_of_any(),
            "auditor": listed_of_any(),
        },
        query={"ids": "$child", "reason": "тізім"},
    ),
    "GET /v1/children/{child_id}": Case(
        {"guardian": own(), **WATCHED}, others=NOT_FOUND, query={"reason": "тізім"}
    ),
    "POST /v1/children/{child_id}/entitlements": Case(
        {"administrator": any_of_them(201)}, body={"program_id": "=program", "until": "2026-12-31"}
    ),
    "POST /v1/grants": Case({"administrator": always(202)}, body=GRANT),
    "POST /v1/grants/{grant_id}/end": Case({"administrator": any_of_them(202)}),
    "POST /v1/enrollments": Case(
        {"guardian": own(201)},
        others=NOT_FOUND,
        body={"child_id": "$free_child", "group_id": "=group", "starts_on": "2026-09-14"},
    ),
    "GET /v1/enrollments": Case(
        {
            "guardian": listed(),
            "director": listed(),
            "administrator": listed_of_any(),
            "auditor": listed_of_any(),
        },
        others=always(EMPTY),
        query={"child_id": "$child"},
    ),
    "GET /v1/enrollments/{enrollment_id}": Case(
        {"guardian": own(), "director": own(), **WATCHED}, others=NOT_FOUND
    ),
    "POST /v1/enrollments/{enrollment_id}/cancel": Case(
        {"guardian": own()}, others=NOT_FOUND, path={"enrollment_id": "asked"}
    ),
    "POST /v1/enrollments/{enrollment_id}/end": Case(
        {"guardian": own(), "director": own()},
        others=NOT_FOUND,
        body={"on": "2026-09-20", "reason": "Көшеміз"},
    ),
    "GET /v1/approvals": Case({"administrator": listed_of_any()}, others=always(EMPTY), lists="proposal"),
    "POST /v1/approvals/{proposal_id}/approve": Case({"administrator": any_of_them()}, others=NOT_FOUND),
    "POST /v1/approvals/{proposal_id}/reject": Case(
        {"administrator": any_of_them()}, others=NOT_FOUND, body=REJECTION
    ),
    "GET /v1/audit-entries": Case({"auditor": listed_of_any()}, lists="proposal"),
}
