"""How long each process of the four services takes to be ready, and what memory it has when nothing happens.

From the start of `python -m <service> api|worker` until `/readyz` says so, one after the other on a machine
that does nothing else, each three times; the middle one counts. Then all eight run at once, and a while later
the proportional share of memory of each is read, and that of PostgreSQL and Kafka.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from notifications.main import service as notifications
from rig import alone
from rig.alone import Process, Stand
from rig.figures import memory, tell, tell_below
from wallet.main import service as wallet

SERVICES = (enrollment, clubs, wallet, notifications)
COMMANDS = ("api", "worker")
TIMES = 3
REST_SECONDS = 10.0
READY_SECONDS_MAX = 5.0
"""None was named; a restart that takes longer would be seen as an outage."""


async def start_time(stand: Stand, service: str, command: str) -> float:
    """Seconds until it is ready, in the middle of three starts."""
    seconds = []
    for _ in range(TIMES):
        started = time.monotonic()
        process = stand.start(service, command)
        try:
            await process.until_ready()
            seconds.append(time.monotonic() - started)
        finally:
            process.stop()
    return statistics.median(seconds)


async def tell_memory(stand: Stand) -> None:
    """Of all eight at rest, and of the servers if they are ours."""
    running: dict[str, Process] = {}
    try:
        for service in SERVICES:
            for command in COMMANDS:
                running[f"{service.name}_{command}"] = stand.start(service.name, command)
        await asyncio.gather(*(process.until_ready() for process in running.values()))
        await asyncio.sleep(REST_SECONDS)
        used = {name: memory(process.pid) for name, process in running.items()}
        used |= servers_memory()
    finally:
        alone.end(list(running.values()))
    for name, megabytes in used.items():
        tell(f"memory_{name}", megabytes, "MB")
    tell("memory_all", sum(used.values()), "MB")


def servers_memory() -> dict[str, float]:
    """Of PostgreSQL and Kafka, which are siblings of this process if they were started for it."""
    used = {"postgres": 0.0, "kafka": 0.0}
    parent = psutil.Process().parent()
    for process in parent.children(recursive=True) if parent else ():
        name = {"postgres": "postgres", "java": "kafka"}.get(process.name())
        if name:
            used[name] += memory(process.pid)
    return used


async def main() -> int:
    async with alone.opened(*SERVICES) as stand:
        reached = []
        for service in SERVICES:
            for command in COMMANDS:
                seconds = await start_time(stand, service.name, command)
                reached.append(tell_below(f"start_{service.name}_{command}", seconds, "s", READY_SECONDS_MAX))
        await tell_memory(stand)
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
