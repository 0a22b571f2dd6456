"""The four services as they answer, each over a database of its own, with own things and foreign ones."""

import importlib
from collections.abc import AsyncIterator

import pytest

from access.worlds import People, UndoneEdge, World
from shared.service import Service
from shared.testing import Databases
from shared.testing_http import TokenIssuer, served_api, token_issuer

SERVICES = ("enrollment", "clubs", "wallet", "notifications")


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    """Whose tokens all of them take."""
    async with token_issuer() as one:
        yield one


@pytest.fixture(scope="session", params=SERVICES)
async def world(
    request: pytest.FixtureRequest, databases: Databases, issuer: TokenIssuer
) -> AsyncIterator[World]:
    """One service after the other."""
    name: str = request.param
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
