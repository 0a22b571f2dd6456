"""Real servers: they end with whoever wanted them, and survive being killed with their data."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from local import places
from local.postgres import Postgres
from local.servers import free_ports

pytestmark = pytest.mark.servers
SERVERS = [sys.executable, "-m", "local.servers", "--no-kafka"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Inside the clone, where PostgreSQL's user can go; pytest's own folders are closed to others."""
    made = places.STATE / f"test-{os.getpid()}-{time.monotonic_ns()}"
    made.mkdir(parents=True)
    made.chmod(0o711)
    yield made
    Postgres(made, 0).remove()
    shutil.rmtree(made)


def start(command: list[str] = SERVERS) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours


def addresses(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def close(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def query(url: str, statement: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def everything_under(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def command_of(process: psutil.Process) -> list[str]:
    """Empty for one that has just ended: PostgreSQL's own children come and go."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_it_serves_until_its_stdin_closes_and_then_nothing_is_left() -> None:
    process = start()
    url = addresses(process)["database_url"]
    assert query(url, "SHOW fsync") == "on"
    assert query(url, "SHOW synchronous_commit") == "on"
    under = everything_under(process)
    folders = {Path(part).parent for one in under for part in command_of(one) if str(places.STATE) in part}
    close(process)
    assert process.wait(30) == 0
    assert under
    assert not any(one.is_running() for one in under)
    assert not any(made.exists() for made in folders)


def test_postgres_goes_when_the_process_that_started_it_is_killed() -> None:
    process = start()
    addresses(process)
    under = everything_under(process)
    process.kill()
    process.wait()
    close(process)
    _, alive = psutil.wait_procs(under, timeout=20)
    assert not alive


def test_sigterm_ends_it_in_order() -> None:
    process = start()
    addresses(process)
    under = everything_under(process)
    process.terminate()
    assert process.wait(30) == 0
    close(process)
    assert not any(one.is_running() for one in under)


def test_a_command_finds_the_server_and_its_exit_code_is_passed_on() -> None:
    code = "import os, sys; sys.exit(len(os.environ['SW_DATABASE_URL']))"
    command = [*SERVERS, "--", sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - ours
    assert done.returncode > len("postgresql://")


def test_what_was_committed_is_there_after_kill_9_of_the_whole_server(folder: Path) -> None:
    server = Postgres(folder, free_ports(1)[0])
    server.prepare()
    process = server.start()
    server.wait_until_ready()
    query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    assert server.ended()
    server.prepare()
    server.start()
    server.wait_until_ready()
    assert query(server.url, "SELECT answer FROM kept") == 42
    server.stop()


def test_a_stale_pid_file_that_names_somebody_else_neither_stops_us_nor_harms_them(folder: Path) -> None:
    server = Postgres(folder, free_ports(1)[0])
    server.prepare()
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as bystander:  # noqa: S603 - ours
        (server.data / "postmaster.pid").write_text(f"{bystander.pid}\n{server.data}\n")
        server.prepare()
        server.start()
        server.wait_until_ready()
        assert bystander.poll() is None
        server.stop()
        bystander.send_signal(signal.SIGKILL)


def test_a_cluster_half_made_when_we_died_is_made_again(folder: Path) -> None:
    server = Postgres(folder, free_ports(1)[0])
    part = server.data.with_name(f"{server.data.name}.part")
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")
    server.prepare()
    server.start()
    server.wait_until_ready()
    assert query(server.url, "SELECT 1") == 1
    server.stop()
