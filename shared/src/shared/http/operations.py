"""What those who run a service ask it: alive? ready? which figures? what does its API look like?

None of these needs a token; all of them listen on loopback or behind the cluster's own network policy.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from shared import telemetry
from shared.database import Transaction
from shared.http.problems import RefusedError
from shared.http.wiring import cause_of, wiring_of

LOOK_SECONDS_MAX = 5.0

router = APIRouter(include_in_schema=False)
_VERSIONS = sa.text("SELECT version_num FROM alembic_version")


@asynccontextmanager
async def _look(request: Request) -> AsyncIterator[Transaction]:
    """Not behind the guests who wait for their turn: a house that is full is not an ill one."""
    wiring = wiring_of(request.scope)
    async with asyncio.timeout(LOOK_SECONDS_MAX), wiring.edge.look(cause_of(request.scope)) as tx:
        yield tx


@router.get("/livez")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(request: Request) -> dict[str, str]:
    """The database can be had, and is migrated as far as this code. Kafka is not asked: the outbox holds."""
    async with _look(request) as tx:
        versions = frozenset((await tx.execute(_VERSIONS)).scalars())
    if versions != request.app.state.heads:
        raise RefusedError(503, "not_migrated", headers={"Retry-After": "5"})
    return {"status": "ready"}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    async with _look(request) as tx:
        await telemetry.measure(tx, wiring_of(request.scope).service)
    return Response(telemetry.render_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The API, described."""
    schema: dict[str, Any] = request.app.openapi()
    return JSONResponse(schema)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API as a page, from files of our own: no other host is asked."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=request.app.title,
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon.png",
    )


def add_operations(app: FastAPI) -> None:
    """Answer these questions."""
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
