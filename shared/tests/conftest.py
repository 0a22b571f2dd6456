"""The plumbing is tested inside one service's schema, with a router, events and effects of the tests' own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from shared.consumer import EventRouter
from shared.database import new_metadata
from shared.edge import Edge
from shared.kafka import create_topics
from shared.service import Service
from shared.testing import Database
from shared.testing_line import Line


@pytest.fixture(scope="session")
def service() -> Service:
    return Service(name="notifications", events=EventRouter(), metadata=new_metadata())


@pytest.fixture(scope="module")
async def database(database: Database) -> Database:
    """The plumbing's tables, and one for what the tests' handlers do."""
    connection = await asyncpg.connect(database.url("notifications_owner"))
    await connection.execute(
        "CREATE TABLE effects"
        " (id bigint GENERATED ALWAYS AS IDENTITY, thing text NOT NULL, number int NOT NULL);"
        "CREATE TABLE things (thing text PRIMARY KEY, version int NOT NULL)"
    )
    await connection.close()
    return database


@pytest.fixture
async def line(edge: Edge, kafka: str) -> AsyncIterator[Line]:
    topic = f"test.{uuid4().hex}"
    await create_topics(kafka, [topic])
    made = Line(edge, kafka, topic)
    yield made
    if made.outlet:
        await made.outlet.close()
