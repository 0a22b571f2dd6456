"""The whole system, started by `social-wallet up` on ports and in a folder of its own."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from shared.kafka import PARTITIONS, end_offsets
from shared.tls import tls

CLONE = Path(__file__).parents[2]
SERVICES = ("enrollment", "clubs", "wallet", "notifications")
TOPICS = ("enrollment.events", "clubs.events", "wallet.events", "wallet.runs")


@dataclass(frozen=True)
class System:
    """A running system; its supervisor restarts what is killed."""

    state: Path
    base_port: int
    otlp_endpoint: str | None = None

    @property
    def database_url(self) -> str:
        """The system's database, as the superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.base_port + 32}/socialwallet"

    @property
    def kafka_bootstrap(self) -> str:
        return f"127.0.0.1:{self.base_port + 92}"

    def address(self, service: str) -> str:
        """Of a service's API."""
        return f"http://127.0.0.1:{self.base_port + 1 + SERVICES.index(service)}"

    @property
    def environment(self) -> dict[str, str]:
        """Ours, without the servers of other tests: the system starts its own, as it does for people."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SW_")}
        tracing = {"SW_OTLP_ENDPOINT": self.otlp_endpoint} if self.otlp_endpoint else {}
        return kept | {"SW_STATE": str(self.state)} | tracing

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `social-wallet` with these arguments."""
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "local.main", *arguments],
            env=self.environment,
            check=check,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
        )

    def pid(self, process: str) -> int:
        """The pid of one of the nine, such as `wallet-worker`."""
        return int((self.state / "run" / f"{process}.pid").read_text())

    def kill(self, process: str) -> None:
        """End it as a power cut would."""
        os.kill(self.pid(process), signal.SIGKILL)

    async def token(self, login: str) -> str:
        """An access token of one of the seeded people."""
        async with httpx.AsyncClient(trust_env=False, verify=tls()) as http:
            form = {"grant_type": "password", "username": login}
            answer = await http.post(f"http://127.0.0.1:{self.base_port}/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    @contextlib.asynccontextmanager
    async def database(self) -> Any:  # noqa: ANN401 - asyncpg's connection, for looking only
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def published(self, topic: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """The type and the content of every event in a topic, by its id: one that was sent twice is one."""
        found = {}
        for record in await self.records(topic):
            headers = dict(record.headers)
            type_, content = headers["ce_type"].decode(), json.loads(record.value or b"null")
            found[headers["ce_id"].decode()] = type_, content
        return found

    async def records(self, *topics: str) -> list[ConsumerRecord[bytes, bytes]]:
        """All that lie in these topics, those of one partition in their order."""
        found: list[ConsumerRecord[bytes, bytes]] = []
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka_bootstrap, group_id=None) as log:
            log.assign(partitions)
            await log.seek_to_beginning(*partitions)
            left = {one: end for one, end in (await log.end_offsets(partitions)).items() if end}
            while left:
                batches = await log.getmany(*left, timeout_ms=500)
                found += [record for records in batches.values() for record in records]
                left = {one: end for one, end in left.items() if await log.position(one) < end}
        return found

    async def settled(self, *, seconds: float) -> None:
        """Wait until nothing is on its way: outboxes empty, everything read, nothing parked or undecided."""
        deadline = asyncio.get_running_loop().time() + seconds
        async with self.database() as database:
            while left := await _unsettled(database) or await self._not_taken_in(database):
                if asyncio.get_running_loop().time() > deadline:
                    raise AssertionError(f"not settled after {seconds} s: {left}")
                await asyncio.sleep(0.2)

    async def _not_taken_in(self, database: Any) -> dict[str, int]:  # noqa: ANN401 - asyncpg's connection
        """How many records each service still has before it."""
        ends = await end_offsets(self.kafka_bootstrap, TOPICS)
        behind = {}
        for service in SERVICES:
            query = f"SELECT topic, partition, next_offset FROM {service}.consumer_offsets"  # noqa: S608 - ours
            rows = await database.fetch(query)
            behind[service] = sum(
                ends[row["topic"], row["partition"]] - row["next_offset"]
                for row in rows
                if row["topic"] in TOPICS
            )
        return {service: count for service, count in behind.items() if count}


async def _unsettled(database: Any) -> dict[str, int]:  # noqa: ANN401 - asyncpg's connection
    counts = {
        f"{service}.{table}": await database.fetchval(f"SELECT count(*) FROM {service}.{table}")  # noqa: S608 - ours
        for service in SERVICES
        for table in ("outbox", "parked_records")
    }
    counts["enrollments"] = await database.fetchval(
        "SELECT count(*) FROM enrollment.enrollments WHERE state IN ('requested', 'funding')"
    )
    return {name: count for name, count in counts.items() if count}


class Person:
    """Somebody signed in, with one connection to each service."""

    def __init__(self, system: System, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._clients = {
            service: httpx.AsyncClient(
                base_url=system.address(service), headers=headers, trust_env=False, timeout=30, verify=tls()
            )
            for service in SERVICES
        }

    async def get(self, service: str, path: str, **parameters: str | int) -> httpx.Response:
        return await self._clients[service].get(path, params=parameters)

    async def post(
        self, service: str, path: str, body: object = None, *, key: str | None = None
    ) -> httpx.Response:
        """Ask for something, once: with a new key unless one is given."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return await self._clients[service].post(path, json=body, headers=headers)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


async def sign_in(system: System, login: str) -> Person:
    """Somebody of the seeded people."""
    return Person(system, await system.token(login))


@contextlib.contextmanager
def running(*, otlp_endpoint: str | None = None) -> Iterator[System]:
    """Start a system with its seeds, and leave nothing of it behind. It sends its traces there, if said."""
    with reserved(otlp_endpoint=otlp_endpoint) as system:
        started = system.command("up", "--base-port", str(system.base_port), check=False)
        if started.returncode:
            raise RuntimeError(started.stdout)
        yield system


@contextlib.contextmanager
def reserved(*, otlp_endpoint: str | None = None) -> Iterator[System]:
    """A folder and ports for a system that is not started; whatever runs there in the end is stopped."""
    (CLONE / ".local").mkdir(mode=0o711, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="system-", dir=CLONE / ".local"))
    state.chmod(0o711)  # PostgreSQL may run as another user
    base_port = random.randrange(20_000, 30_000, 200)  # noqa: S311 - a port
    system = System(state, base_port, otlp_endpoint)
    try:
        yield system
    finally:
        system.command("reset", check=False)
        shutil.rmtree(state, ignore_errors=True)


def read_lines(text: str) -> list[dict[str, Any]]:
    """JSON objects, one a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
