"""What tests of payouts stand on: an office with money, a real bank, and the worker's jobs step by step."""

from collections.abc import AsyncIterator, Iterator

import pytest

from rig.office import Desk, Office, SandboxBank, sandbox_bank
from shared.edge import Edge
from shared.testing import Database
from wallet.bank import Sender, open_bank
from wallet.domain.bank_messages import Party
from wallet.settings import WalletSettings
from wallet.testing import Deliver, World


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
    """Of a worker with this bank, patient for a second only."""
    base = database.settings("wallet").model_dump(exclude={"encryption_keys", "pepper"})
    return WalletSettings(**base, bank_url=bank.url, bank_timeout_seconds=1.0, bank_ask_seconds=0.05)


@pytest.fixture
async def desk(edge: Edge, settings: WalletSettings) -> AsyncIterator[Desk]:
    payer = Party(settings.payer_name, settings.payer_bin, settings.payer_iban)
    async with open_bank(settings) as client:
        yield Desk(edge, client, Sender(edge, client, payer))
