"""The web server around an app: limits of connections, quiet about itself, and a graceful end."""

import uvicorn
from starlette.types import ASGIApp

SHUTDOWN_SECONDS = 10
CONNECTIONS_MAX = 1000


def make_server(app: ASGIApp, *, host: str, port: int) -> uvicorn.Server:
    """A server to `await server.serve()`; after SIGTERM it finishes what it has begun."""
    return uvicorn.Server(
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
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
