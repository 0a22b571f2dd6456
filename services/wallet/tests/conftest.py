"""What the wallet's tests stand on: the service, a program with two funds, and children who are entitled."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from shared.consumer import handle
from shared.edge import Edge
from shared.events.envelope import Event
from shared.service import Service
from shared.testing import Database, envelope_of, set_clock
from shared.testing_http import ServedApi, TokenIssuer, served_api, token_issuer
from wallet.main import service as wallet
from wallet.testing import Deliver, World


@pytest.fixture(scope="session")
def service() -> Service:
    return wallet


@pytest.fixture
async def world(edge: Edge, database: Database) -> World:
    """Tuesday, the first of September 2026; no money anywhere."""
    await set_clock(database, datetime(2026, 9, 1, 9, tzinfo=UTC))
    made = World(edge)
    await made.found()
    return made


@pytest.fixture
def deliver(edge: Edge) -> Deliver:
    """Hand events to the service in one transaction, as its worker does with a chunk."""

    async def deliver_(*events: Event) -> None:
        async with edge.transaction() as tx:
            assert not await handle(tx, wallet.events, [envelope_of(event, tx.now) for event in events])

    return deliver_


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with token_issuer() as one:
        yield one


@pytest.fixture
async def api(
    service: Service, database: Database, edge: Edge, issuer: TokenIssuer
) -> AsyncIterator[ServedApi]:
    """The API behind a real server."""
    async with served_api(service, database.settings("wallet"), edge, issuer) as one:
        yield one


@pytest.fixture
def assert_clean(edge: Edge) -> Callable[[], Awaitable[None]]:
    """Run the service's own audit."""

    async def check() -> None:
        async with edge.transaction() as tx:
            driver = await tx.driver()
            found = {name: await driver.fetch(sql) for name, sql in wallet.audit.items()}
            assert not any(found.values()), found

    return check
