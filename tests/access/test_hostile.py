"""Hostile content in each text and number of each body, in each query and path, of the real services.

Refused with a place and a stable code, never repeated, never a 5xx, and nothing is left of it.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from access.cases import Case
from access.hostile import (
    HUGE_TEXT,
    MARK,
    ODD_NUMBERS,
    ODD_TEXTS,
    REFUSED_TEXTS,
    leaves,
    pointer,
    replaced,
)
from access.requests import SERVICES, ask, cases_of, endpoints, named, request_of
from access.worlds import EVERYONE, Who, World

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("access"), pytest.mark.timeout(300)]
WITH_BODY = [(service, one) for service, one in endpoints() if cases_of(service)[one].body is not None]
WITH_PATH = [(service, one) for service, one in endpoints() if "{" in one]
JSON = {"Content-Type": "application/json"}
AT_A_PLACE = 2
DEEP = b"[" * 100_000 + b"]" * 100_000
WRONG_IN_QUERY = (
    MARK,
    "20٢٦-09",
    "2026-13",
    "0000-01",
    "9999-12",
    "9" * 30,
    "-1",
    "NaN",
    "1e400",
    "880101300123",
    "",
    "\u200b",
)
WRONG_IN_PATH = (MARK, "880101300123", "1", "null", "..%2f..", quote("Қ"), "%00", "%ff", "a" * 3000)


@pytest.mark.parametrize(("world", "endpoint"), WITH_BODY, indirect=["world"])
async def test_hostile_texts_and_numbers_are_refused_by_place(
    world: World, endpoint: str, http: httpx.AsyncClient
) -> None:
    case = cases_of(world.service.name)[endpoint]
    body = named(case.body, world.own, world.own)
    wrong = []
    before = await _rows(world)
    for number, (place, value) in enumerate(leaves(body), _turn(endpoint)):
        for hostile in _hostile_to(value, number):
            content = json.dumps(replaced(body, place, hostile)).encode()
            answer = await _send(world, http, endpoint, content)
            told = _told(answer)
            if told is None or not _points_to(told, place, hostile):
                wrong.append((pointer(place), ascii(hostile)[:40], answer.status_code, answer.text[:300]))
    assert wrong == []
    assert await _rows(world) == before


@pytest.mark.parametrize(("world", "endpoint"), WITH_BODY, indirect=["world"])
async def test_odd_texts_and_numbers_break_nothing(
    world: World, endpoint: str, http: httpx.AsyncClient
) -> None:
    case = cases_of(world.service.name)[endpoint]
    body = named(case.body, world.own, world.own)
    wrong = []
    for number, (place, value) in enumerate(leaves(body), _turn(endpoint)):
        for odd in _some(ODD_TEXTS if isinstance(value, str) else ODD_NUMBERS, number):
            content = json.dumps(replaced(body, place, odd)).encode()
            answer = await _send(world, http, endpoint, content, url=world.undone_url)
            if not answer.is_success and _told(answer) is None:
                wrong.append((pointer(place), ascii(odd)[:40], answer.status_code, answer.text[:300]))
            if "e\u0301" in answer.text:
                wrong.append((pointer(place), "not composed", answer.status_code, answer.text[:300]))
    assert wrong == []


@pytest.mark.parametrize(("world", "endpoint"), WITH_BODY, indirect=["world"])
async def test_what_is_no_body_is_refused(world: World, endpoint: str, http: httpx.AsyncClient) -> None:
    case = cases_of(world.service.name)[endpoint]
    good = json.dumps(named(case.body, world.own, world.own)).encode()
    [first, *_] = json.loads(good)
    twice = good[:-1] + b", " + json.dumps({first: None}).encode()[1:]
    nan = good[:-1] + b', "filler": NaN}'
    before = await _rows(world)
    for content, code in [
        (DEEP, "json_too_deep"),
        (twice, "json_key_repeated"),
        (nan, "json_malformed"),
        (good[:-1], "json_malformed"),
        (b"[" + good + b"]", "content_invalid"),
        (b" " * 300_000 + good, "body_too_large"),
        (good[:-1] + b', "' + MARK.encode() + b'": 1}', "content_invalid"),
    ]:
        answer = await _send(world, http, endpoint, content)
        told = _told(answer)
        assert told is not None, answer.text[:300]
        assert told["code"] == code
    assert await _rows(world) == before


@pytest.mark.parametrize("world", SERVICES, indirect=True)
async def test_hostile_queries_break_nothing(world: World, http: httpx.AsyncClient) -> None:
    described = (await http.get(f"{world.url}/openapi.json")).json()["paths"]
    wrong = []
    for endpoint, case in cases_of(world.service.name).items():
        method, path = endpoint.split(" ")
        if method != "GET" or path.endswith("/stream"):
            continue
        parameters = [one for one in described[path]["get"].get("parameters", []) if one["in"] == "query"]
        for number, parameter in enumerate(parameters, _turn(endpoint)):
            for value in _some(WRONG_IN_QUERY, number):
                request = request_of(endpoint, case, world, "own", world.url)
                request.url = request.url.copy_set_param(parameter["name"], value)
                answer = await ask(http, request, world, _allowed(case))
                if not answer.is_success and _told(answer) is None:
                    wrong.append((endpoint, parameter["name"], value, answer.status_code, answer.text[:300]))
    assert wrong == []


@pytest.mark.parametrize(("world", "endpoint"), WITH_PATH, indirect=["world"])
async def test_what_is_no_id_is_refused_and_not_repeated(
    world: World, endpoint: str, http: httpx.AsyncClient
) -> None:
    case = cases_of(world.service.name)[endpoint]
    good = request_of(endpoint, case, world, "own", world.url)
    before, _, after = endpoint.partition(" ")[2].partition("{")
    ending = after.partition("}")[2]
    for value in _some(WRONG_IN_PATH, _turn(endpoint)):
        request = httpx.Request(good.method, f"{world.url}{before}{value}{ending}", json=case.body)
        answer = await ask(http, request, world, _allowed(case))
        assert _told(answer) is not None, (value, answer.status_code, answer.text[:300])
        assert value not in answer.text or value in {"1", "null"}


def _allowed(case: Case) -> Who:
    """Somebody who gets what they ask for."""
    return next((who for who in EVERYONE if 200 <= case.outcome(who)["own"] < 300), "guardian")


def _hostile_to(value: Any, number: int) -> Iterator[Any]:  # noqa: ANN401 - of JSON
    if isinstance(value, str):
        yield from _some(REFUSED_TEXTS, number)
        yield HUGE_TEXT
    yield (2**63, -(2**63) - 1)[number % 2]


def _turn(endpoint: str) -> int:
    """Where an endpoint begins, so that they do not all begin alike."""
    return zlib.crc32(endpoint.encode()) % 1000


def _some(of_these: Sequence[Any], number: int) -> Iterator[Any]:
    """A few for each place, other ones for the next: together all, at a price the gate can pay."""
    for step in range(AT_A_PLACE):
        yield of_these[(AT_A_PLACE * number + step) % len(of_these)]


async def _send(
    world: World, http: httpx.AsyncClient, endpoint: str, content: bytes, *, url: str | None = None
) -> httpx.Response:
    case = cases_of(world.service.name)[endpoint]
    good = request_of(endpoint, case, world, "own", url or world.url)
    request = httpx.Request(good.method, good.url, content=content, headers=JSON)
    return await ask(http, request, world, _allowed(case))


def _told(answer: httpx.Response) -> dict[str, Any] | None:
    """The problem, if it is one that says what is wrong and repeats nothing."""
    if answer.headers.get("Content-Type") != "application/problem+json" or not answer.is_client_error:
        return None
    told: dict[str, Any] = answer.json()
    translated = told["title"] not in {"", told["code"]}
    return told if translated and MARK not in answer.text else None


def _points_to(told: dict[str, Any], place: tuple[str | int, ...], hostile: Any) -> bool:  # noqa: ANN401 - of JSON
    """Characters and numbers that nobody may use are pointed at; what is too long may be no IIN, say."""
    if hostile == HUGE_TEXT and told["code"] != "content_invalid":
        return True
    return any(one["pointer"] == pointer(place) for one in told.get("errors", []))


async def _rows(world: World) -> dict[str, int]:
    """How many rows each table of the service has."""
    connection = await asyncpg.connect(world.database.superuser_url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", world.service.name
        )
        names = [row["tablename"] for row in tables]
        query = " UNION ALL ".join(
            f"SELECT '{name}', count(*) FROM {world.service.name}.\"{name}\""  # noqa: S608 - ours
            for name in names
        )
        return dict(map(tuple, await connection.fetch(query)))
    finally:
        await connection.close()
