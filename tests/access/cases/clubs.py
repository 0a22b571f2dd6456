"""Clubs' endpoints. Staff's own things are those of their provider."""

from access.cases import (
    EMPTY,
    REJECTION,
    WATCHED,
    Case,
    always,
    any_of_them,
    listed,
    listed_of_any,
    own,
    public,
)

NAMES = {"kk": "Шахмат", "ru": "Шахматы", "en": "Chess"}
PERSON = "00000000-0000-7000-8000-000000000001"
GROUP = {
    "club_id": "$club",
    "name": NAMES,
    "price_tiyn": 1_500_000,
    "capacity": 12,
    "age_from": 7,
    "age_to": 11,
    "schedule": [{"weekday": 2, "starts_at": "15:00", "ends_at": "16:30"}],
    "starts_on": "2026-10-10",
    "ends_on": "2026-12-31",
}
SAID = {"children": [{"child_id": "=child", "present": True}]}
ATTENDANCE = {"child_id": "$child", "month": "2026-09"}

CASES: dict[str, Case] = {
    "POST /v1/providers": Case({"administrator": always(201)}, body={"bin": "230740027559", "name": NAMES}),
    "GET /v1/providers/{provider_id}": public(),
    "POST /v1/providers/{provider_id}/staff": Case(
        {"administrator": any_of_them(201), "director": own(201)},
        body={"person_id": PERSON, "role": "coach"},
    ),
    "POST /v1/clubs": Case(
        {"director": own(201)}, body={"provider_id": "$provider", "name": NAMES, "direction": "chess"}
    ),
    "GET /v1/clubs/{club_id}": public(),
    "POST /v1/groups": Case({"director": own(201)}, body=GROUP),
    "GET /v1/groups": Case(others=listed_of_any(), query={"provider_id": "$provider"}),
    "GET /v1/groups/{group_id}": public(),
    "GET /v1/groups/{group_id}/lessons": public(query={"month": "2026-10"}),
    "POST /v1/groups/{group_id}/close": Case({"director": own()}, body={"on": "2026-11-01"}),
    "GET /v1/groups/{group_id}/roster": Case({"director": own(), "coach": own(), **WATCHED}),
    "GET /v1/groups/{group_id}/queue": Case(
        {"director": own(), "coach": own(), **WATCHED}, path={"group_id": "queue"}
    ),
    "GET /v1/seats/{enrollment_id}": Case(
        {"guardian": own(), "director": own(), "administrator": any_of_them()}
    ),
    "POST /v1/offers/{offer_id}/accept": Case({"guardian": own()}),
    "POST /v1/offers/{offer_id}/decline": Case({"guardian": own()}),
    "POST /v1/lessons/{lesson_id}/marks": Case({"coach": own(201)}, body=SAID),
    "POST /v1/lessons/{lesson_id}/device-marks": Case({"device": own(201)}, body=SAID),
    "POST /v1/lessons/{lesson_id}/confirmations": Case(
        {"guardian": own(201)}, body={"child_id": "$child"}, path={"lesson_id": "=lesson"}
    ),
    "POST /v1/lessons/{lesson_id}/corrections": Case(
        {"coach": own(202)},
        body={"child_id": "=child", "present": False, "reason": "Ауырды"},
        path={"lesson_id": "closed_lesson"},
    ),
    "GET /v1/attendance": Case({"guardian": own(), "director": own(), **WATCHED}, query=ATTENDANCE),
    "POST /v1/absences": Case(
        {"guardian": own(201)}, body={"child_id": "$child", "from": "2026-10-12", "to": "2026-10-13"}
    ),
    "GET /v1/absences": Case({"guardian": listed(), "director": listed()}, lists="absence"),
    "POST /v1/absences/{absence_id}/accept": Case({"director": own()}),
    "POST /v1/disputes": Case({"guardian": own(201)}, body={"child_id": "$child", "lesson_id": "=lesson"}),
    "POST /v1/disputes/{dispute_id}/withdraw": Case({"guardian": own()}),
    "GET /v1/cases": Case(
        {
            "guardian": listed(),
            "director": listed(),
            "administrator": listed_of_any(),
            "auditor": listed_of_any(),
        },
        lists="case",
    ),
    "GET /v1/cases/{case_id}": Case({"guardian": own(), "director": own(), **WATCHED}),
    "POST /v1/cases/{case_id}/decide": Case(
        {"administrator": any_of_them()}, body={"decision": "count", "reason": "Бейне бар"}
    ),
    "GET /v1/statements": Case(
        {"director": own(), "administrator": listed_of_any(), "auditor": listed_of_any()},
        query={"provider_id": "$provider", "month": "2026-09"},
    ),
    "GET /v1/statements/{statement_id}": Case({"director": own(), **WATCHED}),
    "POST /v1/statements/{statement_id}/sign": Case({"director": own()}, body={"version": 4}),
    "GET /v1/approvals": Case({"director": listed()}, others=always(EMPTY), lists="proposal"),
    "POST /v1/approvals/{proposal_id}/approve": Case({"director": own()}, others=always(404)),
    "POST /v1/approvals/{proposal_id}/reject": Case({"director": own()}, others=always(404), body=REJECTION),
    "GET /v1/audit-entries": Case({"auditor": listed_of_any()}, lists="proposal"),
}
