"""The outermost layer of a request: its correlation id and trace, its deadline, its figures, the last catch.

Whatever happens inside, the caller gets a complete answer, and the log one line.
"""

import asyncio
import re
import time
from uuid import UUID

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.database import Cause, new_id
from shared.http.problems import answer_to_trouble, coming_again, problem
from shared.http.wiring import wiring_of

REQUEST_SECONDS_MAX = 30
"""With the longest wait for a turn."""
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

log = structlog.get_logger()


class Observation:
    """Wraps the app, outside of everything but Starlette's own last resort."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within its time, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation_id = _correlation_id(headers.get("correlation-id"))
        incoming = _traceparent(headers.get("traceparent"))
        structlog.contextvars.bind_contextvars(correlation_id=str(correlation_id))
        try:
            with telemetry.server_span(scope["method"], incoming) as span:
                scope.setdefault("state", {})["cause"] = Cause(
                    correlation_id, None, span.traceparent or incoming
                )
                answer = _Answer(send, correlation_id)
                started = time.perf_counter()
                await self._serve(scope, receive, answer)
                route = getattr(scope.get("route"), "path", "unmatched")
                span.finish(scope["method"], route, answer.status)
                _tell(scope, route, answer.status, time.perf_counter() - started)
        finally:
            structlog.contextvars.clear_contextvars()

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        deadline = asyncio.timeout(REQUEST_SECONDS_MAX)
        scope["state"]["deadline"] = deadline
        try:
            async with deadline:
                await self._app(scope, receive, answer.send)
        except Exception as error:
            if answer.status:
                log.exception("answer_cut_short")
            elif deadline.expired():
                log.warning("request_took_too_long")
                response = problem(scope, 503, "took_too_long", headers=coming_again(scope))
                await response(scope, receive, answer.send)
            else:
                await answer_to_trouble(scope, error)(scope, receive, answer.send)


class _Answer:
    """What is being sent."""

    def __init__(self, send: Send, correlation_id: UUID) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["Correlation-Id"] = str(self._correlation_id)
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _correlation_id(given: str | None) -> UUID:
    try:
        return UUID(given) if given else new_id()
    except ValueError:
        return new_id()


def _traceparent(given: str | None) -> str | None:
    return given if given and _TRACEPARENT.fullmatch(given) else None


def _tell(scope: Scope, route: str, status: int, seconds: float) -> None:
    service = wiring_of(scope).service
    telemetry.requests.labels(service, scope["method"], route, str(status)).inc()
    telemetry.request_seconds.labels(service, scope["method"], route).observe(seconds)
    if route.startswith("/v1/") or status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )
