"""Whatever is sent, the answer is a problem with a stable code, and never repeats what was sent."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import date
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from shared.clock import civil_date, civil_moment, first_day, next_month
from shared.events.envelope import Month
from shared.http import Day, limits
from shared.testing_http import ServedApi
from shared.tls import tls

JSON = {"Content-Type": "application/json"}
MARK = "marked-by-the-caller"


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"urn:social-wallet:problem:{code}"
    assert problem["correlation_id"] == answer.headers["Correlation-Id"]
    assert problem["title"] not in ("", code)
    assert MARK not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"title": "a", "title": "b"}', 400, "json_key_repeated"),
        (b'{"title": NaN}', 400, "json_malformed"),
        (b'{"title": "a", "amount": 1e400}', 400, "json_malformed"),
        (b'{"title": "a", "amount": -Infinity}', 400, "json_malformed"),
        (b'{"title": "a", "amount": ' + b"9" * 5000 + b"}", 400, "json_malformed"),
        (b'{"title": "a"', 400, "json_malformed"),
        (b'{"title": "\xff\xfe"}', 400, "json_malformed"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "json_too_deep"),
        (b"[" * 22 + b"]" * 22, 400, "json_too_deep"),
        (b"", 422, "content_invalid"),
        (b"null", 422, "content_invalid"),
        (b"[]", 422, "content_invalid"),
        (b'"' + MARK.encode() + b'"', 422, "content_invalid"),
    ],
)
async def test_json_means_one_thing_or_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await client.post("/v1/things", content=body, headers=JSON)
    assert_problem(answer, status, code)


@pytest.mark.parametrize(
    ("content", "pointer", "code"),
    [
        ({"title": "\x00" + MARK}, "/title", "text_refused"),
        ({"title": "\x1b[31m" + MARK}, "/title", "text_refused"),
        ({"title": MARK + "\ud800"}, "/title", "text_refused"),
        ({"title": MARK + "\u202e"}, "/title", "text_refused"),
        ({"title": "a", MARK + "\ud800": 1}, "", "text_refused"),
        ({"title": "a", MARK: {"b": "\x00"}}, "", "text_refused"),
        ({"title": "a", MARK: 1}, "", "extra_forbidden"),
        ({"title": MARK + "\nline"}, "/title", "line_break_refused"),
        ({"title": "  "}, "/title", "string_too_short"),
        ({"title": MARK * 20}, "/title", "string_too_long"),
        ({"title": 5}, "/title", "string_type"),
        ({"title": "a", "amount": 2**53}, "/amount", "number_out_of_range"),
        ({"title": "a", "amount": 2**63}, "/amount", "number_out_of_range"),
        ({"title": "a", "amount": "5"}, "/amount", "int_type"),
        ({"title": "a", "amount": True}, "/amount", "int_type"),
        ({"title": "a", "amount": 1.5}, "/amount", "int_type"),
        ({}, "/title", "missing"),
    ],
)
async def test_invalid_content_is_told_by_place_and_code(
    client: httpx.AsyncClient, content: object, pointer: str, code: str
) -> None:
    answer = await client.post("/v1/things", content=json.dumps(content).encode(), headers=JSON)
    assert_problem(answer, 422, "content_invalid")
    assert answer.json()["errors"] == [{"place": "body", "pointer": pointer, "code": code}]


@pytest.mark.parametrize(
    "written",
    [
        0,
        1.5,
        True,
        None,
        "0",
        "2026-09-14T00:00:00",
        "2026-09-14\n",
        "٢٠٢٦-٠٩-١٤",
        "2026-02-30",
        "0001-01-01",
        "9999-12-31",
    ],
)
def test_a_day_is_written_in_one_way(written: object) -> None:
    day = TypeAdapter[date](Day)
    assert day.validate_python("2026-09-14") == date(2026, 9, 14)
    with pytest.raises(ValidationError):
        day.validate_python(written)


@pytest.mark.parametrize(
    "written", ["0000-01", "0001-01", "1999-12", "2200-01", "9999-12", "20٢6-09", "2026-9", "2026-09\n"]
)
def test_a_month_is_one_whose_days_can_be_reckoned_with(written: str) -> None:
    month = TypeAdapter[str](Month)
    for first_or_last in ("2000-01", "2199-12"):
        after = first_day(next_month(month.validate_python(first_or_last)))
        assert civil_date(civil_moment(after)) == after
    with pytest.raises(ValidationError):
        month.validate_python(written)


@pytest.mark.parametrize("title", ["Әлия Ғабитқызы Қ Ң Ө Ұ Ү Һ І", "О'Коннор", "🤖 robotics", "e\u0301tude"])
async def test_names_of_people_and_things_are_kept_in_one_form(client: httpx.AsyncClient, title: str) -> None:
    answer = await client.post("/v1/things", json={"title": f" {title} "})
    assert answer.json()["title"] == title.replace("e\u0301", "é")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/nothing", 404, "not_found"),
        ("/v1/things/", 404, "not_found"),
        ("/v1/things/not-an-id", 422, "content_invalid"),
        ("/v1/things?limit=0", 422, "content_invalid"),
        ("/v1/things?limit=101", 422, "content_invalid"),
        ("/v1/things?at_least=99999999999999999999", 422, "content_invalid"),
        ("/v1/things?cursor=AAAA", 400, "cursor_invalid"),
        ("/v1/things?cursor=%C2%B5", 400, "cursor_invalid"),
        ("/v1/things?x=%00", 400, "text_refused"),
        ("/v1/things?x=%FF", 400, "text_refused"),
        ("/v1/things?x=%E2%80%AE", 400, "text_refused"),
        ("/v1/things/%00", 400, "text_refused"),
        ("/v1/things?" + "a=1&" * 60, 414, "query_too_long"),
        ("/v1/things?a=" + "1" * 5000, 414, "query_too_long"),
    ],
)
async def test_addresses_are_checked(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    assert_problem(await client.get(path), status, code)


async def test_methods_and_content_types_are_checked(client: httpx.AsyncClient) -> None:
    assert_problem(await client.delete("/v1/things"), 405, "method_not_allowed")
    text = {"Content-Type": "text/plain"}
    assert_problem(await client.post("/v1/things", content=b"{}", headers=text), 415, "content_type_not_json")
    form = await client.post("/v1/things", data={"title": "a"})
    assert_problem(form, 415, "content_type_not_json")


async def test_a_body_is_counted_as_it_comes(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    assert_problem(
        await client.post("/v1/things", content=b" " * 300_000, headers=JSON), 413, "body_too_large"
    )
    assert_problem(await client.post("/v1/things", content=pieces(), headers=JSON), 413, "body_too_large")


async def test_headers_are_limited(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/things", headers={"X-Filler": "x" * 20_000})
    assert_problem(answer, 431, "headers_too_large")


async def test_a_slow_body_is_given_up(
    running: ServedApi, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS_MAX", 0.3)
    address = urlsplit(running.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    token = client.headers["Authorization"]
    writer.write(
        f"POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nIdempotency-Key: k\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
    )
    started = time.monotonic()
    line = await asyncio.wait_for(reader.readline(), 5)
    assert line.startswith(b"HTTP/1.1 408 ")
    assert 0.2 < time.monotonic() - started < 5
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_forgets_connections_after_five_seconds_never_meets_a_closed_one(
    running: ServedApi,
) -> None:
    """As httpx does: what we closed at that moment would take its next request with it."""
    limits_of_client = httpx.Limits(keepalive_expiry=None, max_connections=1)
    async with httpx.AsyncClient(
        base_url=running.url, trust_env=False, limits=limits_of_client, verify=tls()
    ) as client:
        first = await client.get("/livez")
        await asyncio.sleep(6)
        second = await client.get("/livez")
    streams = [answer.extensions["network_stream"] for answer in (first, second)]
    assert streams[0] is streams[1], "the connection was still there"


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("", "kk", "Табылмады"),
        ("fr", "kk", "Табылмады"),
        ("ru-KZ,ru;q=0.9", "ru", "Не найдено"),
        ("en;q=0.3, ru;q=0.5, kk;q=0.1", "ru", "Не найдено"),
        ("en-US", "en", "Not found"),
        ("ru;q=nonsense, en", "en", "Not found"),
        ("ru;q=nan, en;q=0.2", "en", "Not found"),
    ],
)
async def test_problems_speak_the_reader_s_language(
    client: httpx.AsyncClient, accepted: str, language: str, title: str
) -> None:
    answer = await client.get("/v1/nothing", headers={"Accept-Language": accepted})
    assert (answer.headers["Content-Language"], answer.json()["title"]) == (language, title)


async def test_a_correlation_id_is_taken_over_only_if_it_is_one(client: httpx.AsyncClient) -> None:
    given = "0199b3a0-0000-7000-8000-000000000001"
    answer = await client.get("/v1/things", headers={"Correlation-Id": given})
    assert answer.headers["Correlation-Id"] == given
    answer = await client.get("/v1/things", headers={"Correlation-Id": MARK})
    assert MARK not in answer.headers["Correlation-Id"]


async def test_our_own_mistakes_are_not_shown(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things", json={"title": "break"})
    assert_problem(answer, 500, "internal_error")
    assert "880101300123" not in answer.text
    assert "Traceback" not in answer.text


@pytest.fixture
def _short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.http.observation.REQUEST_SECONDS_MAX", 0.2)


@pytest.mark.usefixtures("_short_deadline")
async def test_a_request_that_takes_too_long_is_rolled_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things", json={"title": "slow"})
    assert_problem(answer, 503, "took_too_long")
    assert (await client.get("/v1/things")).json()["items"] == []
