"""The web server around an app: limits of connections, quiet about itself, and a graceful end."""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

SHUTDOWN_SECONDS = 10
CONNECTIONS_MAX = 2500
"""More than may wait at fewer than 100 turns a second: whoever is refused is to be told so by us, and when
to come again."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients and proxies keep a silent connection (nginx: 60), so that they close it and not we: a
request that is sent at that very moment gets no answer."""


class _Server(uvicorn.Server):
    """Tells the app first, so that answers without an end come to one and are not waited for."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, Starlette) and hasattr(app.state, "stopping"):
            app.state.stopping.set()
        await super().shutdown(sockets)


def make_server(app: ASGIApp, *, host: str, port: int) -> uvicorn.Server:
    """A server to `await server.serve()`; after SIGTERM it finishes what it has begun."""
    return _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="none",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
