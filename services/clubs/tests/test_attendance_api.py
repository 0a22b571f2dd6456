"""Attendance over HTTP: refusals with their codes, foreign things missing, lacking roles, hostile bodies."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from clubs.domain import absences, disputes, lessons, statements
from clubs.main import service as clubs
from clubs.testing import WINDOWS_OVER, School
from shared.database import new_id
from shared.errors import DomainError
from shared.events.attendance import LessonMarked
from shared.events.clubs import StaffDescribed
from shared.security import Grant, Principal
from shared.testing import published
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES, Texts

CODES = ("children_of_no_lesson", "child_repeated", "dispute_decided", "absence_reversed", "absence_too_long")


@dataclass(frozen=True, slots=True)
class People:
    """Signed-in clients of everybody about a school, whose grants the service knows."""

    school: School
    coach: httpx.AsyncClient
    device: httpx.AsyncClient
    guardian: httpx.AsyncClient
    other_guardian: httpx.AsyncClient
    director: httpx.AsyncClient
    administrator: httpx.AsyncClient
    auditor: httpx.AsyncClient
    rival: httpx.AsyncClient
    """Coach, device and director of another provider, guardian of another child."""
    nobody: httpx.AsyncClient

    @property
    def child_id(self) -> str:
        return str(self.school.pupils[0].child_id)


@pytest.fixture
async def people(school: School, api: ServedApi) -> AsyncIterator[People]:
    elsewhere, region = new_id(), new_id()
    rival = Principal(
        new_id(),
        frozenset(
            {
                Grant("coach", "provider", elsewhere),
                Grant("device", "provider", elsewhere),
                Grant("director", "provider", elsewhere),
                Grant("guardian", "child", new_id()),
            }
        ),
    )
    everybody = [
        school.coach,
        school.device,
        school.pupils[0].guardian,
        school.pupils[1].guardian,
        school.director,
        school.administrator,
        Principal(new_id(), frozenset({Grant("auditor", "region", region)})),
        rival,
        Principal(new_id(), frozenset()),
    ]
    async with AsyncExitStack() as stack:
        clients = []
        for person in everybody:
            await school.know(person)
            clients.append(await stack.enter_async_context(signed_in(api.url, api.issuer, person.person_id)))
        yield People(school, *clients)


def marks(*children: str | UUID, present: Any = True) -> dict[str, Any]:  # noqa: ANN401 - also wrong ones
    return {"children": [{"child_id": str(child), "present": present} for child in children]}


async def test_a_month_from_the_first_mark_to_the_sheet(people: People) -> None:
    school = people.school
    first, second = school.pupils
    lesson_id = await school.after_lesson(4)
    lesson = f"/v1/lessons/{lesson_id}"
    body = marks(first.child_id) | {"took_place": True}
    answer = await people.coach.post(f"{lesson}/marks", json=body, headers={"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["took_place"]) == (201, True)
    again = await people.coach.post(f"{lesson}/marks", json=body, headers={"Idempotency-Key": "once"})
    assert again.json() == answer.json()
    device = await people.device.post(f"{lesson}/device-marks", json=marks(first.child_id, second.child_id))
    assert device.status_code == 201
    confirmed = await people.guardian.post(f"{lesson}/confirmations", json={"child_id": people.child_id})
    assert confirmed.status_code == 201
    told = [event for event in await published(school.edge) if isinstance(event, LessonMarked)]
    assert [event.source for event in told] == ["coach", "device"]

    days = {"child_id": people.child_id, "from": "2026-09-07", "to": "2026-09-08"}
    (absence,) = (await people.guardian.post("/v1/absences", json=days)).json()["items"]
    assert (absence["from"], absence["to"], absence["accepted_at"]) == ("2026-09-07", "2026-09-08", None)
    assert (await people.director.get("/v1/absences")).json()["items"] == [absence]
    accepted = await people.director.post(f"/v1/absences/{absence['id']}/accept")
    assert accepted.json()["accepted_at"] is not None

    await school.at(WINDOWS_OVER)
    query = {"month": "2026-09", "child_id": people.child_id}
    (month,) = (await people.guardian.get("/v1/attendance", params=query)).json()["items"]
    assert (month["revision"], len(month["lessons"])) == (1, 8)
    assert {mark["source"] for mark in month["lessons"][0]["marks"]} == {"coach", "device", "guardian"}
    assert all(set(mark) == {"source", "present", "at"} for mark in month["lessons"][0]["marks"])
    assert [one["excused"] for one in month["lessons"]][:3] == [False, True, False]


async def test_a_closed_month_is_disputed_decided_signed_and_corrected(people: People) -> None:
    school = people.school
    first, second = school.pupils
    lesson_id = await school.after_lesson(4)
    await school.mark(lesson_id, school.pupils)
    await school.at(WINDOWS_OVER)
    opened = await people.guardian.post(
        "/v1/disputes", json={"child_id": people.child_id, "lesson_id": str(lesson_id)}
    )
    assert (opened.status_code, opened.json()["next"]) == (201, "administrator")
    case = opened.headers["Location"]
    assert (await people.director.get(case)).json() == opened.json()
    decision = {"decision": "count", "reason": "The list at the door has the signature."}
    decided = (await people.administrator.post(f"{case}/decide", json=decision)).json()
    assert (decided["state"], decided["outcome"], decided["next"]) == ("decided", "count", None)
    assert [step["by"] for step in decided["history"]] == ["guardian", "administrator"]
    assert (await people.guardian.get(case)).json()["reason"] == decision["reason"]

    which = {"provider_id": str(school.provider_id), "month": "2026-09"}
    (statement,) = (await people.director.get("/v1/statements", params=which)).json()["items"]
    path = f"/v1/statements/{statement['id']}"
    page = (await people.director.get(path, params={"limit": 1})).json()
    rest = (await people.director.get(path, params={"limit": 1, "cursor": page["next"]})).json()
    lines = page["items"] + rest["items"]
    assert [(line["child_id"], line["revision"]) for line in lines] == [
        (str(first.child_id), 3),
        (str(second.child_id), 1),
    ]
    assert lines[0]["lessons"][0]["decided"] == "count"
    assert rest["next"] is None
    signed = await people.director.post(f"{path}/sign", json={"version": page["version"]})
    assert (signed.status_code, signed.json()["state"]) == (200, "signed")

    correction = {"child_id": people.child_id, "present": False, "reason": "It was the brother."}
    proposed = await people.coach.post(f"/v1/lessons/{lesson_id}/corrections", json=correction)
    assert (proposed.status_code, proposed.json()["state"]) == (202, "open")
    approved = await people.director.post(f"/v1/approvals/{proposed.json()['id']}/approve")
    assert (approved.status_code, approved.json()["state"]) == (200, "executed")
    acts = (await people.auditor.get("/v1/audit-entries", params={"object_id": str(lesson_id)})).json()
    assert [(act["action"], act["reason"]) for act in acts["items"]] == [("correct", correction["reason"])]
    found = (await people.director.get("/v1/statements", params=which)).json()["items"]
    assert [(one["number"], one["state"]) for one in found] == [(1, "signed"), (2, "ready")]
    assert await school.faults() == {}


async def test_each_refusal_of_a_report_has_its_code_and_names_the_place(people: People) -> None:
    school = people.school
    lesson = f"/v1/lessons/{await school.after_lesson(4)}"
    stranger = new_id()
    to_come = f"/v1/lessons/{await school.lesson(7)}"
    for path, body, status, code, pointer in (
        (lesson, marks(people.child_id, stranger), 409, "child_without_seat", "/children/1/child_id"),
        (lesson, marks(people.child_id, people.child_id), 422, "child_repeated", "/children/1/child_id"),
        (lesson, marks(people.child_id) | {"took_place": False}, 422, "children_of_no_lesson", None),
        (to_come, marks(people.child_id), 409, "lesson_not_begun", None),
    ):
        answer = await people.coach.post(f"{path}/marks", json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code)
        assert [error["pointer"] for error in problem.get("errors", [])] == ([pointer] if pointer else [])
        assert str(stranger) not in answer.text
    await school.at(WINDOWS_OVER)
    answer = await people.coach.post(f"{lesson}/marks", json=marks(people.child_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "month_closed")
    answer = await people.guardian.post(f"{lesson}/confirmations", json={"child_id": people.child_id})
    assert (answer.status_code, answer.json()["code"]) == (409, "month_closed")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("marks", {"children": [{"child_id": "x", "present": True}]}),
        ("marks", {"children": [{"child_id": str(new_id())}]}),
        ("marks", marks(new_id(), present="yes")),
        ("marks", marks(new_id(), present=1)),
        ("marks", {"took_place": "true"}),
        ("marks", {"children": {}, "took_place": True}),
        ("marks", marks(new_id()) | {"source": "guardian"}),
        ("marks", {"children": [{"child_id": str(new_id()), "present": True, "at": "2026-09-04"}]}),
        ("marks", marks(*(new_id() for _ in range(1001)))),
        ("corrections", {"child_id": str(new_id()), "present": True}),
        ("corrections", {"child_id": str(new_id()), "present": True, "reason": " "}),
        ("corrections", {"child_id": str(new_id()), "present": True, "reason": "a\u0000b"}),
        ("corrections", {"child_id": str(new_id()), "present": True, "reason": "a" * 2001}),
    ],
)
async def test_a_hostile_report_is_refused_and_leaves_nothing(
    people: People, api: ServedApi, path: str, body: dict[str, Any]
) -> None:
    lesson_id = await people.school.after_lesson(4)
    answer = await people.coach.post(f"/v1/lessons/{lesson_id}/{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [await api.count(table) for table in ("marks", "reports", "proposals")] == [0, 0, 0]


async def test_other_hostile_requests_are_refused(people: People) -> None:
    school = people.school
    lesson_id = str(await school.after_lesson(4))
    absence = {"child_id": people.child_id, "from": "2026-09-07", "to": "2026-09-08"}
    for client, path, body, status in (
        (people.device, f"/v1/lessons/{lesson_id}/device-marks", {"children": []}, 422),
        (people.guardian, f"/v1/lessons/{lesson_id}/confirmations", {"child_id": None}, 422),
        (people.guardian, "/v1/lessons/0/confirmations", {"child_id": people.child_id}, 422),
        (people.guardian, "/v1/disputes", {"child_id": people.child_id}, 422),
        (people.guardian, "/v1/absences", absence | {"to": "2026-09-31"}, 422),
        (people.guardian, "/v1/absences", absence | {"from": 1789000000}, 422),
        (people.guardian, "/v1/absences", absence | {"since": "2026-09-07"}, 422),
        (people.guardian, "/v1/absences", absence | {"to": "2026-10-08"}, 422),
        (people.guardian, "/v1/absences", absence | {"to": "2026-09-01"}, 422),
        (people.director, f"/v1/statements/{new_id()}/sign", {"version": 2**63}, 422),
        (people.director, f"/v1/statements/{new_id()}/sign", {"version": 0}, 422),
        (people.director, f"/v1/statements/{new_id()}/sign", {}, 422),
        (people.administrator, f"/v1/cases/{new_id()}/decide", {"decision": "maybe", "reason": "x"}, 422),
        (people.administrator, f"/v1/cases/{new_id()}/decide", {"decision": "count"}, 422),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, path) == (status, path)
    for query in (
        {"month": "2026-09"},
        {"month": "2026-09", "child_id": people.child_id, "enrollment_id": people.child_id},
        {"month": "2026-9", "child_id": people.child_id},
        {"child_id": people.child_id},
        {"month": "9999-12", "child_id": "x"},
    ):
        assert (await people.guardian.get("/v1/attendance", params=query)).status_code == 422
    for month in ("9999-12", "0000-01", "0001-01", "1999-12"):
        query = {"month": month, "child_id": people.child_id}
        assert (await people.guardian.get("/v1/attendance", params=query)).status_code == 422
        which = {"month": month, "provider_id": str(school.provider_id)}
        assert (await people.director.get("/v1/statements", params=which)).status_code == 422


async def test_foreign_things_are_missing_and_roles_that_lack_are_told(people: People) -> None:
    school = people.school
    lesson_id = await school.after_lesson(4)
    lesson, of_child = f"/v1/lessons/{lesson_id}", {"child_id": people.child_id}
    dispute = of_child | {"lesson_id": str(lesson_id)}
    case = (await people.guardian.post("/v1/disputes", json=dispute)).headers["Location"]
    days = of_child | {"from": "2026-09-07", "to": "2026-09-08"}
    (absence,) = (await people.guardian.post("/v1/absences", json=days)).json()["items"]
    await school.at(WINDOWS_OVER)
    (statement,) = await school.statements()
    correction = of_child | {"present": True, "reason": "Forgotten."}
    decision = {"decision": "count", "reason": "Seen."}
    writes: list[tuple[str, dict[str, Any], list[httpx.AsyncClient], list[httpx.AsyncClient]]] = [
        (f"{lesson}/marks", marks(people.child_id), [people.rival], [people.guardian, people.director]),
        (f"{lesson}/device-marks", marks(people.child_id), [people.rival], [people.coach, people.director]),
        (f"{lesson}/confirmations", of_child, [people.other_guardian, people.rival], [people.coach]),
        (f"{lesson}/corrections", correction, [people.rival], [people.director, people.guardian]),
        ("/v1/disputes", dispute, [people.other_guardian, people.rival], [people.director]),
        ("/v1/absences", days, [people.other_guardian, people.rival], [people.director]),
        (f"/v1/absences/{absence['id']}/accept", {}, [people.rival], [people.guardian, people.coach]),
        (f"{case.replace('cases', 'disputes')}/withdraw", {}, [people.other_guardian], [people.director]),
        (f"{case}/decide", decision, [], [people.guardian, people.director, people.auditor]),
        (f"/v1/statements/{statement.id}/sign", {"version": 1}, [people.rival], [people.administrator]),
    ]
    for path, body, foreign, lacking in writes:
        for client in foreign:
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"], path) == (404, "not_found", path)
        for client in [*lacking, people.nobody]:
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"], path) == (403, "role_required", path)
    seen_by_all = [people.director, people.administrator, people.auditor]
    attendance = f"/v1/attendance?month=2026-09&child_id={people.child_id}"
    reads = [
        (case, [people.guardian, *seen_by_all], [people.other_guardian, people.rival], [people.coach]),
        (attendance, [people.guardian, *seen_by_all], [people.other_guardian, people.rival], [people.coach]),
        (f"/v1/statements/{statement.id}", seen_by_all, [people.rival], [people.guardian, people.coach]),
        (
            f"/v1/statements?provider_id={school.provider_id}&month=2026-09",
            seen_by_all,
            [people.rival],
            [people.guardian],
        ),
        ("/v1/cases", [people.guardian, people.rival, *seen_by_all], [], [people.coach]),
        ("/v1/absences", [people.guardian, people.rival, people.director], [], [people.coach]),
    ]
    for path, own, foreign, lacking in reads:
        for clients, status in ((own, 200), (foreign, 404), ([*lacking, people.nobody], 403)):
            for client in clients:
                assert ((await client.get(path)).status_code, path) == (status, path)
    for client, number in ((people.guardian, 1), (people.rival, 0), (people.auditor, 1)):
        assert len((await client.get("/v1/cases?state=open")).json()["items"]) == number
        assert (await client.get("/v1/cases?state=decided")).json()["items"] == []


async def test_a_device_is_appointed_like_staff_and_nobody_else_hears_of_it(people: People) -> None:
    school = people.school
    device = {"person_id": str(new_id()), "role": "device"}
    answer = await people.director.post(f"/v1/providers/{school.provider_id}/staff", json=device)
    assert (answer.status_code, answer.json()["role"]) == (201, "device")
    async with school.edge.transaction() as tx:
        assert await clubs.republish["staff"](tx, None) is not None  # the people of this test
    told = [event for event in await published(school.edge) if isinstance(event, StaffDescribed)]
    assert str(device["person_id"]) not in {str(event.person_id) for event in told}
    assert {event.role for event in told} == {"director", "coach"}


def test_every_code_of_attendance_has_a_text_and_an_action_in_each_language() -> None:
    raised = {
        error.code
        for module in (absences, disputes, lessons, statements)
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, DomainError) and error.__module__ == module.__name__
    }
    texts = Texts.of(clubs.package)
    for code in {*CODES, *raised}:
        for msgid in (code, f"{code}.action"):
            translated = [texts.translate(language, msgid, days=31) for language in LANGUAGES]
            assert msgid not in translated
            assert len(set(translated)) == len(LANGUAGES)
