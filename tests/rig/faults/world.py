"""A whole system that can be hurt: processes and servers by their pids, the lines to servers by proxies."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import asyncpg
import httpx
import psutil

from local import child
from local.layout import Layout
from rig import system as rig
from rig.faults.supervisor import KAFKA_BEHIND, KAFKA_PROXY, POSTGRES_PROXY, RIG, SMALL, hold_file
from rig.system import SERVICES, System
from shared.kafka import KafkaError, end_offsets
from shared.tls import tls

Server = Literal["postgres", "kafka"]
PROCESSES = tuple(f"{service}-{mode}" for service in SERVICES for mode in ("api", "worker"))
SMALL_DISK_MB = 4096
"""A limit, not an amount: what is not used takes no memory."""
BACK_SECONDS_MAX = 90.0
_POLL_SECONDS = 0.1


@dataclass
class Door:
    """The proxy before a server."""

    process: subprocess.Popen[str]
    lines_cut: int = 0
    commits_cut: int = 0

    def order(self, **what: Any) -> None:  # noqa: ANN401 - JSON
        """Tell it to be so from now on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        self.lines_cut, self.commits_cut = told["lines_cut"], told["commits_cut"]


@dataclass(frozen=True)
class World:
    """A running system, the doors before its servers, and its disk."""

    system: System
    postmaster: Path
    """PostgreSQL's file with its pid."""
    doors: Mapping[Server, Door] = field(default_factory=dict)
    disk: Path | None = None
    """Where PostgreSQL's small disk is mounted; None if this user may not mount."""

    @classmethod
    async def of(
        cls, system: System, *, doors: Mapping[Server, Door] | None = None, disk: Path | None = None
    ) -> Self:
        """A running system, to be hurt."""
        async with system.database() as database:
            data = await database.fetchval("SHOW data_directory")
        return cls(system, Path(data) / "postmaster.pid", doors or {}, disk)

    def pid(self, process: str) -> int | None:
        """Of one of the nine; None while it does not run."""
        try:
            return self.system.pid(process)
        except (FileNotFoundError, ValueError):
            return None

    def send(self, process: str, number: signal.Signals) -> None:
        """Send it to one of the nine."""
        os.kill(self.system.pid(process), number)

    def send_to_server(self, server: Server, number: signal.Signals) -> None:
        """Send it to a server, of PostgreSQL to the postmaster."""
        os.kill(self._server_pid(server), number)

    def _server_pid(self, server: Server) -> int:
        file = self.postmaster if server == "postgres" else self.system.state / "data" / "kafka" / "pid"
        return int(file.read_text().split()[0])

    @contextlib.contextmanager
    def held(self, server: Server) -> Iterator[None]:
        """The server is not started again until the block ends."""
        hold = hold_file(self.system.state, server)
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    async def until_back(self, process: str, *, other_than: int | None = None) -> None:
        """Wait until it is ready, as a new process if the old one's pid is said."""
        layout = Layout(self.system.base_port)
        programs = {program.name: program for program in layout.programs()}
        async with httpx.AsyncClient(trust_env=False, timeout=2, verify=tls()) as http:

            async def ready() -> bool:
                if self.pid(process) in (None, other_than):
                    return False
                with contextlib.suppress(httpx.HTTPError):
                    return (await http.get(programs[process].ready_url)).status_code == httpx.codes.OK
                return False

            await until(ready, f"{process} is not back")

    async def until_server_is_back(self, server: Server) -> None:
        """Wait until the server answers, asked directly."""

        async def postgres() -> bool:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                database = await asyncpg.connect(self.system.database_url, timeout=2)
                await database.close()
                return True
            return False

        async def kafka() -> bool:
            with contextlib.suppress(OSError, KafkaError, TimeoutError):
                async with asyncio.timeout(5):
                    await end_offsets(self.system.kafka_bootstrap, rig.TOPICS)
                return True
            return False

        await until(postgres if server == "postgres" else kafka, f"{server} is not back")

    def limit_disk(self, *, full: bool) -> None:
        """Leave no room beyond what is used, or much of it."""
        if self.disk is None:
            raise RuntimeError("there is no small disk")
        used = psutil.disk_usage(str(self.disk)).used
        size = used + 64 * 1024 if full else SMALL_DISK_MB * 1024**2
        _mount("-o", f"remount,size={size}", str(self.disk))


async def until(holds: Callable[[], Coroutine[Any, Any, bool]], otherwise: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + BACK_SECONDS_MAX
    while not await holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{otherwise} after {BACK_SECONDS_MAX:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)


@contextlib.asynccontextmanager
async def running(wrong_worker: str, wrong_by_seconds: int) -> AsyncIterator[World]:
    """A system with its seeds behind proxies, one worker's clock wrong; nothing of it is left behind."""
    with contextlib.ExitStack() as stack:
        system = stack.enter_context(rig.reserved())
        base = system.base_port
        layout = Layout(base)
        disk = stack.enter_context(_small_disk(system.state / "data" / SMALL))
        doors: dict[Server, Door] = {
            "postgres": stack.enter_context(door(base + POSTGRES_PROXY, layout.postgres_port)),
            "kafka": stack.enter_context(door(base + KAFKA_PROXY, base + KAFKA_BEHIND)),
        }
        stack.enter_context(_supervisor(system, wrong_worker, wrong_by_seconds))
        started = system.command("up", "--base-port", str(base), check=False)
        if started.returncode:
            raise RuntimeError(started.stdout)
        if disk:
            await _keep_wal_small(system)
        yield await World.of(system, doors=doors, disk=disk)


@contextlib.contextmanager
def _supervisor(system: System, wrong_worker: str, seconds: int) -> Iterator[None]:
    arguments = [str(system.base_port), wrong_worker, str(seconds)]
    command = [sys.executable, "-m", "rig.faults.supervisor", *arguments]
    log = system.state / "log" / "supervisor.log"
    log.parent.mkdir()
    process = child.spawn(command, log=log, environment=system.environment | {"PYTHONPATH": str(RIG)})
    try:
        while not (system.state / "supervisor.json").exists():
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def door(port: int, to: int) -> Iterator[Door]:
    """A proxy between two ports."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "rig.faults.proxy", str(port), str(to)],
        env=os.environ | {"PYTHONPATH": str(RIG)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        door = Door(process)
        door.order()
        yield door


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk in memory for PostgreSQL's data; none if this user may not mount."""
    folder.mkdir(parents=True)
    for part in (folder, folder.parent):
        part.chmod(0o711)
    options = f"size={SMALL_DISK_MB}m,mode=0711"
    if not shutil.which("mount") or _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder)).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607 - the system's own


def _mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)  # noqa: S603, S607 - as above


async def _keep_wal_small(system: System) -> None:
    """So that a full disk is soon met by whoever writes."""
    async with system.database() as database:
        await database.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        await database.execute("SELECT pg_reload_conf()")
