"""The four services as they answer, each over a database of its own, with own things and foreign ones."""

import contextlib
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from access.requests import SERVICES
from access.worlds import People, UndoneEdge, World
from shared.service import Service
from shared.testing import Databases
from shared.testing_http import TokenIssuer, served_api, token_issuer
from shared.tls import tls


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    """Whose tokens all of them take."""
    async with token_issuer() as one:
        yield one


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has not signed in."""
    async with httpx.AsyncClient(trust_env=False, verify=tls(), timeout=40) as client:
        yield client


@pytest.fixture(scope="session")
async def worlds(
    databases: Databases, issuer: TokenIssuer
) -> AsyncIterator[Callable[[str], Awaitable[World]]]:
    """The world of a service, made when the first test needs it."""
    made: dict[str, World] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def world_of(name: str) -> World:
            if name not in made:
                made[name] = await stack.enter_async_context(_world(name, databases, issuer))
            return made[name]

        yield world_of


@pytest.fixture(params=SERVICES)
async def world(request: pytest.FixtureRequest, worlds: Callable[[str], Awaitable[World]]) -> World:
    """That of each service, or of the one that a test names."""
    return await worlds(request.param)


@contextlib.asynccontextmanager
async def _world(name: str, databases: Databases, issuer: TokenIssuer) -> AsyncIterator[World]:
    service: Service = importlib.import_module(f"{name}.main").service
    database = await databases.create(service.package)
    async with database.edge(name) as edge:
        people = People(edge)
        build = importlib.import_module(f"access.worlds.{name}").build
        own, foreign = await build(edge, database, people)
        undone = UndoneEdge(edge.engine, edge.doorbell, edge.development)
        settings = service.settings(**database.settings(name).model_dump())
        async with (
            served_api(service, settings, edge, issuer) as kept,
            served_api(service, settings, undone, issuer) as taken_back,
        ):
            yield World(
                service=service,
                database=database,
                edge=edge,
                people=people,
                tokens={who: issuer.token(id_) for who, id_ in people.ids.items()},
                own=own,
                foreign=foreign,
                url=kept.url,
                undone_url=taken_back.url,
            )
    await databases.drop(database)
