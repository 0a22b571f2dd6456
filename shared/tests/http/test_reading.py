"""Pages, waiting, ownership, and what operators ask."""

import asyncio
import time
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from shared.database import POOL_SIZE, connect, new_id, open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.http.app import create_app
from shared.settings import Settings
from shared.testing_http import ServedApi, served, signed_in
from shared.tls import tls


async def test_pages_follow_each_other_while_rows_are_added(client: httpx.AsyncClient) -> None:
    made = [(await client.post("/v1/things", json={"title": str(n)})).json()["id"] for n in range(7)]
    first = (await client.get("/v1/things?limit=3")).json()
    made.append((await client.post("/v1/things", json={"title": "late"})).json()["id"])
    second = (await client.get("/v1/things", params={"limit": 3, "cursor": first["next"]})).json()
    third = (await client.get("/v1/things", params={"limit": 3, "cursor": second["next"]})).json()
    seen = [item["id"] for page in (first, second, third) for item in page["items"]]
    assert (seen, third["next"]) == (made, None)


async def test_a_cursor_is_good_for_its_question_only(client: httpx.AsyncClient, running: ServedApi) -> None:
    for n in range(3):
        await client.post("/v1/things", json={"title": str(n)})
    cursor = (await client.get("/v1/things?limit=1")).json()["next"]
    assert (await client.get("/v1/things", params={"cursor": cursor})).status_code == 200
    tampered = ("B" if cursor[0] != "B" else "C") + cursor[1:]
    for params in ({"cursor": tampered}, {"cursor": cursor[:-2]}, {"cursor": cursor, "at_least": "1"}):
        answer = await client.get("/v1/things", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    async with signed_in(running.url, running.issuer, new_id()) as other:
        assert (await other.get("/v1/things", params={"cursor": cursor})).status_code == 400


async def test_a_foreign_thing_looks_like_a_missing_one(
    client: httpx.AsyncClient, running: ServedApi
) -> None:
    async with signed_in(running.url, running.issuer, new_id()) as other:
        foreign = (await other.post("/v1/things", json={"title": "theirs"})).json()["id"]
    fixed = {"Correlation-Id": str(UUID(int=7))}
    answers = [await client.get(f"/v1/things/{id_}", headers=fixed) for id_ in (foreign, new_id())]
    contents = [answer.json() | {"instance": ""} for answer in answers]
    assert contents[0] == contents[1]
    assert [answer.status_code for answer in answers] == [404, 404]


async def test_waiting_answers_as_soon_as_there_is_something_newer(client: httpx.AsyncClient) -> None:
    path = (await client.post("/v1/things", json={"title": "old"})).headers["Location"]
    assert (await client.get(path, params={"wait": 5})).json()["version"] == 1
    waiting = asyncio.create_task(client.get(path, params={"wait": 10, "version": 1}))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    started = time.monotonic()
    await client.post(f"{path}/rename", json={"title": "new"})
    assert (await waiting).json()["version"] == 2
    assert time.monotonic() - started < 2, "sooner than by looking now and then"


async def test_waiting_ends_with_what_there_is(client: httpx.AsyncClient) -> None:
    path = (await client.post("/v1/things", json={"title": "old"})).headers["Location"]
    started = time.monotonic()
    answer = await client.get(path, params={"wait": 0.7, "version": 1})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert 0.6 < time.monotonic() - started < 5
    missing = await client.get(f"/v1/things/{new_id()}", params={"wait": 0.7})
    assert missing.status_code == 404
    assert 1.3 < time.monotonic() - started < 10


async def test_those_who_wait_hold_no_connection(client: httpx.AsyncClient) -> None:
    path = (await client.post("/v1/things", json={"title": "old"})).headers["Location"]
    waits = [asyncio.create_task(client.get(path, params={"wait": 2, "version": 1})) for _ in range(60)]
    await asyncio.sleep(0.3)
    assert (await client.get("/v1/things")).status_code == 200
    assert {(await wait).status_code for wait in waits} == {200}


async def test_operators_see_health_figures_and_the_api_without_a_token(running: ServedApi) -> None:
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, verify=tls()) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        metrics = (await client.get("/metrics")).text
        assert 'outbox_length{service="sample"} 0.0' in metrics
        assert 'route="/readyz",service="sample",status="200"' in metrics
        schema = (await client.get("/openapi.json")).json()
        parameters = schema["paths"]["/v1/things"]["post"]["parameters"]
        assert [one["required"] for one in parameters if one["name"] == "Idempotency-Key"] == [True]
        assert "/v1/approvals/{proposal_id}/approve" in schema["paths"]
        page = (await client.get("/docs")).text
        assert "https://" not in page
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
            assert f"/docs/assets/{asset}" in page
            assert (await client.get(f"/docs/assets/{asset}")).status_code == 200


async def test_a_database_that_is_not_migrated_is_not_ready(
    running: ServedApi, database_url: str, sample: object
) -> None:
    settings = Settings(environment="development", database_url=database_url, issuer=running.issuer.url)
    app = create_app(sample, settings, running.edge, heads=frozenset({"sample_0002"}))  # type: ignore[arg-type] # of the conftest
    async with served(app) as url, httpx.AsyncClient(trust_env=False, verify=tls()) as client:
        answer = await client.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_migrated")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "192.0.2.1:5432"])
async def test_without_a_database_the_answer_is_503_and_nobody_hangs(
    running: ServedApi, sample: object, address: str
) -> None:
    """Refused at once, and swallowed by the network."""
    database_url = f"postgresql://nobody@{address}/nothing"
    engine = open_engine(database_url)
    edge = Edge(engine, Doorbell(database_url, "sample"), development=False)
    settings = Settings(environment="development", database_url=database_url, issuer=running.issuer.url)
    app = create_app(sample, settings, edge, heads=frozenset())  # type: ignore[arg-type] # of the conftest
    async with served(app) as url, signed_in(url, running.issuer, new_id()) as client:
        started = time.monotonic()
        answer = await client.post("/v1/things", json={"title": "x"})
        assert time.monotonic() - started < 8
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
    await engine.dispose()


async def test_a_full_house_is_ready_all_the_same(client: httpx.AsyncClient, database_url: str) -> None:
    somebody = await connect(database_url, command_timeout=5)
    async with somebody.transaction():
        await somebody.execute("LOCK TABLE things")
        waits = [asyncio.create_task(client.get("/v1/things")) for _ in range(2 * POOL_SIZE)]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(10):
            assert (await client.get("/readyz")).status_code == 200
    somebody.terminate()
    assert {(await wait).status_code for wait in waits} == {200}


async def test_a_pool_that_is_used_up_is_answered_503(running: ServedApi, client: httpx.AsyncClient) -> None:
    async with asyncio.TaskGroup() as group:
        released = asyncio.Event()

        async def hold() -> None:
            async with running.edge.transaction() as tx:
                await tx.execute(sa.text("SELECT 1"))
                await released.wait()

        holders = [group.create_task(hold()) for _ in range(10)]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        answer = await client.get("/v1/things")
        released.set()
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert time.monotonic() - started < 8
    assert all(holder.done() for holder in holders)
