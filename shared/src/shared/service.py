"""What a service is made of; `shared.commands` is what can be done with one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import MetaData

from shared.approvals import ApprovalKind
from shared.consumer import EventRouter
from shared.database import Transaction, open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.events import attendance, clubs, enrollment, wallet
from shared.events.envelope import catalog
from shared.settings import Settings
from shared.worker import Job

if TYPE_CHECKING:  # most of what a process imports, and only one that serves the API needs it
    from fastapi import APIRouter, FastAPI

Republish = Callable[[Transaction, UUID | None], Awaitable[UUID | None]]
"""Publish a bounded page of full-state facts, those after this id; answer the last id, None at the end."""

PUBLISHED_LANGUAGE = (enrollment, clubs, attendance, wallet)
"""Imported so that the catalog knows every event."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its edges, its tables, and what operators can ask of it."""

    name: str
    events: EventRouter
    metadata: MetaData
    approvals: tuple[ApprovalKind[Any], ...] = ()
    republish: Mapping[str, Republish] = field(default_factory=dict)
    audit: Mapping[str, str] = field(default_factory=dict)
    """Name of a check → SQL that finds nothing when all is well."""
    jobs: tuple[Job, ...] = ()
    settings: type[Settings] = Settings

    @property
    def package(self) -> str:
        """The import name."""
        return self.name

    @property
    def topics(self) -> frozenset[str]:
        """The topics it alone writes to."""
        owned = [event for type_, event in catalog.items() if type_.startswith(f"{self.name}.")]
        return frozenset(event.topic for event in owned)

    @property
    def api(self) -> "APIRouter":
        """The router of the package's `api`."""
        router: APIRouter = import_module(f"{self.package}.api").router
        return router

    def app(self, settings: Settings, edge: Edge) -> "FastAPI":
        """The HTTP API over this edge."""
        # FastAPI and Alembic take seconds to import, and a worker needs none of them.
        from shared import migrations  # noqa: PLC0415 - see above
        from shared.http.app import create_app  # noqa: PLC0415 - see above

        return create_app(self, settings, edge, heads=migrations.heads(self.package))


@asynccontextmanager
async def open_edge(service: Service, settings: Settings) -> AsyncIterator[Edge]:
    """The service's database and doorbell, for as long as the block runs."""
    engine = open_engine(settings.database_url)
    try:
        yield Edge(engine, Doorbell(settings.database_url, service.name), settings.development)
    finally:
        await engine.dispose()
