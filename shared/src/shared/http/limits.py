"""What is refused before any endpoint sees it: too large, too slow, or in characters nobody means.

Plain ASGI: the body is counted as it comes in, so that chunked requests cannot grow past the limit either.
"""

import asyncio
import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.content import has_trouble
from shared.http.problems import RefusedError, problem

BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS_MAX = 10
HEADER_BYTES_MAX = 16 * 1024
QUERY_BYTES_MAX = 4 * 1024
QUERY_PARAMETERS_MAX = 50
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Limits:
    """Wraps the app with what is true of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await problem(scope, refusal.status_code, refusal.code)(scope, receive, send)
            return
        await self._app(scope, _Body(receive).receive, send)


class _Body:
    """The rest of one request's body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0
        self._complete = False
        self._deadline: float | None = None

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._deadline = self._deadline or loop.time() + BODY_SECONDS_MAX
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise RefusedError(408, "body_too_slow", headers={"Connection": "close"}) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > BODY_BYTES_MAX:
            raise RefusedError(413, "body_too_large")  # not closed: a reset would take the answer away
        self._complete = not message.get("more_body", False)
        return message


def _refusal(scope: Scope) -> RefusedError | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    query: bytes = scope["query_string"]
    if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES_MAX:
        return RefusedError(431, "headers_too_large")
    if len(query) > QUERY_BYTES_MAX or query.count(b"&") >= QUERY_PARAMETERS_MAX:
        return RefusedError(414, "query_too_long")
    if not (_is_clean(scope.get("raw_path") or scope["path"].encode()) and _is_clean(query)):
        return RefusedError(400, "text_refused")
    if any(_length(value) > BODY_BYTES_MAX for name, value in headers if name == b"content-length"):
        return RefusedError(413, "body_too_large")
    return None


def _is_clean(encoded: bytes) -> bool:
    if _PERCENT.search(encoded):
        return False
    try:
        return not has_trouble(unquote_to_bytes(encoded.replace(b"+", b" ")).decode())
    except UnicodeDecodeError:
        return False


def _length(value: bytes) -> int:
    return int(value) if value.isdigit() else 0
