"""Errors as HTTP tells them: RFC 9457 problems, with a stable code and a text in the reader's language.

The one place where kinds of errors meet status codes. Nothing a caller sent is ever repeated to them.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from shared.errors import ConflictError, DomainError, ForbiddenError, InvalidError, NotFoundError
from shared.http.wiring import correlation_id_of, wiring_of
from shared.retrying import LINE_LOST
from shared.security import IdentityUnavailableError
from shared.texts import negotiate

log = structlog.get_logger()

_STATUS_OF_KIND: Mapping[type[DomainError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    ForbiddenError: 403,
    InvalidError: 422,
}
_CODE_OF_STATUS = {
    400: "request_malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "content_type_not_json",
}
# SQLSTATE classes after which the same request may succeed: connection, rollback, resources, intervention.
_PASSING_TROUBLE = ("08", "40", "53", "57", "55P03")
_RIVAL_WAS_FIRST = ("23505", "23P01")


class Defect(BaseModel):
    """One thing that is wrong with the content of a request."""

    place: Annotated[str, Field(description="body, query, path or header", examples=["body"])]
    pointer: Annotated[str, Field(description="JSON Pointer of the value", examples=["/starts_on"])]
    code: Annotated[str, Field(examples=["missing"])]


class Problem(BaseModel):
    """What went wrong, by RFC 9457."""

    type: Annotated[str, Field(examples=["urn:social-wallet:problem:not_found"])]
    title: Annotated[str, Field(description="In the language of Accept-Language")]
    status: int
    detail: Annotated[str, Field(description="What to do about it, in the same language")]
    code: Annotated[str, Field(description="Stable; of errors and of rejections", examples=["not_found"])]
    instance: Annotated[str, Field(description="The path that was asked")]
    correlation_id: Annotated[UUID, Field(description="To be told when asking for help")]
    errors: Annotated[list[Defect] | None, Field(description="Only of invalid content")] = None


class RefusedError(HTTPException):
    """A request that HTTP itself refuses, before any business rule sees it."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        headers: Mapping[str, str] | None = None,
        defects: Sequence[Defect] = (),
    ) -> None:
        super().__init__(status, headers=headers)
        self.code = code
        self.defects = list(defects)


def problem(
    scope: Scope,
    status: int,
    code: str,
    *,
    values: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    defects: Sequence[Defect] = (),
) -> Response:
    """The answer to a request that failed."""
    texts = wiring_of(scope).texts
    language = negotiate(Headers(scope=scope).get("accept-language", ""))
    content = Problem(
        type=f"urn:social-wallet:problem:{code}",
        title=texts.translate(language, code, **(values or {})),
        status=status,
        detail=texts.translate(language, f"{code}.action", **(values or {})),
        code=code,
        instance=_instance(scope),
        correlation_id=correlation_id_of(scope),
        errors=list(defects) or None,
    )
    return Response(
        content.model_dump_json(exclude_none=True),
        status,
        headers={**(headers or {}), "Content-Language": language, "Vary": "Accept-Language"},
        media_type="application/problem+json",
    )


def answer_to_trouble(scope: Scope, error: Exception) -> Response:
    """The answer to what no handler expected. Only what is not going to pass is logged as our fault."""
    if isinstance(error, IdentityUnavailableError):
        return problem(scope, 503, "identity_unavailable", headers={"Retry-After": "2"})
    state = sql_state(error)
    if state in _RIVAL_WAS_FIRST:
        return problem(scope, 409, "conflict")
    if state.startswith(_PASSING_TROUBLE) or isinstance(error, PoolTimeoutError | TimeoutError | OSError):
        log.warning("request_failed_for_now", error=type(error).__name__, sql_state=state)
        return problem(scope, 503, "unavailable", headers=coming_again(scope))
    log.error("request_failed", exc_info=error)
    return problem(scope, 500, "internal_error")


def coming_again(scope: Scope) -> dict[str, str]:
    """The header that says when to ask again."""
    return {"Retry-After": str(wiring_of(scope).queue.coming_again_seconds())}


def sql_state(error: Exception) -> str:
    """The SQLSTATE behind an error, `08000` for a broken connection, empty if it is not the database's."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return "08000"
        return str(getattr(error.orig, "sqlstate", None) or "")
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate or ""
    return "08000" if isinstance(error, LINE_LOST) else ""


def handle_errors(app: FastAPI) -> None:
    """Make every refusal a problem."""

    @app.exception_handler(DomainError)
    async def domain(request: Request, error: DomainError) -> Response:
        status = next(status for kind, status in _STATUS_OF_KIND.items() if isinstance(error, kind))
        return problem(request.scope, status, error.stable_code, values=error.values)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        defects = [_defect(entry) for entry in error.errors()]
        return problem(request.scope, 422, "content_invalid", defects=defects)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if isinstance(error, RefusedError):
            code, defects = error.code, error.defects
        else:
            code, defects = _CODE_OF_STATUS.get(error.status_code, "request_malformed"), []
        return problem(request.scope, error.status_code, code, headers=error.headers, defects=defects)


def _defect(entry: Mapping[str, Any]) -> Defect:
    """Where and what, without the value; a name that was made up by the caller is left out too."""
    place, *steps = entry["loc"]
    if entry["type"] == "extra_forbidden":
        steps = steps[:-1]
    return Defect(place=place, pointer=pointer_of(steps), code=entry["type"])


def pointer_of(steps: Sequence[str | int]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _instance(scope: Scope) -> str:
    """The path that was asked, as far as it is names of ours and ids; nothing else is repeated."""
    route: str | None = getattr(scope.get("route"), "path", None)
    if route is None:
        return "/"
    return str(scope["path"]) if all(map(_is_id, scope.get("path_params", {}).values())) else route


def _is_id(value: object) -> bool:
    try:
        return str(UUID(str(value))) == str(value)
    except ValueError:
        return False
