"""The service under test, a group to ask for seats in, and the way events reach the service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from uuid import UUID

import pytest

from clubs.domain.groups import Names, Weekly
from clubs.main import service as clubs
from clubs.testing import School
from clubs.usecases.groups import NewGroup, open_group
from clubs.usecases.providers import open_club, register_provider
from shared import consumer
from shared.database import new_id
from shared.edge import Edge
from shared.events.envelope import Event
from shared.security import Grant, Principal, Role
from shared.service import Service
from shared.settings import Settings
from shared.testing import Database, envelope_of, set_clock
from shared.testing_http import ServedApi, TokenIssuer, served, token_issuer

NAME = Names("Шахмат", "Шахматы", "Chess")


@pytest.fixture(scope="session")
def service() -> Service:
    return clubs


@pytest.fixture
async def now(database: Database, edge: Edge) -> datetime:
    """Business time: a Tuesday afternoon. `edge` has reset it before."""
    _ = edge
    moment = datetime(2026, 9, 1, 9, tzinfo=UTC)
    await set_clock(database, moment)
    return moment


@pytest.fixture
def administrator() -> Principal:
    return Principal(new_id(), frozenset({Grant("administrator", "region", new_id())}))


@pytest.fixture
async def director(edge: Edge, now: datetime, administrator: Principal) -> Principal:
    """The director of the only provider."""
    _ = now
    async with edge.transaction() as tx:
        provider = await register_provider(tx, administrator, number="240140001238", name=NAME)
    return Principal(new_id(), frozenset({Grant("director", "provider", provider["id"])}))


@pytest.fixture
async def new_group(edge: Edge, director: Principal) -> NewGroup:
    """What the director says of a group with one seat, on Mondays and Fridays until the end of the year."""
    (provider_id,) = director.scopes("director")
    async with edge.transaction() as tx:
        club = await open_club(tx, director, provider_id=provider_id, name=NAME, direction="chess")
    return NewGroup(
        club_id=club["id"],
        name=NAME,
        price_tiyn=1_500_000,
        capacity=1,
        age_from=7,
        age_to=11,
        schedule=(Weekly(1, time(15), time(16, 30)), Weekly(5, time(15), time(16, 30))),
        coaches=(),
        starts_on=date(2026, 9, 1),
        ends_on=date(2026, 12, 31),
    )


@pytest.fixture
def open_with(edge: Edge, director: Principal, new_group: NewGroup) -> Callable[[int], Awaitable[UUID]]:
    """Open a group with so many seats."""

    async def open_(capacity: int) -> UUID:
        async with edge.transaction() as tx:
            return await open_group(tx, director, replace(new_group, capacity=capacity))

    return open_


@pytest.fixture
async def group_id(open_with: Callable[[int], Awaitable[UUID]]) -> UUID:
    """A group with one seat."""
    return await open_with(1)


@pytest.fixture
def deliver(edge: Edge) -> Callable[..., Awaitable[None]]:
    """Hand events to the service in one transaction, as its worker does with a chunk."""

    async def deliver_(*events: Event) -> None:
        async with edge.transaction() as tx:
            envelopes = [envelope_of(event, tx.now) for event in events]
            assert not await consumer.handle(tx, clubs.events, envelopes)

    return deliver_


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with token_issuer() as issuer_:
        yield issuer_


@pytest.fixture
async def api(edge: Edge, database: Database, issuer: TokenIssuer) -> AsyncIterator[ServedApi]:
    """The service's API behind a real server."""
    settings = Settings(environment="development", database_url=database.url("clubs"), issuer=issuer.url)
    async with served(clubs.app(settings, edge)) as url:
        yield ServedApi(url, issuer, edge)


@pytest.fixture
async def school(
    edge: Edge,
    database: Database,
    director: Principal,
    administrator: Principal,
    open_with: Callable[[int], Awaitable[UUID]],
) -> School:
    """A group with ten seats and two children in it."""
    (provider_id,) = director.scopes("director")

    def of_provider(role: Role) -> Principal:
        return Principal(new_id(), frozenset({Grant(role, "provider", provider_id)}))

    made = School(
        edge=edge,
        database=database,
        provider_id=provider_id,
        group_id=await open_with(10),
        director=director,
        administrator=administrator,
        coach=of_provider("coach"),
        device=of_provider("device"),
    )
    await made.seat()
    await made.seat()
    return made
