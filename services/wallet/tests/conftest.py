"""What the wallet's tests stand on: the service, a program with two funds, children who are entitled.

Those of payouts have an office with money, a real bank, and the worker's jobs step by step.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest

from rig.office import Desk, Office, SandboxBank, sandbox_bank
from shared.consumer import handle
from shared.edge import Edge
from shared.events.envelope import Event
from shared.service import Service
from shared.testing import Database, envelope_of, set_clock
from shared.testing_http import ServedApi, TokenIssuer, served_api, token_issuer
from wallet.bank import Sender, open_bank
from wallet.domain.bank_messages import Party
from wallet.main import service as wallet
from wallet.settings import WalletSettings
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


@pytest.fixture
async def office(edge: Edge, database: Database, world: World, deliver: Deliver) -> Office:
    await world.pay_in(world.on_hold, 1_000_000_000)
    return Office(edge, database, world, deliver)


@pytest.fixture
async def owed(office: Office) -> Office:
    """With an approved run of one order of two items."""
    await office.owe(await office.new_provider(), children=2)
    await office.run()
    return office


@pytest.fixture(scope="module")
def opened_bank(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxBank]:
    with sandbox_bank(tmp_path_factory.mktemp("bank"), database.url("auditor")) as made:
        yield made


@pytest.fixture
def bank(opened_bank: SandboxBank) -> SandboxBank:
    opened_bank.go_on()
    opened_bank.start_anew()
    return opened_bank


@pytest.fixture
def settings(database: Database, bank: SandboxBank) -> WalletSettings:
    """Of a worker with this bank."""
    base = database.settings("wallet").model_dump(exclude={"encryption_keys", "pepper"})
    return WalletSettings(**base, bank_url=bank.url, bank_ask_seconds=0.05)


@pytest.fixture
async def desk(edge: Edge, settings: WalletSettings) -> AsyncIterator[Desk]:
    payer = Party(settings.payer_name, settings.payer_bin, settings.payer_iban)
    async with open_bank(settings) as client:
        yield Desk(edge, client, Sender(edge, client, payer))
