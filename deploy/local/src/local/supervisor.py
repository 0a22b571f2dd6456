"""`python -m local.supervisor`: runs the whole system until it is told to end, and restarts what exits.

Started detached by `social-wallet up`. Services come after servers and migrations, and go before them.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from local import child, layout, places, report, roles
from local.errors import LocalError
from local.kafka import Kafka, fetch_jars
from local.postgres import Postgres
from shared.tls import tls

TICK_SECONDS = 0.2
QUIET_TICK_SECONDS = 1.0
PAUSE_SECONDS_MAX = 10.0
STEADY_SECONDS = 30
STOP_SECONDS = 15


class Keeper:
    """Keeps one program running, with a growing pause if it does not stay."""

    def __init__(self, program: layout.Program) -> None:
        self.program = program
        self.seen = report.ProcessReport()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._pause = 0.5

    def tick(self) -> bool:
        """Start it or notice its end; whether something changed."""
        now = time.monotonic()
        if self._process is None:
            if now < self._start_at:
                return False
            self._process = child.spawn(
                self.program.command, log=self.program.log, environment=self.program.environment
            )
            self._started_at = now
            self.seen.pid, self.seen.starts = self._process.pid, self.seen.starts + 1
            _pid_file(self.program).write_text(f"{self._process.pid}\n")
            return True
        if (code := self._process.poll()) is None:
            return False
        self._pause = (
            0.5 if now - self._started_at > STEADY_SECONDS else min(self._pause * 2, PAUSE_SECONDS_MAX)
        )
        self._start_at = now + self._pause
        self._process = None
        self.seen.pid, self.seen.ready, self.seen.last_exit = None, False, code
        return True

    async def ask(self, http: httpx.AsyncClient) -> bool:
        """Ask whether it is ready; whether that changed."""
        ready = False
        if self._process is not None:
            with contextlib.suppress(httpx.HTTPError):
                ready = (await http.get(self.program.ready_url)).status_code == httpx.codes.OK
        changed, self.seen.ready = ready != self.seen.ready, ready
        return changed

    def begin_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, within: float) -> None:
        if self._process is not None:
            child.stop(self._process, within=within)
        _pid_file(self.program).unlink(missing_ok=True)


def _pid_file(program: layout.Program) -> Path:
    return places.RUN / f"{program.name}.pid"


def end_left_over(system: layout.Layout) -> None:
    """End what a killed supervisor may have left behind (on Linux the kernel has done it)."""
    for program in system.programs():
        child.end_left_over(_pid_file(program), mark=program.command[2])
    Kafka(places.DATA, system.kafka_port, system.controller_port).end_left_over()
    Postgres(places.DATA, system.postgres_port).end_left_over()


@contextlib.contextmanager
def servers(system: layout.Layout, told: report.Report) -> Iterator[list[Postgres | Kafka]]:
    """Our own servers, ready: those that are not given from outside."""
    own: list[Postgres | Kafka] = []
    if not system.database_url:
        own.append(Postgres(places.DATA, system.postgres_port))
    if not system.kafka_bootstrap:
        told.enter("downloads")
        fetch_jars(lambda done, total: _count(told, done, total))
        own.append(Kafka(places.DATA, system.kafka_port, system.controller_port))
    told.enter("servers", total=len(own))
    with ThreadPoolExecutor(2) as pool:
        for prepared in [pool.submit(server.prepare) for server in own]:
            prepared.result()
    try:
        for server in own:
            server.start()
        for done, server in enumerate(own, start=1):
            server.wait_until_ready()
            _count(told, done, len(own))
        yield own
    finally:
        for server in reversed(own):
            server.stop()


def _count(told: report.Report, done: int, total: int) -> None:
    told.done, told.total = done, total
    told.write()


def migrate(system: layout.Layout, told: report.Report) -> None:
    """Bring the database and the topics to what this code needs."""
    told.enter("migrations", total=len(layout.SERVICES))
    asyncio.run(roles.create(system.admin_url, system.system_url, layout.DATABASE))
    running = [
        (program, child.spawn(program.command, log=program.log, environment=program.environment))
        for program in map(system.migration, layout.SERVICES)
    ]
    try:
        for done, (program, process) in enumerate(running, start=1):
            if process.wait():
                raise LocalError(f"{program.name} failed:\n{last_words(program)}")
            _count(told, done, len(running))
    finally:
        for _, process in running:
            child.stop(process, within=STOP_SECONDS)


def last_words(program: layout.Program) -> str:
    """The end of its log."""
    return "\n".join(program.log.read_text(errors="replace").splitlines()[-12:])


async def keep(system: layout.Layout, own: list[Postgres | Kafka], told: report.Report) -> None:
    """Run the nine until SIGTERM or SIGINT."""
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    keepers = [Keeper(program) for program in system.programs()]
    told.enter("processes", total=len(keepers))
    told.processes = {keeper.program.name: keeper.seen for keeper in keepers}
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False, verify=tls()) as http:
            while not ending.is_set():
                _restart(own)
                changed = [keeper.tick() for keeper in keepers]
                changed += await asyncio.gather(*(keeper.ask(http) for keeper in keepers))
                if any(changed):
                    told.done = sum(keeper.seen.ready for keeper in keepers)
                    told.phase = "ready" if told.phase == "ready" or told.done == told.total else "processes"
                    told.write()
                pause = QUIET_TICK_SECONDS if told.phase == "ready" else TICK_SECONDS
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), pause)
    finally:
        told.enter("stopping")
        for keeper in keepers:
            keeper.begin_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for keeper in keepers:
            keeper.stop(within=max(deadline - time.monotonic(), 0.1))


def _restart(own: list[Postgres | Kafka]) -> None:
    for server in own:
        if server.ended():
            server.prepare()
            server.start()


def main() -> int:
    def end(_number: int, _frame: types.FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with report.supervising() as alone:
        if not alone:
            return 0  # the other one does it
        for folder in (places.LOGS, places.RUN):
            folder.mkdir(exist_ok=True)
        system, told = layout.load(), report.Report()
        told.write()
        try:
            end_left_over(system)
            with servers(system, told) as own:
                migrate(system, told)
                asyncio.run(keep(system, own, told))
        except (LocalError, OSError) as error:
            told.problem = str(error)
            told.enter("failed")
            return 1
        report.forget()
        return 0


if __name__ == "__main__":
    sys.exit(main())
