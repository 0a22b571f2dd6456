"""`python -m rig.faults.supervisor BASE_PORT WORKER SECONDS`: the supervisor of a system that can be hurt.

As `local.supervisor`, but the services reach both servers through proxies, a server whose `hold` file exists
stays away, PostgreSQL's data lie in a folder of their own, and one worker's clock is wrong.
"""

import asyncio
import os
import signal
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from local import layout, places, report, supervisor
from local.errors import LocalError
from local.kafka import Kafka
from local.postgres import Postgres

POSTGRES_PROXY, KAFKA_PROXY, KAFKA_BEHIND = 33, 94, 95
"""Ports, from the base: what services are told, and where Kafka listens behind its proxy."""
SMALL = "small"
"""The folder of PostgreSQL's data, which may be a disk of its own."""
RIG = Path(__file__).parents[2]


def hold_file(state: Path, server: str) -> Path:
    """While it exists, the server is not started again."""
    return state / "run" / f"{server}.hold"


@dataclass(frozen=True, slots=True)
class Behind(layout.Layout):
    """The services of a layout, told the ports of the proxies."""

    wrong_worker: str = ""
    wrong_by_seconds: int = 0

    def environment(self, service: str) -> dict[str, str]:
        told = layout.Layout.environment(self, service)
        proxy = f":{self.base_port + POSTGRES_PROXY}/"
        url = told["SW_DATABASE_URL"].replace(f":{self.postgres_port}/", proxy)
        kafka = f"127.0.0.1:{self.base_port + KAFKA_PROXY}"
        return told | {"SW_DATABASE_URL": url, "SW_KAFKA_BOOTSTRAP": kafka}

    def programs(self) -> list[layout.Program]:
        return [self._with_its_clock(program) for program in layout.Layout.programs(self)]

    def _with_its_clock(self, program: layout.Program) -> layout.Program:
        if program.name != self.wrong_worker:
            return program
        python, _, *rest = program.command
        command = (python, "-m", "rig.faults.shifted", str(self.wrong_by_seconds), *rest)
        return replace(program, command=command, environment=program.environment | {"PYTHONPATH": str(RIG)})


class HeldPostgres(Postgres):
    def ended(self) -> bool:
        return super().ended() and not hold_file(places.STATE, "postgres").exists()


class HeldKafka(Kafka):
    """Has a second door: who comes through the proxy is told to come back through it."""

    def ended(self) -> bool:
        return super().ended() and not hold_file(places.STATE, "kafka").exists()

    def _settings(self) -> str:
        base_port = self.port - layout.Layout(0).kafka_port
        own = f"PLAINTEXT://127.0.0.1:{self.port}"
        behind = f"PROXIED://127.0.0.1:{base_port + KAFKA_BEHIND}"
        proxied = f"PROXIED://127.0.0.1:{base_port + KAFKA_PROXY}"
        return (
            super()
            ._settings()
            .replace(f"\nlisteners={own}", f"\nlisteners={own},{behind}")
            .replace(f"advertised.listeners={own}", f"advertised.listeners={own},{proxied}")
            .replace("map=PLAINTEXT:PLAINTEXT", "map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT")
        )


def _run(system: Behind, told: report.Report) -> None:
    own: list[Postgres | Kafka] = [
        HeldPostgres(places.DATA / SMALL, system.postgres_port),
        HeldKafka(places.DATA, system.kafka_port, system.controller_port),
    ]
    told.enter("servers", total=len(own))
    with ThreadPoolExecutor(2) as pool:
        for prepared in [pool.submit(server.prepare) for server in own]:
            prepared.result()
    try:
        for server in own:
            server.start()
        for server in own:
            server.wait_until_ready()
        supervisor.migrate(system, told)
        asyncio.run(supervisor.keep(system, own, told))
    finally:
        for server in reversed(own):
            server.stop()


def main(base_port: int, wrong_worker: str, seconds: int) -> int:
    def end(_number: int, _frame: types.FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    os.environ.pop("SW_DATABASE_URL", None)
    with report.supervising() as alone:
        if not alone:
            return 1
        for folder in (places.LOGS, places.RUN):
            folder.mkdir(exist_ok=True)
        layout.save(layout.Layout(base_port))
        told = report.Report()
        told.write()
        try:
            _run(Behind(base_port, wrong_worker=wrong_worker, wrong_by_seconds=seconds), told)
        except (LocalError, OSError) as error:
            told.problem = str(error)
            told.enter("failed")
            return 1
        report.forget()
        return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
