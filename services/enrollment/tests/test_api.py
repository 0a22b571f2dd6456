"""The HTTP edge: who may do what, to own, foreign and missing things, and how refusals are said."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from enrollment.main import service
from enrollment.repository.people import place_of
from enrollment.settings import EnrollmentSettings
from enrollment.testing import Scene
from enrollment.usecases.people import settle_claim
from shared.encryption import Keyring
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES, Texts

MISSING = UUID(int=0xDEAD)


@contextlib.asynccontextmanager
async def signed(api: ServedApi, person: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(api.url, api.issuer, person) as client:
        yield client


@pytest.fixture
async def guardian(api: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody whose id is in `client.headers["person"]`."""
    person = uuid4()
    async with signed(api, person) as client:
        client.headers["person"] = str(person)
        yield client


@pytest.fixture
async def child_id(scene: Scene, settings: EnrollmentSettings, guardian: httpx.AsyncClient) -> UUID:
    """A child of this guardian, with a real IIN."""
    child = await scene.child(UUID(guardian.headers["person"]))
    keyring = Keyring.of(settings)
    index = keyring.blind_index("170301500018", purpose="iin")
    async with scene.edge.transaction() as tx:
        await tx.execute(
            sa.text("UPDATE children SET iin_index = :index, iin_encrypted = :encrypted"),
            {"index": index, "encrypted": keyring.encrypt("170301500018", place=place_of(index))},
        )
    return child


def wish(scene: Scene, child_id: UUID) -> dict[str, str]:
    return {"child_id": str(child_id), "group_id": str(scene.group_id), "starts_on": "2026-09-14"}


async def test_a_guardian_enrolls_and_sees_what_became_of_it(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID
) -> None:
    answer = await guardian.post("/v1/enrollments", json=wish(scene, child_id))
    assert answer.status_code == 201
    created = answer.json()
    assert (created["state"], created["version"]) == ("requested", 1)
    where = answer.headers["Location"]
    assert where == f"/v1/enrollments/{created['id']}"
    enrollment = await scene.read(UUID(created["id"]))
    await scene.take(scene.reserved(enrollment), scene.declined(enrollment, "2026-09"))
    answer = await guardian.get(where, params={"wait": 5, "version": 1}, headers={"Accept-Language": "ru"})
    seen = answer.json()
    assert (seen["state"], seen["version"]) == ("rejected", 3)
    assert seen["reason"] == {
        "code": "no_money",
        "text": "Недостаточно средств",
        "action": "Попробуйте снова, когда поступят средства, или выберите группу дешевле.",
        "missing_tiyn": 500_000,
    }


async def test_a_charged_month_is_seen_as_soon_as_it_is(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID
) -> None:
    where = (await guardian.post("/v1/enrollments", json=wish(scene, child_id))).headers["Location"]
    enrollment = await scene.read(UUID(where.rpartition("/")[2]))
    await scene.take(scene.reserved(enrollment), scene.held(enrollment, "2026-09"))
    await scene.take(scene.charged(enrollment, "2026-09"))
    seen = (await guardian.get(where, params={"wait": 5, "version": 3})).json()
    assert (seen["state"], seen["version"]) == ("confirmed", 4)
    charged = {"month": "2026-09", "state": "charged", "attempt": 1, "reason": None, "grace_ends_on": None}
    assert seen["months"] == [charged]


async def test_the_same_request_sent_twice_enrolls_once(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID, api: ServedApi
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await guardian.post("/v1/enrollments", json=wish(scene, child_id), headers=headers)
    again = await guardian.post("/v1/enrollments", json=wish(scene, child_id), headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert await api.count("enrollments") == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"starts_on": "2026-09-09"}, 422, "starts_in_past"),
        ({"starts_on": "2027-01-01"}, 422, "starts_outside_group"),
        ({"starts_on": "2026-12-01"}, 409, "group_not_planned_yet"),
        ({"starts_on": "yesterday"}, 422, "content_invalid"),
        ({"starts_on": "9999-12-31"}, 422, "content_invalid"),
        ({"group_id": str(MISSING)}, 404, "not_found"),
        ({"child_id": str(MISSING)}, 404, "not_found"),
        ({"color": "red"}, 422, "content_invalid"),
    ],
)
async def test_a_wrong_wish_gets_a_code_and_stores_nothing(
    *,
    guardian: httpx.AsyncClient,
    scene: Scene,
    child_id: UUID,
    api: ServedApi,
    changes: dict[str, str],
    status: int,
    code: str,
) -> None:
    answer = await guardian.post("/v1/enrollments", json=wish(scene, child_id) | changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await api.count("enrollments") == 0


async def test_a_stranger_cannot_tell_a_foreign_thing_from_a_missing_one(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID, api: ServedApi
) -> None:
    created = (await guardian.post("/v1/enrollments", json=wish(scene, child_id))).json()
    async with signed(api, uuid4()) as stranger:
        for method, path, body in [
            ("GET", "/v1/enrollments/{}", None),
            ("POST", "/v1/enrollments/{}/cancel", None),
            ("POST", "/v1/enrollments/{}/end", {"on": "2026-09-20", "reason": "x"}),
        ]:
            foreign = await stranger.request(method, path.format(created["id"]), json=body)
            missing = await stranger.request(method, path.format(MISSING), json=body)
            assert foreign.status_code == missing.status_code == 404
            assert _same(foreign) == _same(missing)
        foreign = await stranger.get(f"/v1/children/{child_id}")
        assert _same(foreign) == _same(await stranger.get(f"/v1/children/{MISSING}"))
        foreign = await stranger.post("/v1/enrollments", json=wish(scene, child_id))
        assert foreign.status_code == 404
        listed = await stranger.get("/v1/enrollments", params={"child_id": str(child_id)})
        assert listed.json() == {"items": [], "next": None}
        assert (await stranger.get("/v1/children")).json()["items"] == []


def _same(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    return {name: body[name] for name in body if name not in {"instance", "correlation_id"}}


async def test_cancel_before_it_is_confirmed_and_end_after(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID
) -> None:
    created = (await guardian.post("/v1/enrollments", json=wish(scene, child_id))).json()
    path = f"/v1/enrollments/{created['id']}"
    end = {"on": "2026-09-30", "reason": "Көшіп кетеміз"}
    early = await guardian.post(f"{path}/end", json=end)
    assert (early.status_code, early.json()["code"]) == (409, "not_confirmed")
    enrollment = await scene.read(UUID(created["id"]))
    await scene.take(scene.reserved(enrollment), scene.held(enrollment, "2026-09"))
    late = await guardian.post(f"{path}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "already_confirmed")
    ended = await guardian.post(f"{path}/end", json=end)
    assert ended.status_code == 200
    assert (ended.json()["state"], ended.json()["ends_on"]) == ("confirmed", "2026-09-30")
    assert ended.json()["reason"]["code"] == "ended_by_guardian"
    later = await guardian.post(f"{path}/end", json=end | {"on": "2026-10-01"})
    assert (later.status_code, later.json()["code"]) == (409, "ends_later_than_before")
    past = await guardian.post(f"{path}/end", json=end | {"on": "2026-09-09"})
    assert (past.status_code, past.json()["code"]) == (422, "ends_in_past")


async def test_a_director_sees_and_ends_what_is_in_the_own_groups_only(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID, api: ServedApi
) -> None:
    created = (await guardian.post("/v1/enrollments", json=wish(scene, child_id))).json()
    enrollment = await scene.read(UUID(created["id"]))
    await scene.take(scene.reserved(enrollment), scene.held(enrollment, "2026-09"))
    path = f"/v1/enrollments/{created['id']}"
    here, elsewhere = uuid4(), uuid4()
    await api.grant(here, "director", "provider", scene.provider_id)
    await api.grant(elsewhere, "director", "provider", uuid4())
    async with signed(api, elsewhere) as other:
        assert (await other.get(path)).status_code == 404
        named = await other.get("/v1/children", params={"ids": str(child_id), "reason": "тізім"})
        assert named.json()["items"] == []
    async with signed(api, here) as director:
        listed = await director.get("/v1/enrollments", params={"group_id": str(scene.group_id)})
        assert [one["id"] for one in listed.json()["items"]] == [created["id"]]
        assert (await director.post(f"{path}/cancel")).status_code == 404
        nameless = await director.get("/v1/children", params={"ids": str(child_id)})
        assert (nameless.status_code, nameless.json()["code"]) == (422, "reason_required")
        named = await director.get("/v1/children", params={"ids": str(child_id), "reason": "тізім"})
        [child] = named.json()["items"]
        assert (child["given_name"], child["iin"]) == ("Айгерім", "********0018")
        ended = await director.post(f"{path}/end", json={"on": "2026-09-20", "reason": "Топ жабылды"})
        assert ended.json()["reason"]["code"] == "ended_by_provider"
    assert await api.count("audit_entries") == 2


async def test_a_guardian_sees_the_own_child_with_a_masked_iin(
    guardian: httpx.AsyncClient, child_id: UUID
) -> None:
    listed = (await guardian.get("/v1/children")).json()
    assert [one["id"] for one in listed["items"]] == [str(child_id)]
    seen = (await guardian.get(f"/v1/children/{child_id}")).json()
    assert seen == listed["items"][0]
    assert (seen["iin"], seen["birth_date"]) == ("********0018", "2017-03-01")
    refused = await guardian.get("/v1/children", params={"ids": str(child_id), "reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_required")


async def test_a_claim_is_answered_by_waiting_on_its_link(
    guardian: httpx.AsyncClient, scene: Scene, api: ServedApi
) -> None:
    claimed = await guardian.post("/v1/guardian-links", json={"iin": "150901500010"})
    assert claimed.status_code == 201
    link = claimed.json()
    assert (link["state"], link["child_id"], link["version"]) == ("claimed", None, 1)
    assert "150901500010" not in claimed.text
    async with scene.edge.transaction() as tx:
        await settle_claim(tx, UUID(link["id"]), None)
    seen = await guardian.get(claimed.headers["Location"], params={"wait": 5, "version": 1})
    assert (seen.json()["state"], seen.json()["version"]) == ("refused", 2)
    async with signed(api, uuid4()) as stranger:
        assert (await stranger.get(claimed.headers["Location"])).status_code == 404


@pytest.mark.parametrize("iin", ["000000000000", "15090150001", "240140001238", "١٥٠٩٠١٥٠٠٠١٠", ""])
async def test_what_is_no_iin_is_refused_without_an_echo(guardian: httpx.AsyncClient, iin: str) -> None:
    answer = await guardian.post("/v1/guardian-links", json={"iin": iin})
    assert (answer.status_code, answer.json()["code"]) == (422, "iin_invalid")
    assert not iin or iin not in answer.text


async def test_two_administrators_verify_a_claim_that_the_register_cannot(
    guardian: httpx.AsyncClient, scene: Scene, api: ServedApi
) -> None:
    link = (await guardian.post("/v1/guardian-links", json={"iin": "150901500010"})).json()
    first, second = uuid4(), uuid4()
    for person in (first, second):
        await api.grant(person, "administrator", "region", scene.region_id)
    names = {"given_name": "Әлихан", "family_name": "Қыдырбаев"}
    refused = await guardian.post(f"/v1/guardian-links/{link['id']}/verify", json=names)
    assert refused.status_code == 403
    async with signed(api, first) as client:
        proposed = await client.post(f"/v1/guardian-links/{link['id']}/verify", json=names)
        assert proposed.status_code == 202
        approve = f"/v1/approvals/{proposed.json()['id']}/approve"
        assert (await client.post(approve)).json()["code"] == "second_person_required"
    async with signed(api, second) as client:
        assert (await client.post(approve)).json()["state"] == "executed"
    seen = (await guardian.get(f"/v1/guardian-links/{link['id']}")).json()
    assert seen["state"] == "verified"
    assert (await guardian.get(f"/v1/children/{seen['child_id']}")).json()["given_name"] == "Әлихан"
    ended = await guardian.post(f"/v1/guardian-links/{link['id']}/end")
    assert ended.json()["state"] == "ended"
    assert (await guardian.get(f"/v1/children/{seen['child_id']}")).status_code == 404


async def test_administrators_entitle_children_and_guardians_do_not(
    guardian: httpx.AsyncClient, scene: Scene, child_id: UUID, api: ServedApi
) -> None:
    body = {"program_id": str(scene.program_id), "until": "2026-12-31"}
    path = f"/v1/children/{child_id}/entitlements"
    assert (await guardian.post(path, json=body)).status_code == 403
    person = uuid4()
    await api.grant(person, "administrator", "region", scene.region_id)
    async with signed(api, person) as client:
        made = await client.post(path, json=body)
        assert (made.status_code, made.json()["coefficient_percent"]) == (201, 100)
        assert (await client.post(path, json=body | {"program_id": str(MISSING)})).status_code == 404
        assert (await client.post(path, json=body | {"coefficient_percent": 0})).status_code == 422
        past = await client.post(path, json=body | {"until": "2026-09-09"})
        assert past.json()["code"] == "ends_in_past"


async def test_a_role_is_proposed_and_its_end_too(scene: Scene, api: ServedApi) -> None:
    first, second, auditor = uuid4(), uuid4(), uuid4()
    for person in (first, second):
        await api.grant(person, "administrator", "region", scene.region_id)
    body = {
        "person_id": str(auditor),
        "role": "auditor",
        "scope_kind": "region",
        "scope_id": str(scene.region_id),
    }
    async with signed(api, first) as one, signed(api, second) as two, signed(api, auditor) as third:
        assert (await third.post("/v1/grants", json=body)).status_code == 403
        proposal = (await one.post("/v1/grants", json=body)).json()
        made = (await two.post(f"/v1/approvals/{proposal['id']}/approve")).json()
        assert [one["role"] for one in (await third.get("/v1/me")).json()["grants"]] == ["auditor"]
        proposal = (await two.post(f"/v1/grants/{made['made_id']}/end")).json()
        await one.post(f"/v1/approvals/{proposal['id']}/approve")
        assert (await third.get("/v1/me")).json()["grants"] == []


async def test_a_list_comes_in_pages(guardian: httpx.AsyncClient, scene: Scene, child_id: UUID) -> None:
    made = []
    for _ in range(3):
        created = (await guardian.post("/v1/enrollments", json=wish(scene, child_id))).json()
        await guardian.post(f"/v1/enrollments/{created['id']}/cancel")
        made.append(created["id"])
    query: dict[str, str | int] = {"child_id": str(child_id), "limit": 2}
    first = (await guardian.get("/v1/enrollments", params=query)).json()
    rest = (await guardian.get("/v1/enrollments", params=query | {"cursor": first["next"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert (await guardian.get("/v1/enrollments")).json()["code"] == "child_or_group_required"


REASONS = [
    *("group_closed", "group_not_found", "request_unreadable", "queue_left", "offer_lapsed"),
    *("offer_declined", "starts_outside_group", "capacity_cut", "provider_suspended"),
    *("not_entitled", "direction_not_paid", "no_money", "price_above_rate", "clubs_limit_reached"),
    *("over_month_cap", "over_year_cap"),
    *("month_closed", "program_not_running"),
    *("too_young", "too_old", "already_enrolled", "schedule_clash", "starts_in_past"),
    *("group_has_no_lessons", "group_not_planned_yet", "too_many_enrollments", "already_confirmed"),
    *("not_confirmed", "already_over", "ends_in_past", "ends_later_than_before", "ended_by_guardian"),
    *("ended_by_provider", "other_reason", "iin_invalid", "iin_not_of_a_child", "too_many_claims"),
    *("link_not_verified", "link_not_claimed", "own_link", "own_grant", "reason_required"),
    "child_or_group_required",
]


@pytest.mark.parametrize("code", REASONS)
def test_every_code_has_a_text_and_an_action_of_its_own_in_each_language(code: str) -> None:
    texts = Texts.of(service.package)
    for msgid in (code, f"{code}.action"):
        said = {texts.translate(language, msgid) for language in LANGUAGES}
        assert len(said) == len(LANGUAGES)
        assert msgid not in said
