"""The answer is never ahead of the commit, and a repeated POST has one effect."""

import asyncio
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from shared.http import access
from shared.testing_http import ServedApi, signed_in


async def test_a_commit_that_fails_is_not_answered_with_success(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things", json={"title": "fail at commit"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert (await client.get("/v1/things")).json()["items"] == []


async def test_what_was_answered_is_committed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things", json={"title": "Robotics"})
    assert answer.status_code == 201
    assert (await client.get(answer.headers["Location"])).json() == answer.json()


async def test_a_database_that_falls_silent_in_the_middle_keeps_nobody_waiting(
    client: httpx.AsyncClient, running: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "TRANSACTION_SECONDS_MAX", 0.3)
    monkeypatch.setattr(access, "IN_ITS_PLACE_SECONDS", 0.1)
    key = {"Idempotency-Key": "silent"}
    async with running.edge.transaction() as tx, asyncio.timeout(10):
        await tx.execute(sa.text("LOCK TABLE things"))
        answer = await client.post("/v1/things", json={"title": "Robotics"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "Retry-After" in answer.headers
    again = await client.post("/v1/things", json={"title": "Robotics"}, headers=key)
    assert again.status_code == 201
    assert len((await client.get("/v1/things")).json()["items"]) == 1


@pytest.mark.parametrize(("title", "status"), [("refuse", 404), ("break", 500)])
async def test_a_refused_request_leaves_no_trace_and_its_key_is_free(
    client: httpx.AsyncClient, title: str, status: int
) -> None:
    key = {"Idempotency-Key": f"free-after-{title}"}
    assert (await client.post("/v1/things", json={"title": title}, headers=key)).status_code == status
    assert (await client.get("/v1/things")).json()["items"] == []
    assert (await client.post("/v1/things", json={"title": "now"}, headers=key)).status_code == 201


async def test_the_same_key_and_content_have_one_effect_and_one_answer(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one-effect"}
    first = await client.post("/v1/things", json={"title": "Chess", "amount": 5}, headers=key)
    again = await client.post(
        "/v1/things",
        content=b'{ "amount":5, "title": "Chess" }',
        headers=key | {"Content-Type": "application/json"},
    )
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len((await client.get("/v1/things")).json()["items"]) == 1


async def test_the_same_key_for_other_content_is_refused(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "other-content"}
    first = await client.post("/v1/things", json={"title": "Chess"}, headers=key)
    answer = await client.post("/v1/things", json={"title": "Judo"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    path = f"{first.headers['Location']}/rename"
    renamed = await client.post(path, json={"title": "Chess"}, headers=key)
    assert renamed.status_code == 200
    assert "Idempotency-Replayed" not in renamed.headers


async def test_the_same_key_for_another_thing_of_the_same_route_is_refused(client: httpx.AsyncClient) -> None:
    paths = [
        (await client.post("/v1/things", json={"title": title})).headers["Location"] + "/rename"
        for title in ("a", "b")
    ]
    key = {"Idempotency-Key": "other-thing"}
    statuses = [(await client.post(path, json={"title": "c"}, headers=key)).status_code for path in paths]
    assert statuses == [200, 422]


async def test_keys_of_two_people_are_independent(
    client: httpx.AsyncClient, running: ServedApi, person_id: UUID
) -> None:
    key = {"Idempotency-Key": "two-people"}
    first = await client.post("/v1/things", json={"title": "Chess"}, headers=key)
    async with signed_in(running.url, running.issuer, UUID(int=person_id.int ^ 1)) as other:
        second = await other.post("/v1/things", json={"title": "Judo"}, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)


async def test_fifty_at_once_have_one_effect(client: httpx.AsyncClient) -> None:
    async def send() -> httpx.Response:
        while True:
            answer = await client.post(
                "/v1/things", json={"title": "slow"}, headers={"Idempotency-Key": "fifty"}
            )
            if answer.status_code not in (409, 503):
                return answer
            await asyncio.sleep(0.05)

    answers = await asyncio.gather(*(send() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await client.get("/v1/things")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("key", "code"), [("", "idempotency_key_required"), ("x" * 256, "idempotency_key_malformed")]
)
async def test_a_post_without_a_proper_key_is_refused(client: httpx.AsyncClient, key: str, code: str) -> None:
    answer = await client.post("/v1/things", json={"title": "Chess"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_post_that_changes_nothing_needs_no_key(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/guesses", json={"title": "Chess"}, headers={"Idempotency-Key": ""})
    assert answer.status_code == 200
