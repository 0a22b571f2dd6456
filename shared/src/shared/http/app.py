"""The app of a service: its API between the layers that every request passes through."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol

import structlog
from fastapi import APIRouter, FastAPI

from shared.approvals import ApprovalKind
from shared.consumer import EventRouter
from shared.dropping import drop_kind
from shared.edge import Edge
from shared.http import auditing
from shared.http.approving import approvals_router
from shared.http.description import describe
from shared.http.limits import Limits
from shared.http.observation import Observation
from shared.http.operations import add_operations
from shared.http.problems import handle_errors
from shared.http.wiring import Wiring
from shared.security import IssuerKeys, TokenVerifier
from shared.settings import Settings
from shared.texts import Texts

log = structlog.get_logger()


class Served(Protocol):
    """What the app needs to know of a service; `shared.service.Service` is one."""

    @property
    def name(self) -> str: ...
    @property
    def package(self) -> str: ...
    @property
    def api(self) -> APIRouter: ...
    @property
    def events(self) -> EventRouter: ...
    @property
    def approvals(self) -> tuple[ApprovalKind[Any], ...]: ...


def create_app(service: Served, settings: Settings, edge: Edge, *, heads: frozenset[str]) -> FastAPI:
    """Put the app together. Opens nothing: `edge` is the caller's, the doorbell runs while the app does.

    `heads` are the migrations this code was written for; `/readyz` compares them with the database's.
    """
    app = FastAPI(
        title=f"Social wallet: {service.name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # a test holds them apart
    )
    app.state.heads = heads
    app.state.stopping = asyncio.Event()  # set by `shared.http.server`; whoever answers without end listens
    app.state.wiring = Wiring(
        service=service.name,
        settings=settings,
        edge=edge,
        verifier=TokenVerifier(settings.issuer, settings.audience, IssuerKeys(settings.jwks_url)),
        texts=Texts.of(service.package),
    )
    app.include_router(service.api)
    app.include_router(approvals_router((*service.approvals, drop_kind(service.events))))
    app.include_router(auditing.router)
    add_operations(app)
    describe(app)
    handle_errors(app)
    app.add_middleware(Limits)
    app.add_middleware(Observation)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    wiring: Wiring = app.state.wiring
    bell = asyncio.create_task(wiring.edge.doorbell.run())
    bell.add_done_callback(_tell_if_it_died)
    try:
        yield
    finally:
        bell.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await bell


def _tell_if_it_died(bell: "asyncio.Task[None]") -> None:
    """Not the end of the process: the doorbell is a hint, and whoever waits also polls."""
    if not bell.cancelled() and bell.exception():
        log.error("doorbell_died", exc_info=bell.exception())
