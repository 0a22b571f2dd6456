"""The router of each API: strict bodies, sign-in, and one effect of a POST however often it is sent."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError

from shared.database import Transaction
from shared.http.access import Person, Tx
from shared.http.content import StrictRequest
from shared.http.description import statuses_of
from shared.http.problems import RefusedError, sql_state
from shared.http.wiring import wiring_of
from shared.idempotency import OtherContent, RequestKey, StoredAnswer, claim, fingerprint, store

_STORED_HEADERS = ("content-type", "location")
_LOCK_NOT_AVAILABLE = "55P03"
_METHODS_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Made by the caller, one for each thing wanted, kept for 7 days",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "7f6c2b1e",
}
"""How the key is documented. Were it required of FastAPI, a missing one would be refused in its words."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_changing_nothing: set[Callable[..., Any]] = set()


def changes_nothing(endpoint: Endpoint) -> Endpoint:
    """Mark a POST that only computes an answer (a quote): it needs no Idempotency-Key."""
    _changing_nothing.add(endpoint)
    return endpoint


@dataclass(slots=True)
class _Attempt:
    """A POST on its way: the key it came with, and whether the answer is to be stored."""

    request: Request
    tx: Transaction
    key: RequestKey
    claimed: bool = False


async def _idempotency_key(
    idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> str:
    key = (idempotency_key or "").strip('"')
    if not key:
        raise RefusedError(400, "idempotency_key_required")
    if not (key.isascii() and key.isprintable() and 1 <= len(key) <= 255):  # noqa: PLR2004 - as the table has it
        raise RefusedError(400, "idempotency_key_malformed")
    return key


async def _attempt(
    request: Request, key: Annotated[str, Depends(_idempotency_key)], tx: Tx, person_id: Person
) -> _Attempt:
    route = f"{request.method} {request.scope['route'].path}"
    attempt = _Attempt(request, tx, RequestKey(person_id, route, key))
    request.state.attempt = attempt
    return attempt


def _once(endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The endpoint, behind a claim of its key. Runs when everything about the request has been validated."""
    parameter = inspect.Parameter(
        "attempt_",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[_Attempt, Depends(_attempt, scope="function")],
    )

    @functools.wraps(endpoint)
    async def once(*, attempt_: _Attempt, **values: Any) -> Any:  # noqa: ANN401 - whatever the endpoint takes
        answer = await _claim(attempt_)
        return await endpoint(**values) if answer is None else answer

    signature = inspect.signature(endpoint)
    once.__signature__ = signature.replace(  # type: ignore[attr-defined] # how inspect lets it be told
        parameters=[*signature.parameters.values(), parameter]
    )
    return once


async def _claim(attempt: _Attempt) -> Response | None:
    """The answer of the first time, or None if this is the first time."""
    request = attempt.request
    content = fingerprint(
        wiring_of(request.scope).settings.pepper.get_secret_value(),
        orjson.dumps(request.path_params, option=orjson.OPT_SORT_KEYS),
        request.url.query.encode(),
        orjson.dumps(await request.json(), option=orjson.OPT_SORT_KEYS) if await request.body() else b"",
    )
    try:
        outcome = await claim(attempt.tx, attempt.key, content)
    except DBAPIError as error:
        if sql_state(error) != _LOCK_NOT_AVAILABLE:
            raise
        raise RefusedError(409, "request_in_progress", headers={"Retry-After": "1"}) from None
    match outcome:
        case StoredAnswer(status, headers, body):
            return Response(body, status, headers={**headers, "Idempotency-Replayed": "true"})
        case OtherContent():
            raise RefusedError(422, "idempotency_key_reused")
    attempt.claimed = True
    return None


async def _store(attempt: _Attempt, response: Response) -> None:
    headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
    await store(attempt.tx, attempt.key, StoredAnswer(response.status_code, headers, bytes(response.body)))


class _Route(APIRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        methods = set(options.get("methods") or ())
        if "POST" in methods and endpoint not in _changing_nothing:
            endpoint = _once(endpoint)
            options["openapi_extra"] = {"parameters": [_KEY]}
        super().__init__(path, endpoint, **options)
        for status in statuses_of(self):
            self.responses.setdefault(status, {})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler between strict reading and, still inside the transaction, storing the answer."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            _check_content_type(request)
            strict = StrictRequest(request.scope, request.receive)
            response = await handle(strict)
            attempt: _Attempt | None = getattr(strict.state, "attempt", None)
            if attempt is not None and attempt.claimed:
                await _store(attempt, response)
            return response

        return handle_strictly


def _check_content_type(request: Request) -> None:
    if request.method not in _METHODS_WITH_CONTENT:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    if media_type != "application/json" and not (empty and not media_type):
        raise RefusedError(415, "content_type_not_json")


class Router(APIRouter):
    """`APIRouter` for those who are signed in, or for the whole world."""

    def __init__(self, *, public: bool = False) -> None:
        # As a dependency of the router it is solved before all others: no token, no transaction.
        super().__init__(route_class=_Route, dependencies=[] if public else [Depends(_signed_in)])


async def _signed_in(_: Person) -> None:
    pass
