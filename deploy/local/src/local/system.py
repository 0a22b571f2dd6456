"""Starting and stopping the supervisor, and waiting for it; what `up`, `down` and `reset` do.

What the supervisor itself does is in `supervisor`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncpg

from local import layout, places, report
from local.errors import LocalError
from local.postgres import Postgres
from local.supervisor import end_left_over

DISK_BYTES = 1024**3
_STUCK_SECONDS = 120
_APPEAR_SECONDS = 15
_STARTS_MAX = 4
_STOP_SECONDS = 60


def start(system: layout.Layout) -> Iterator[report.Report]:
    """Start the supervisor unless it runs, and tell how it gets on, until everything is ready."""
    if not report.alive():
        _check_before(system)
        layout.save(system)
        places.LOGS.mkdir(parents=True, exist_ok=True)
        with (places.LOGS / "supervisor.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "local.supervisor"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    yield from _until_ready()


def _check_before(system: layout.Layout) -> None:
    if (free := shutil.disk_usage(places.CLONE).free) < DISK_BYTES:
        raise LocalError(f"too little disk: {free / 1024**2:.0f} MB free at {places.CLONE}, 1 GB is needed")
    if places.RUN.exists():
        end_left_over(system)
    report.forget()
    taken = {port: who for port, who in system.ports().items() if _in_use(port)}
    if taken:
        listed = ", ".join(f"{port} ({who})" for port, who in sorted(taken.items()))
        raise LocalError(f"ports in use by another program: {listed}. Choose others: up --base-port 9100")


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _until_ready() -> Iterator[report.Report]:
    """Slow is fine: only a start that gets no further is given up."""
    before: tuple[str, int] | None = None
    moved_at = time.monotonic()
    while True:
        living = report.alive()  # before the report is read: a dead one's report is its last
        told = report.read()
        if told:
            yield told
            if told.phase == "ready":
                return
            _check_progress(told)
            if (told.phase, told.done) != before:
                before, moved_at = (told.phase, told.done), time.monotonic()
        waited = time.monotonic() - moved_at
        if not living and (told or waited > _APPEAR_SECONDS):
            raise LocalError(f"the supervisor ended; see {places.LOGS / 'supervisor.log'}")
        if waited > _STUCK_SECONDS:
            raise LocalError(
                f"no progress for {_STUCK_SECONDS} s; social-wallet status shows what is not ready"
            )
        time.sleep(0.1)


def _check_progress(told: report.Report) -> None:
    if told.phase == "failed":
        raise LocalError(told.problem or "the supervisor failed")
    for name, process in told.processes.items():
        if process.last_exit and process.starts >= _STARTS_MAX:
            raise LocalError(
                f"{name} keeps ending with {process.last_exit}; social-wallet logs {name} tells why:\n"
                + "\n".join((places.LOGS / f"{name}.log").read_text(errors="replace").splitlines()[-3:])
            )


def stop() -> bool:
    """End the supervisor and everything under it; whether anything ran."""
    ran = report.alive()
    told = report.read()
    deadline = time.monotonic() + _STOP_SECONDS
    if ran and told:
        os.kill(told.pid, signal.SIGTERM)
        while report.alive():
            if time.monotonic() > deadline:
                os.kill(told.pid, signal.SIGKILL)
                break
            time.sleep(0.1)
    if places.RUN.exists():
        end_left_over(layout.load())
    report.forget()
    return ran


async def planted(system: layout.Layout) -> bool:
    """Whether this database has its seeds."""
    database = await asyncpg.connect(system.system_url)
    try:
        return bool(await database.fetchval("SELECT to_regclass('development.planted') IS NOT NULL"))
    finally:
        await database.close()


async def remember_planting(system: layout.Layout) -> None:
    database = await asyncpg.connect(system.system_url)
    try:
        await database.execute("CREATE TABLE IF NOT EXISTS development.planted ()")
    finally:
        await database.close()


def reset() -> None:
    """Stop, and forget all data. Downloads stay."""
    stop()
    system = layout.load()
    Postgres(places.DATA, system.postgres_port).remove()
    for path in (places.DATA, places.LOGS, places.RUN):
        shutil.rmtree(path, ignore_errors=True)
    for path in places.STATE.glob("outside.sqlite*"):
        path.unlink()
