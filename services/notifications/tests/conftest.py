"""Notifications on a real database: events go in through the consumer's own way, families are invented."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import pytest

from notifications import consumers
from notifications.main import service as notifications
from notifications.testing import NOON, Family
from shared.consumer import NotYet, handle
from shared.edge import Edge
from shared.events.envelope import Envelope, Event
from shared.service import Service
from shared.testing import Database, envelope_of, set_clock
from shared.testing_http import ServedApi, TokenIssuer, served_api, token_issuer


@pytest.fixture(scope="session")
def service() -> Service:
    return notifications


class _MustWaitError(Exception):
    """Rolls back, as the consumer does."""


Take = Callable[..., Awaitable[list[NotYet]]]


def _roll_back_if(waiting: list[NotYet]) -> None:
    if waiting:
        raise _MustWaitError


@pytest.fixture
async def take(edge: Edge, database: Database) -> Take:
    """Take events in as one chunk, as the consumer does; what must wait rolls all of it back."""
    await set_clock(database, NOON)

    async def take(*events: Event | Envelope, at: datetime = NOON) -> list[NotYet]:
        chunk = [one if isinstance(one, Envelope) else envelope_of(one, at) for one in events]
        waiting: list[NotYet] = []
        with contextlib.suppress(_MustWaitError):
            async with edge.transaction() as tx:
                waiting += [answer for _, answer in await handle(tx, consumers.router, chunk)]
                _roll_back_if(waiting)
        return waiting

    return take


@pytest.fixture
async def family(take: Take) -> Family:
    """A family that is known, in a group that is known, of a provider and a fund that are."""
    known = Family()
    await take(known.child_described(), known.group_described())
    await take(known.provider_described(), known.fund_described())
    return known


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    """Whose tokens the API takes."""
    async with token_issuer() as one:
        yield one


@pytest.fixture
async def api(
    service: Service, database: Database, edge: Edge, issuer: TokenIssuer
) -> AsyncIterator[ServedApi]:
    """The API behind a real server."""
    settings = service.settings(**database.settings("notifications").model_dump())
    async with served_api(service, settings, edge, issuer) as one:
        yield one
