"""What `/openapi.json` says beyond what FastAPI finds out by itself: problems, headers, and plain names.

The endpoints say the rest: their docstrings are the summaries, their names the operations' ids. The committed
form lies in `docs/openapi`, and a test holds the two together.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from shared.http.access import authenticate
from shared.http.problems import Problem
from shared.http.waiting import Wait
from shared.security import Principal

Json = dict[str, Any]

OF_ALL_OPERATIONS = """\
Who calls is said by an OIDC access token; what they may do are grants that the service itself keeps. A thing
of somebody else looks like a missing one: 404.

- Every answer from 400 on is a problem by RFC 9457, with a stable `code` and a text in the language of
  `Accept-Language` (kk, ru, en; Kazakh unless another is asked for). What was sent is never repeated in it.
- A POST that changes something needs an `Idempotency-Key`. Sent again with the same key and content it is
  answered with the stored answer and `Idempotency-Replayed: true`, and has no second effect.
- 202 answers with a proposal: it is done when another person has approved it at `/v1/approvals`.
- Lists are pages: `next` is the `cursor` of the next one.
- `?wait=&version=` waits until the resource is newer than `version`, at most that many seconds.
- Amounts are whole tiyn (1/100 of a tenge), days and months are civil ones of Asia/Almaty, moments are UTC.
"""
_RETRY_AFTER = {"description": "Seconds after which it may be tried again", "schema": {"type": "integer"}}
_CHALLENGE = {"description": "Bearer", "required": True, "schema": {"type": "string"}}
_REFUSALS: dict[int, tuple[str, str, Json]] = {
    400: ("Malformed", "No JSON, or characters, a key or a cursor that nobody means", {}),
    401: ("Unauthenticated", "No token, or none that is good", {"WWW-Authenticate": _CHALLENGE}),
    403: ("Forbidden", "A role is missing for this, whatever the thing", {}),
    404: ("NotFound", "It does not exist, or not for you", {}),
    408: ("TooSlow", "The body took longer than 10 seconds", {}),
    409: ("Conflict", "The state of things does not allow it", {"Retry-After": _RETRY_AFTER}),
    413: ("TooLarge", "The body is larger than 256 KiB", {}),
    414: ("QueryTooLong", "The query is longer than 4 KiB or has more than 50 parts", {}),
    415: ("NotJson", "The body says that it is no JSON", {}),
    422: ("Invalid", "The content breaks a rule, or its key belongs to another content", {}),
    431: ("HeadersTooLarge", "The headers are larger than 16 KiB", {}),
    503: ("Unavailable", "For now: nothing was done", {"Retry-After": _RETRY_AFTER | {"required": True}}),
}
"""What each is called, why it comes, and its headers."""
_LOCATION = {
    "description": "Where the new thing is, if it has an address of its own",
    "schema": {"type": "string", "format": "uri-reference"},
}
_METHODS_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})


def statuses_of(route: APIRoute) -> list[int]:
    """The refusals to expect of a route."""
    statuses = {400, 414, 431, 503} | ({401} if _asks_who(route.dependant) else set())
    names = {*_parameters(route.dependant)}
    if names:
        statuses.add(422)
    if names - {"cursor", "limit"}:
        statuses.add(404)
    if {Principal, Wait} & {*get_type_hints(route.endpoint).values()}:
        statuses.add(403)
    if set(route.methods or ()) & _METHODS_WITH_CONTENT:
        statuses |= {408, 409, 413, 415, 422}
    return sorted(statuses)


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call is authenticate or any(_asks_who(one) for one in dependant.dependencies)


def _parameters(dependant: Dependant) -> Iterator[str]:
    """What of a request is looked at, headers apart."""
    for field in (*dependant.path_params, *dependant.query_params, *dependant.body_params):
        yield field.name
    for one in dependant.dependencies:
        yield from _parameters(one)


def describe(app: FastAPI) -> None:
    """Make the app describe itself so."""
    by_fastapi = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _refined(by_fastapi())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend it


def _refined(schema: Json) -> Json:
    components = schema["components"]
    _, problems = models_json_schema(
        [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components["schemas"] |= problems["$defs"]
    for operation in (one for methods in schema["paths"].values() for one in methods.values()):
        _tell_in_words(operation)
        for status, answer in operation["responses"].items():
            if int(status) in _REFUSALS:
                operation["responses"][status] = {
                    "$ref": f"#/components/responses/{_REFUSALS[int(status)][0]}"
                }
            elif answer["description"] == "Successful Response":  # FastAPI says so of each
                answer["description"] = HTTPStatus(int(status)).phrase
            if int(status) == HTTPStatus.CREATED:
                answer["headers"] = {"Location": _LOCATION}
    components["responses"] = {name: _problem(why, headers) for name, why, headers in _REFUSALS.values()}
    plain: Json = _untitled(schema)
    plain["info"] = schema["info"] | {"description": OF_ALL_OPERATIONS}
    return plain


def _tell_in_words(operation: Json) -> None:
    """The first sentence of the docstring is the summary, the others are the description."""
    if "description" not in operation:
        return
    paragraphs = operation.pop("description").split("\n\n")
    first, _, others = " ".join(paragraphs[0].split()).partition(". ")
    operation["summary"] = first.removesuffix(".")
    if more := "\n\n".join([*([others] if others else []), *paragraphs[1:]]):
        operation["description"] = more


def _problem(why: str, headers: Json) -> Json:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answer = {"description": why, "content": content}
    return answer | {"headers": headers} if headers else answer


def _untitled(part: Any, *, names_are_ours: bool = False) -> Any:  # noqa: ANN401 - any JSON
    """Without pydantic's titles, which repeat the names."""
    match part:
        case dict():
            return {
                name: _untitled(one, names_are_ours=name in {"properties", "schemas"} and not names_are_ours)
                for name, one in part.items()
                if names_are_ours or not (name == "title" and isinstance(one, str))
            }
        case list():
            return [_untitled(one) for one in part]
    return part
