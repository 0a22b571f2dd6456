"""The HTTP application of the outside world, and who may talk to it: this machine only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local.outside import bank, catchers, register, statements
from local.outside import issuer as identity
from local.outside.store import Store
from local.outside.vault import Vault

_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


def create(store: Store, vault: Vault, *, url: str, smtp_port: int, clock_url: str | None) -> ASGIApp:
    """The application that answers at `url`. The bank keeps the business day of `clock_url`."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with catchers.mail_server(store, smtp_port):
            yield

    app = FastAPI(title="The outside world, in development", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.middleware("http")(_loopback_only)
    app.include_router(identity.routes(identity.Issuer(url, store)))
    app.include_router(register.routes())
    app.include_router(catchers.routes(store))
    today = bank.business_day(clock_url)
    app.include_router(bank.routes(vault, today))
    app.include_router(statements.routes(vault, today))

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return _Hanging(app)


class _Hanging:
    """Lets an endpoint hang up: the connection ends without an answer, as when a cable is cut."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Uvicorn's `receive` is a method of the request's cycle, which has the connection.
            scope["hang_up"] = receive.__self__.transport.abort  # type: ignore[attr-defined] # see above
        await self._app(scope, receive, send)


async def _loopback_only(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Tokens for the asking stay on this machine; the Host is checked because web pages can rebind names."""
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if host not in _NAMES or request.client is None or not ip_address(request.client.host).is_loopback:
        return PlainTextResponse("loopback only", status_code=403)
    return await call_next(request)
