"""Every endpoint, for every role, about own, foreign and missing things; foreign is not told from missing.

What is expected stands in `access.cases`, one case an endpoint. A new endpoint without a case fails here.
"""

from typing import Any

import httpx
import pytest

from access.cases import EMPTY, Case
from access.requests import ask, cases_of, endpoints, request_of
from access.worlds import EVERYONE, VARIANTS, Variant, Who, World

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("access"), pytest.mark.timeout(300)]
AS_SENT = {"instance", "correlation_id"}
"""What differs between two problems that say the same: they repeat what was asked."""
METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}


async def test_every_endpoint_has_a_case(world: World, http: httpx.AsyncClient) -> None:
    described = (await http.get(f"{world.url}/openapi.json")).json()["paths"]
    there = {
        f"{method.upper()} {path}" for path, item in described.items() for method in METHODS & item.keys()
    }
    assert there == cases_of(world.service.name).keys()


@pytest.mark.parametrize(("world", "endpoint"), endpoints(), indirect=["world"])
async def test_each_role_gets_what_is_its_own(world: World, endpoint: str, http: httpx.AsyncClient) -> None:
    case = cases_of(world.service.name)[endpoint]
    wrong: dict[str, str] = {}
    for who in EVERYONE:
        got = {
            one: await ask(http, request_of(endpoint, case, world, one, world.undone_url), world, who)
            for one in _variants(case, who)
        }
        wrong |= {
            f"{who}, {one}": f"{_summary(answer)} instead of {case.outcome(who)[one]}"
            for one, answer in got.items()
            if not _is_so(case.outcome(who)[one], answer)
        }
        if case.lists:
            wrong |= _wrongly_listed(world, case, who, got["own"])
        elif case.outcome(who)["foreign"] in (EMPTY, *range(400, 500)) and len(got) > 1:
            assert _likeness(got["foreign"]) == _likeness(got["missing"]), f"{who} can tell them apart"
    assert not wrong


@pytest.mark.parametrize(("world", "endpoint"), endpoints(), indirect=["world"])
async def test_nobody_is_served_without_a_token(world: World, endpoint: str, http: httpx.AsyncClient) -> None:
    case = cases_of(world.service.name)[endpoint]
    answer = await http.send(request_of(endpoint, case, world, "own", world.undone_url))
    if case.without_token:
        assert answer.status_code == httpx.codes.OK
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


def _variants(case: Case, who: Who) -> tuple[Variant, ...]:
    """All three for whoever has a part in it, and for nobody; of other roles one says it for all."""
    return VARIANTS if (who in case.by_role or who == "nobody") and not case.lists else ("own",)


def _is_so(expected: int, answer: httpx.Response) -> bool:
    """A list that is expected has something in it."""
    if answer.status_code != (expected or 200):
        return False
    items = _items(answer)
    return items is None or bool(items) == (expected != EMPTY)


def _items(answer: httpx.Response) -> list[Any] | None:
    if answer.headers["Content-Type"] != "application/json":
        return None
    items: list[Any] | None = answer.json().get("items")
    return items


def _wrongly_listed(world: World, case: Case, who: Who, answer: httpx.Response) -> dict[str, str]:
    """What is in a list that should not be, or the other way round."""
    wrong = {}
    sides: tuple[Variant, Variant] = ("own", "foreign")
    for variant in sides:
        expected = case.outcome(who)[variant] == 200
        if (str(world.things(variant)[case.lists or ""]) in answer.text) != expected:
            wrong[f"{who}, {variant}"] = "missing from the list" if expected else "in the list"
    return wrong


def _summary(answer: httpx.Response) -> str:
    problem = answer.headers["Content-Type"] == "application/problem+json"
    return f"{answer.status_code} {answer.text[:300] if problem else ''}"


def _likeness(answer: httpx.Response) -> object:
    """All of an answer by which one could tell it from another."""
    content = {name: value for name, value in answer.json().items() if name not in AS_SENT}
    names = {name for name in answer.headers if name not in {"date", "correlation-id", "content-length"}}
    return answer.status_code, content, names
