"""`kill -9` of the wallet wherever an order is on its way: nobody is ever paid twice.

Each moment is reached from outside: somebody else holds a lock that it needs, or the bank keeps it waiting.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from local.servers import free_ports
from rig.office import Office, SandboxBank
from rig.processes import ServiceProcess
from shared.database import new_id
from shared.testing import Database, eventually, topics_for
from shared.testing_http import ServedApi, TokenIssuer, signed_in
from wallet.main import service as wallet
from wallet.settings import WalletSettings
from wallet.testing import Check, waits_for_a_lock

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("wallet worker")]
ORDERS = "SELECT 1 FROM payouts FOR UPDATE"
ITEMS = "SELECT 1 FROM payable_items FOR UPDATE"
RUNS = "SELECT 1 FROM payout_runs FOR UPDATE"
PROPOSALS = "SELECT 1 FROM proposals FOR UPDATE"
RELAY = "SELECT pg_advisory_xact_lock(hashtext('relay'), hashtext(current_schema()))"


@pytest.fixture
def environment(
    database: Database, kafka: str, settings: WalletSettings, issuer: TokenIssuer
) -> dict[str, str]:
    """Of each of the wallet's processes."""
    return {
        "SW_ENVIRONMENT": "development",
        "SW_DATABASE_URL": database.url("wallet"),
        "SW_KAFKA_BOOTSTRAP": kafka,
        "SW_ISSUER": issuer.url,
        "SW_BANK_URL": settings.bank_url,
        "SW_BANK_TIMEOUT_SECONDS": "4",
        "SW_BANK_ASK_SECONDS": "0.1",
    }


@pytest.fixture
async def worker(kafka: str, environment: dict[str, str]) -> AsyncIterator[ServiceProcess]:
    await topics_for(kafka, wallet)
    made = ServiceProcess("wallet", "worker", environment)
    yield made
    made.kill()


@contextlib.asynccontextmanager
async def holding(database: Database, statement: str) -> AsyncIterator[None]:
    """Somebody else holds these locks for as long as the block runs."""
    connection = await asyncpg.connect(database.url("wallet"))
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def become(office: Office, *states: str) -> None:
    async def reached() -> bool:
        return await office.states() == list(states)

    try:
        await eventually(reached, seconds=60)
    except AssertionError:
        raise AssertionError(f"not {states} but {await office.states()}") from None


async def taken_by(bank: SandboxBank, orders: int) -> None:
    async def reached() -> bool:
        return len(bank.payments()) == orders

    await eventually(reached, seconds=60)


def assert_paid_once(bank: SandboxBank, orders: int = 1) -> None:
    assert [payment["times"] for payment in bank.payments()] == [1] * orders


@pytest.fixture
async def proposed(office: Office) -> Office:
    """With one order of two items, in a run that nobody has approved."""
    await office.owe(await office.new_provider(), children=2)
    await office.start()
    return office


async def approve(office: Office) -> None:
    (run,) = await office.runs()
    await office.approve(run["proposal_id"])


async def test_when_items_are_taken(
    proposed: Office, worker: ServiceProcess, bank: SandboxBank, assert_clean: Check
) -> None:
    worker.start()
    worker.kill()
    await approve(proposed)
    worker.start()
    await become(proposed, "settled")
    assert_paid_once(bank)
    await assert_clean()


class Approving:
    """The second administrator, at an API that is killed and started again."""

    def __init__(self, office: Office, api: ServiceProcess, client: httpx.AsyncClient) -> None:
        self._office = office
        self._api = api
        self._client = client
        self._key = {"Idempotency-Key": str(new_id())}

    async def start_api(self) -> None:
        self._api.start()
        await eventually(self._is_ready, seconds=60)

    async def _is_ready(self) -> bool:
        try:
            return (await self._client.get("/readyz")).is_success
        except httpx.TransportError:
            return False

    async def approve(self, **headers: str) -> httpx.Response:
        """The same request each time, unless it has another key."""
        (run,) = await self._office.runs()
        path = f"/v1/approvals/{run['proposal_id']}/approve"
        return await self._client.post(path, headers=self._key | headers)

    async def state(self) -> tuple[str, str]:
        """Of the proposal, as people are told, and of its run."""
        (proposal,) = (await self._client.get("/v1/approvals", params={"limit": 1})).json()["items"]
        (run,) = await self._office.runs()
        return proposal["state"], run["state"]


@pytest.fixture
async def approving(
    proposed: Office, environment: dict[str, str], issuer: TokenIssuer
) -> AsyncIterator[tuple[Approving, ServiceProcess]]:
    (port,), (_, person) = free_ports(1), proposed.world.people
    served = ServedApi(f"http://127.0.0.1:{port}", issuer, proposed.edge)
    await served.grant(person.person_id, "administrator", "region", proposed.world.region_id)
    api = ServiceProcess("wallet", "api", environment | {"SW_PORT": str(port)})
    async with signed_in(served.url, issuer, person.person_id) as client:
        yield Approving(proposed, api, client), api
    api.kill()


async def test_at_the_second_approval(
    *,
    proposed: Office,
    approving: tuple[Approving, ServiceProcess],
    worker: ServiceProcess,
    bank: SandboxBank,
    database: Database,
    assert_clean: Check,
) -> None:
    person, api = approving
    await person.start_api()
    for locked in (PROPOSALS, RUNS):  # before it has written anything, and when it has decided
        async with holding(database, locked):
            asking = asyncio.create_task(person.approve())
            await waits_for_a_lock(proposed.edge)
            api.kill()
            with pytest.raises(httpx.TransportError):
                await asking
        await person.start_api()
        assert await person.state() == ("open", "proposed")
        assert await proposed.stages() == ["in_run"] * 2
        await assert_clean()
    first = await person.approve()
    api.kill()  # committed, and for all that this person knows the answer was lost
    await person.start_api()
    assert ((await person.approve()).json(), first.status_code) == (first.json(), 200)
    assert (await person.approve(**{"Idempotency-Key": "another"})).status_code == 409
    assert await person.state() == ("executed", "approved")
    worker.start()
    await become(proposed, "settled")
    assert_paid_once(bank)
    await assert_clean()


async def test_before_the_commit_of_submitting(
    *,
    proposed: Office,
    worker: ServiceProcess,
    bank: SandboxBank,
    database: Database,
    assert_clean: Check,
) -> None:
    async with holding(database, ITEMS):
        await approve(proposed)
        worker.start()
        await waits_for_a_lock(proposed.edge)
        worker.kill()
    assert (await proposed.states(), await proposed.stages()) == (["prepared"], ["in_run"] * 2)
    worker.start()
    await become(proposed, "settled")
    assert_paid_once(bank)
    await assert_clean()


async def test_during_the_call(
    proposed: Office, worker: ServiceProcess, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("slow", seconds=3)
    await approve(proposed)
    worker.start()
    await taken_by(bank, 1)
    worker.kill()
    assert await proposed.states() == ["submitting"]
    worker.start()
    await become(proposed, "settled")
    assert_paid_once(bank)
    await assert_clean()


async def test_when_the_bank_does_not_even_read_the_order(
    proposed: Office, worker: ServiceProcess, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.stand_still()
    await approve(proposed)
    worker.start()
    await become(proposed, "submitting")
    worker.kill()
    bank.go_on()
    worker.start()
    await proposed.go_to("2026-11-19T09:00:00+05:00")

    async def over() -> bool:
        return await proposed.states() in (["settled"], ["bounced"])

    await eventually(over, seconds=60)
    paid = [payment["times"] for payment in bank.payments()]
    assert paid == ([1] if await proposed.states() == ["settled"] else [])
    await assert_clean()


async def test_when_the_bank_has_answered_and_nobody_has_noted_it(
    *,
    proposed: Office,
    worker: ServiceProcess,
    bank: SandboxBank,
    database: Database,
    assert_clean: Check,
) -> None:
    bank.behave("slow", seconds=1.5)
    await approve(proposed)
    worker.start()
    await taken_by(bank, 1)
    async with holding(database, ORDERS):
        await waits_for_a_lock(proposed.edge)
        worker.kill()
    assert (await proposed.states(), await proposed.stages()) == (["submitting"], ["submitting"] * 2)
    worker.start()
    await become(proposed, "settled")
    assert_paid_once(bank)
    await assert_clean()


async def test_when_what_is_committed_has_not_been_told(
    *,
    proposed: Office,
    worker: ServiceProcess,
    bank: SandboxBank,
    database: Database,
    kafka: str,
    assert_clean: Check,
) -> None:
    async with holding(database, RELAY):
        await approve(proposed)
        worker.start()
        await become(proposed, "settled")
        worker.kill()
    worker.start()

    async def all_told() -> bool:
        return await proposed.untold() == 0

    await eventually(all_told, seconds=60)
    (order,) = await proposed.orders()
    assert await _heard(kafka, str(order["id"])) == {
        "wallet.payout_sent.v1": 1,
        "wallet.payout_settled.v1": 1,
    }
    assert_paid_once(bank)
    await assert_clean()


async def _heard(kafka: str, subject: str) -> Counter[str]:
    """The events about a thing, each counted once by its id."""
    found = set()
    async with AIOKafkaConsumer(
        "wallet.events", bootstrap_servers=kafka, auto_offset_reset="earliest"
    ) as log:
        while batch := await log.getmany(timeout_ms=2000):
            for record in (record for records in batch.values() for record in records):
                headers = {name: value.decode() for name, value in record.headers}
                if headers["ce_subject"] == subject:
                    found.add((headers["ce_id"], headers["ce_type"]))
    return Counter(type_ for _, type_ in found)


@pytest.mark.parametrize(
    ("behavior", "end", "locked"), [("twice", "settled", ORDERS), ("reject", "bounced", ITEMS)]
)
async def test_while_an_answer_is_read(
    *,
    proposed: Office,
    worker: ServiceProcess,
    bank: SandboxBank,
    database: Database,
    assert_clean: Check,
    behavior: str,
    end: str,
    locked: str,
) -> None:
    bank.behave("late")
    await approve(proposed)
    worker.start()
    await become(proposed, "sent")
    async with holding(database, locked):
        bank.change_mind(behavior)
        await waits_for_a_lock(proposed.edge)
        worker.kill()
    assert (await proposed.states(), await proposed.stages()) == (["sent"], ["sent"] * 2)
    await assert_clean()
    worker.start()
    await become(proposed, end)
    assert await proposed.stages() == (["settled"] * 2 if end == "settled" else ["due"] * 2)
    assert_paid_once(bank)
    await assert_clean()
