"""The broker: only the jars that the lock names, and what was acknowledged is there after a kill."""

import asyncio
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local import kafka, places
from local.errors import LocalError
from local.servers import free_ports

pytestmark = pytest.mark.servers


@pytest.fixture
def false_mirror() -> Iterator[str]:
    """A registry that answers every address with something else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"not the jar")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_jar_with_another_sha256_is_refused_and_not_kept(
    false_mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "CENTRAL", false_mirror)
    monkeypatch.setattr(places, "TOOLS", tmp_path)
    with pytest.raises(LocalError, match="SHA-256"):
        kafka.fetch_jars()
    assert list((tmp_path / "kafka").iterdir()) == []


def test_an_unreachable_registry_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "CENTRAL", "http://127.0.0.1:1")
    monkeypatch.setattr(places, "TOOLS", tmp_path)
    with pytest.raises(LocalError, match="Is Maven Central reachable"):
        kafka.fetch_jars()


def test_acknowledged_records_survive_kill_9_and_a_change_of_ports(tmp_path: Path) -> None:
    broker = kafka.Kafka(tmp_path, *free_ports(2))
    broker.prepare()
    process = broker.start()
    broker.wait_until_ready()
    asyncio.run(write(broker.bootstrap))
    process.kill()
    process.wait()
    assert broker.ended()
    again = kafka.Kafka(tmp_path, *free_ports(2))
    again.prepare()
    again.start()
    again.wait_until_ready()
    assert asyncio.run(read(again.bootstrap)) == [b"kept"]
    again.stop()
    shutil.rmtree(tmp_path)


async def write(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("t", num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("t", b"kept")
    await producer.stop()


async def read(bootstrap: str) -> list[bytes]:
    consumer = AIOKafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = await consumer.getmany(timeout_ms=20_000)
        return [record.value for records in found.values() for record in records]
    finally:
        await consumer.stop()
