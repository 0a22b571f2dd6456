"""Keeping programs running, and ending what was left."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local import child, places
from local.layout import Program
from local.servers import free_ports
from local.supervisor import Keeper
from shared.tls import tls

pytestmark = pytest.mark.servers
READY = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
PARENT = """
import pathlib, sys, time
from local import child
print(child.spawn(["sleep", "60"], log=pathlib.Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "LOGS", "RUN"):
        monkeypatch.setattr(places, name, tmp_path)
    (tmp_path / "readyz").write_text("ready")
    monkeypatch.chdir(tmp_path)  # what the little server serves


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    (port,) = free_ports(1)
    made = Keeper(Program("little", (sys.executable, "-c", READY, str(port)), {}, port))
    yield made
    made.stop(within=5)


async def until_ready(keeper: Keeper) -> None:
    deadline = time.monotonic() + 15
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as http:
        while not keeper.seen.ready:
            assert time.monotonic() < deadline
            keeper.tick()
            await keeper.ask(http)


async def test_a_killed_program_is_started_again_and_its_end_is_told(keeper: Keeper) -> None:
    await until_ready(keeper)
    first = keeper.seen.pid
    assert first is not None
    psutil.Process(first).kill()
    deadline = time.monotonic() + 15
    while keeper.seen.last_exit is None:
        assert time.monotonic() < deadline
        keeper.tick()
    assert (keeper.seen.last_exit, keeper.seen.ready) == (-9, False)
    await until_ready(keeper)
    assert keeper.seen.starts == 2
    assert keeper.seen.pid != first


def test_a_program_that_does_not_stay_is_not_started_again_at_once() -> None:
    broken = Keeper(Program("broken", (sys.executable, "-c", "raise SystemExit(3)"), {}, 1))
    deadline = time.monotonic() + 15
    while broken.seen.last_exit is None:
        assert time.monotonic() < deadline
        broken.tick()
    broken.tick()
    assert broken.seen.starts == 1
    assert broken.seen.last_exit == 3


def test_a_program_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:  # noqa: S603 - ours
        assert parent.stdout is not None
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    orphan.wait(5)


def test_a_left_over_of_ours_is_ended_and_a_stranger_with_its_pid_is_not(tmp_path: Path) -> None:
    pid_file = tmp_path / "one.pid"
    command = [sys.executable, "-c", "input()", "our-mark"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - ours
        pid_file.write_text(f"{process.pid}\n")
        child.end_left_over(pid_file, mark="another-mark")
        assert process.poll() is None
        assert not pid_file.exists()
        pid_file.write_text(f"{process.pid}\n")
        child.end_left_over(pid_file, mark="our-mark")
        assert process.poll() is not None


@pytest.mark.parametrize("content", ["", "x\n", "999999999\n"])
def test_a_damaged_or_outdated_pid_file_is_removed(tmp_path: Path, content: str) -> None:
    pid_file = tmp_path / "one.pid"
    pid_file.write_text(content)
    child.end_left_over(pid_file, mark="anything")
    assert not pid_file.exists()
