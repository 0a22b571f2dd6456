"""Single services without the rest of the system: real servers, a fresh database, processes as deployed."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvloop

from local import child
from local.servers import free_ports
from shared.relay import Relay
from shared.service import Service
from shared.testing import ISSUER, Database, Databases, topics_for
from shared.tls import tls

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
NOBODY = "http://127.0.0.1:1"


def serve(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a script with servers of its own, unless the environment names some that run already."""
    if not {"SW_DATABASE_URL", "SW_KAFKA_BOOTSTRAP"} <= os.environ.keys():
        # In our place, so that whoever ends us ends all of it.
        command = [sys.executable, "-m", "local.servers", "--", sys.executable, *sys.argv]
        os.execv(sys.executable, command)  # noqa: S606 - ourselves
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as services run
        return runner.run(main())


@dataclass(frozen=True)
class Stand:
    """A database in which some services are migrated, and a Kafka with their topics."""

    database: Database
    kafka: str
    log: Path
    """What the processes say."""

    def start(self, service: str, command: str = "worker") -> "Process":
        """Start one more process of a service, on a port of its own."""
        (port,) = free_ports(1)
        return Process(service, command, port, self._environment(service, port), self.log)

    def _environment(self, service: str, port: int) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SW_")}
        told = {
            "SW_ENVIRONMENT": "development",
            "SW_DATABASE_URL": self.database.url(service),
            "SW_KAFKA_BOOTSTRAP": self.kafka,
            "SW_PORT": str(port),
            "SW_METRICS_PORT": str(port),
            "SW_ISSUER": ISSUER,
            "SW_BANK_URL": NOBODY,
            "SW_REGISTER_URL": NOBODY,
            "SW_SMS_URL": NOBODY,
        }
        return kept | told

    @contextlib.asynccontextmanager
    async def superuser(self) -> AsyncIterator[Any]:
        """A connection, of asyncpg, which has no types."""
        connection = await asyncpg.connect(self.database.superuser_url)
        try:
            yield connection
        finally:
            await connection.close()

    def audit(self, service: str) -> subprocess.CompletedProcess[str]:
        """The service's own checks."""
        command = [sys.executable, "-m", service, "audit"]
        environment = self._environment(service, 0)
        return subprocess.run(command, env=environment, check=False, text=True, capture_output=True)  # noqa: S603 - ours

    @contextlib.asynccontextmanager
    async def relaying(self, service: str) -> AsyncIterator[None]:
        """Carry the outbox of a service that has no worker here."""
        async with self.database.edge(service) as edge:
            task = asyncio.create_task(Relay(self.database.url(service), self.kafka, edge.doorbell).run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def opened(*services: Service) -> AsyncIterator[Stand]:
    """A stand for these services, on the servers that the environment names."""
    databases = Databases(os.environ["SW_DATABASE_URL"])
    kafka = os.environ["SW_KAFKA_BOOTSTRAP"]
    await topics_for(kafka, *services)
    database = await databases.create(*(service.package for service in services))
    log = Path(__file__).parents[2] / ".local" / "alone.log"
    try:
        yield Stand(database, kafka, log)
    finally:
        await databases.drop(database)


class Process:
    """`python -m <service> <command>`, until it is told to end."""

    def __init__(self, service: str, command: str, port: int, environment: dict[str, str], log: Path) -> None:
        self._ready_url = f"http://127.0.0.1:{port}/readyz"
        self._process = child.spawn(
            [sys.executable, "-m", service, command], log=log, environment=environment
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def until_ready(self) -> None:
        """Wait until it says that it is."""
        async with (
            httpx.AsyncClient(trust_env=False, verify=tls()) as http,
            asyncio.timeout(READY_SECONDS_MAX),
        ):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(self._ready_url)).status_code == httpx.codes.OK:
                        return
                if self._process.poll() is not None:
                    raise RuntimeError(f"it ended by itself: {self._process.returncode}")
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Let it finish what it has begun."""
        self._process.terminate()
        self._process.wait(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()


def end(processes: Sequence[Process]) -> None:
    """Whatever still runs of these."""
    for process in processes:
        process.kill()
