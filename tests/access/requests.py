"""The request that a case stands for, made about a thing."""

import importlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from access.cases import Case
from access.worlds import Variant, Who, World

ATTEMPTS = 3
SERVICES = ("enrollment", "clubs", "wallet", "notifications")


def cases_of(service: str) -> Mapping[str, Case]:
    """All cases of a service, by method and path."""
    found: Mapping[str, Case] = importlib.import_module(f"access.cases.{service}").CASES
    return found


def endpoints() -> list[tuple[str, str]]:
    """Service and endpoint of every case."""
    return [(service, endpoint) for service in SERVICES for endpoint in cases_of(service)]


def path_of(endpoint: str, case: Case, things: Mapping[str, UUID], own: Mapping[str, UUID]) -> str:
    """The path with the ids of these things."""
    path = endpoint.partition(" ")[2]
    while "{" in path:
        before, _, rest = path.partition("{")
        parameter, _, after = rest.partition("}")
        kind = case.path.get(parameter, parameter.removesuffix("_id"))
        path = f"{before}{named(kind if kind.startswith('=') else f'${kind}', things, own)}{after}"
    return path


def named(value: Any, things: Mapping[str, UUID], own: Mapping[str, UUID]) -> Any:  # noqa: ANN401 - of JSON
    """The value with names of things replaced by their ids."""
    if isinstance(value, Mapping):
        return {name: named(item, things, own) for name, item in value.items()}
    if isinstance(value, list):
        return [named(item, things, own) for item in value]
    if isinstance(value, str) and value[:1] in {"$", "="}:
        return str((things if value[0] == "$" else own)[value[1:]])
    return value


def request_of(endpoint: str, case: Case, world: World, variant: Variant, url: str) -> httpx.Request:
    """Not yet signed."""
    things = world.things(variant)
    return httpx.Request(
        endpoint.partition(" ")[0],
        url + path_of(endpoint, case, things, world.own),
        params=named(case.query, things, world.own),
        json=named(case.body, things, world.own) if case.body is not None else None,
    )


async def ask(http: httpx.AsyncClient, request: httpx.Request, world: World, who: Who) -> httpx.Response:
    """Send it as this person, again if the service is too busy. Of an endless answer read the beginning."""
    for _ in range(ATTEMPTS - 1):
        request.headers.update(world.headers(who))
        answer = await http.send(request, stream=True)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        await answer.aclose()
    else:
        answer = await http.send(request, stream=True)
    if answer.headers["Content-Type"].startswith("text/event-stream"):
        await answer.aclose()
    else:
        await answer.aread()
    return answer
