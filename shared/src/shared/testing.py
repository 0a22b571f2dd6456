"""What tests stand on: real PostgreSQL and Kafka, a fresh database per test module, business time to move.

A pytest plugin. The servers are started by `python -m local.servers` when the first test needs them and stop
with the run; running ones are taken from `SW_DATABASE_URL` and `SW_KAFKA_BOOTSTRAP` instead.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import settings

from shared import migrations
from shared.database import new_id, open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.events.envelope import Envelope, Event, catalog
from shared.kafka import create_topics
from shared.logging import configure_logging
from shared.outbox import outbox
from shared.service import Service
from shared.settings import Settings

SETUP = Path(__file__).parents[3] / "deploy" / "postgres"
ISSUER = "http://127.0.0.1:1/issuer"


SERVERS = frozenset({"postgres", "kafka", "system"})
"""The fixtures that need a server. `make check` leaves out the tests that use one."""


def pytest_configure(config: pytest.Config) -> None:
    """Log as in production: one line of JSON an entry, and no colored tracebacks, which take seconds."""
    configure_logging("test", "pytest")
    settings.register_profile("patient", settings(), deadline=None)  # a busy machine is no fault
    settings.load_profile("patient")
    config.addinivalue_line("markers", "servers: needs PostgreSQL or Kafka; set by the fixtures a test uses")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, before `-m` looks."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def pytest_report_header() -> list[str]:
    """Say which servers this run uses: those of `python -m local.servers`, or the environment's own."""
    names = {"PostgreSQL": "SW_DATABASE_URL", "Kafka": "SW_KAFKA_BOOTSTRAP"}
    return [f"{server}: {_whose(name)}" for server, name in names.items()]


def _whose(name: str) -> str:
    if not os.environ.get(name):
        return "in a container where a Docker engine answers, else our own, once a test needs it"
    started = os.environ.get("SW_SERVERS")
    return f"{started}, by local.servers" if started else f"given by {name}"


@contextlib.contextmanager
def _servers(*arguments: str) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "local.servers", "--containers", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        if process.stdout is None or process.stdin is None:
            raise AssertionError
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the servers did not start; their message is above")
        yield json.loads(line)
        process.stdin.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A superuser's address in a cluster of its own, as `postgresql://user@host:port/postgres`."""
    if given := os.environ.get("SW_DATABASE_URL"):
        yield given
        return
    with _servers("--no-kafka") as addresses:
        yield addresses["database_url"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a real broker."""
    if given := os.environ.get("SW_KAFKA_BOOTSTRAP"):
        yield given
        return
    with _servers("--no-postgres") as addresses:
        yield addresses["kafka_bootstrap"]


_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name,
    pg_relation_size(format('%I.%I', schemaname, tablename)::regclass) > 1024 * 1024 AS large
FROM pg_tables WHERE schemaname = $1 AND tablename <> 'alembic_version'
"""


@dataclass(frozen=True, slots=True)
class Database:
    """A database with the roles and schemas of the system, and some services migrated."""

    superuser_url: str

    def url(self, role: str) -> str:
        """The address for a role; development's passwords are the names."""
        parts = urlsplit(self.superuser_url)
        return urlunsplit(parts._replace(netloc=f"{role}:{role}@{parts.hostname}:{parts.port}"))

    @contextlib.asynccontextmanager
    async def edge(self, service: str) -> AsyncIterator[Edge]:
        """The edge of a service, as its runtime role."""
        engine = open_engine(self.url(service), pool_size=20)
        try:
            yield Edge(engine, Doorbell(self.url(service), service), development=True)
        finally:
            await engine.dispose()

    def settings(self, service: str, *, kafka_bootstrap: str = "127.0.0.1:9092") -> Settings:
        """Settings of a process of this service."""
        return Settings(
            environment="development",
            database_url=self.url(service),
            owner_database_url=self.url(f"{service}_owner"),
            kafka_bootstrap=kafka_bootstrap,
            issuer=ISSUER,
        )


class Databases:
    """Makes databases: migrated once per set of services, then copied."""

    def __init__(self, superuser_url: str) -> None:
        self._superuser_url = superuser_url
        self._templates: dict[tuple[str, ...], str] = {}

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._superuser_url)._replace(path=f"/{name}"))

    async def create(self, *packages: str) -> Database:
        """A fresh database in which these services are migrated."""
        if packages not in self._templates:
            self._templates[packages] = await self._make_template(packages)
        name = f"test_{uuid4().hex}"
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._templates[packages]}"')
        # Rights on a database are not copied with it.
        await self._set_up(name, "setup.sql")
        return Database(self._url(name))

    async def drop(self, database: Database) -> None:
        """Remove a database, with whoever is still connected."""
        name = urlsplit(database.superuser_url).path.lstrip("/")
        await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _make_template(self, packages: tuple[str, ...]) -> str:
        name = f"template_{uuid4().hex}"
        await self._run(f'CREATE DATABASE "{name}"')
        await self._set_up(name, "setup.sql", "development.sql")
        for package in packages:
            await migrations.upgrade(Database(self._url(name)).url(f"{package}_owner"), package)
        return name

    async def _set_up(self, name: str, *scripts: str) -> None:
        """Roles are of the whole cluster, the lock in `setup.sql` of one database: take one for all."""
        connection = await asyncpg.connect(self._superuser_url)
        try:
            await connection.execute("SELECT pg_advisory_lock(hashtext('set_up'))")
            for script in scripts:
                await self._run((SETUP / script).read_text(), database=name)
        finally:
            await connection.close()  # and with it goes the lock

    async def _run(self, statements: str, *, database: str | None = None) -> None:
        connection = await asyncpg.connect(self._url(database) if database else self._superuser_url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases(postgres: str) -> Databases:
    """Makes fresh databases."""
    return Databases(postgres)


@pytest.fixture(scope="module")
async def database(databases: Databases, service: Service) -> AsyncIterator[Database]:
    """A fresh database for the module's tests, with the `service` of its conftest migrated."""
    made = await databases.create(service.package)
    yield made
    await databases.drop(made)


@pytest.fixture
async def edge(database: Database, service: Service) -> AsyncIterator[Edge]:
    """The service's edge, over tables that this test finds empty and real business time."""
    await empty(database, service.name)
    async with database.edge(service.name) as opened:
        yield opened


async def empty(database: Database, schema: str) -> None:
    """Empty all tables of a schema; triggers that refuse it are off for the superuser's session.

    Whoever still writes is waited for. What is small is deleted: to truncate is to make new files for each
    table and index, a hundred times what a few rows take.
    """
    connection = await asyncpg.connect(database.superuser_url)
    try:
        rows = await connection.fetch(_TABLES, schema)
        names = [row["name"] for row in rows]
        emptied = [f"{'TRUNCATE' if row['large'] else 'DELETE FROM'} {row['name']}" for row in rows]
        statements = (
            "SET session_replication_role = replica",
            "BEGIN",
            f"LOCK TABLE {', '.join(names)}",
            *emptied,
            "UPDATE development.clock SET shift = '0'",
            "COMMIT",
        )
        await connection.execute("; ".join(statements))
    finally:
        await connection.close()


async def set_clock(database: Database, moment: datetime) -> None:
    """Make business time go on from this moment."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute("UPDATE development.clock SET shift = $1 - clock_timestamp()", moment)
    finally:
        await connection.close()


async def published(edge: Edge) -> list[Event]:
    """The events that wait in the outbox, in their order."""
    async with edge.engine.connect() as connection:
        rows = await connection.execute(sa.select(outbox.c.headers, outbox.c.value).order_by(outbox.c.id))
        return [catalog[row.headers["ce_type"]].model_validate_json(row.value) for row in rows]


async def eventually(
    condition: Callable[[], Awaitable[object]], *, seconds: float = 30.0, pause: float = 0.05
) -> None:
    """Wait until this is true; fails with its last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await condition()
        if answer:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {answer!r}")
        await asyncio.sleep(pause)


async def topics_for(kafka_bootstrap: str, *services: Service) -> None:
    """Create the topics that these services write to."""
    await create_topics(kafka_bootstrap, [topic for service in services for topic in sorted(service.topics)])


def envelope_of(event: Event, at: datetime, id_: UUID | None = None) -> Envelope:
    """An event on its way, told at this moment."""
    return Envelope(
        id=id_ or new_id(),
        type=event.type,
        source=f"/{event.type.partition('.')[0]}",
        subject=event.subject,
        time=at,
        topic=event.topic,
        key=event.key,
        correlation_id=new_id(),
        causation_id=None,
        traceparent=None,
        event=event,
    )
