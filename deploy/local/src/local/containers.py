"""PostgreSQL and Kafka in containers, for tests: only where a Docker engine of this machine answers.

The images are those of `docker-compose.yml`. Nobody needs this: without an engine, or if a container does not
start, the servers are our own.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg

from local import kafka, postgres
from local.errors import LocalError

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

POSTGRES = "postgres:18.6-trixie"
KAFKA = "apache/kafka:4.3.1"
_SOCKET = Path("/var/run/docker.sock")
_READY_SECONDS = 120


def engine_answers() -> bool:
    """Whether containers can be started on this machine."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}")
    is_here = (
        Path(host.path).exists() if host.scheme == "unix" else host.hostname in {"127.0.0.1", "localhost"}
    )
    if not is_here:
        return False
    try:
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - not installed in images

        with contextlib.closing(DockerClient(timeout=5).client) as engine:
            return bool(engine.ping())
    except Exception as error:  # noqa: BLE001 - whatever an engine that is no good makes of it
        sys.stderr.write(f"the Docker engine does not answer: {error}\n")
        return False


@contextlib.contextmanager
def running(*, postgres_port: int | None, kafka_port: int | None) -> Iterator[dict[str, str]]:
    """The servers that have a port, ready: their addresses. Removed in the end.

    Raises:
        LocalError: one did not start.
    """
    addresses = {}
    with contextlib.ExitStack() as stack:
        try:
            if postgres_port:
                addresses["database_url"] = f"postgresql://postgres@127.0.0.1:{postgres_port}/postgres"
                stack.enter_context(_postgres(postgres_port))
            if kafka_port:
                addresses["kafka_bootstrap"] = f"127.0.0.1:{kafka_port}"
                stack.enter_context(_kafka(kafka_port))
            if postgres_port:
                _wait("PostgreSQL", lambda: asyncio.run(_accepts(addresses["database_url"])))
            if kafka_port:
                _wait("Kafka", lambda: kafka.answers(kafka_port))
        except Exception as error:
            raise LocalError(f"no containers: {error}") from error
        yield addresses


def _postgres(port: int) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - not installed in images

    settings = {name: value for name, value in postgres.SETTINGS.items() if name not in postgres.OF_ITS_PLACE}
    command = ["postgres"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return (
        DockerContainer(POSTGRES)
        .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env(
            "POSTGRES_INITDB_ARGS",
            "--encoding=UTF8 --locale-provider=builtin --builtin-locale=PG_UNICODE_FAST --locale=C",
        )
        .with_bind_ports(5432, port)
        .with_command(command)
    )


def _kafka(port: int) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - not installed in images

    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_HEAP_OPTS": "-Xmx512m",
    }
    return DockerContainer(KAFKA).with_envs(**settings).with_bind_ports(9092, port)


async def _accepts(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


def _wait(name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise LocalError(f"{name} in its container is not ready after {_READY_SECONDS} s")
        time.sleep(0.2)
