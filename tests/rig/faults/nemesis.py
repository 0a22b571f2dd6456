"""Throws faults by a seeded dice, one after the other, at moments at which the victim has work in flight."""

import asyncio
import math
import random
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rig.faults.kinds import (
    CommitCut,
    DiskFull,
    Ended,
    Fault,
    LineHurt,
    ServerEnded,
    ServerStopped,
    Stopped,
)
from rig.faults.observer import Observer
from rig.faults.traffic import Traffic
from rig.faults.world import PROCESSES, World

HUNT_SECONDS_MAX = 60.0
"""Work comes again when those are back who bring it: a killed worker's partitions move after its session."""
_IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND usename IN ('enrollment', 'clubs', 'wallet', 'notifications')
"""


@dataclass(frozen=True, slots=True)
class Window:
    """When somebody could not answer, in whole seconds of the monotonic clock."""

    began: float
    ended: float
    down: frozenset[str]
    kind: str


@dataclass
class Nemesis:
    """What was done so far."""

    world: World
    observer: Observer
    traffic: Traffic
    dice: random.Random
    away_seconds: float
    kinds: re.Pattern[str] = re.compile("")
    """Only those that it finds."""
    hit: Counter[str] = field(default_factory=Counter)
    """Faults whose victim had work in flight, by kind."""
    idle: Counter[str] = field(default_factory=Counter)
    """Those whose victim had none: they do not count."""
    windows: list[Window] = field(default_factory=list)
    commits_cut: int = 0

    def deck(self) -> list[Fault]:
        """One fault of every kind that is wanted, mixed."""
        cards: list[Fault] = [
            *(Ended(process, signal.SIGKILL) for process in PROCESSES),
            *(Ended(process, signal.SIGTERM) for process in PROCESSES),
            *(Stopped(process) for process in PROCESSES),
            ServerEnded("kafka", signal.SIGKILL, 0),
            ServerEnded("kafka", signal.SIGTERM, 0),
            ServerEnded("kafka", signal.SIGKILL, self.away_seconds),
            ServerStopped(),
            ServerEnded("postgres", signal.SIGQUIT, 0),
            ServerEnded("postgres", signal.SIGKILL, 0),
            ServerEnded("postgres", signal.SIGQUIT, self.away_seconds),
            *(LineHurt(server, "cut", 5.0) for server in self.world.doors),
            *(LineHurt(server, "blackhole", 15.0) for server in self.world.doors),
            *(LineHurt(server, "forget", 15.0) for server in self.world.doors),
            LineHurt("postgres", "delay", 10.0, seconds=0.01),
            LineHurt("kafka", "delay", 10.0, seconds=0.2),
            CommitCut(committed=True),
            CommitCut(committed=False),
        ]
        if self.world.disk is not None:
            cards.append(DiskFull(10.0))
        wanted = [card for card in cards if self.kinds.search(card.kind)]
        self.dice.shuffle(wanted)
        return wanted

    async def strike(self, fault: Fault) -> None:
        """Wait until the victim is at work, hurt it, and mend it."""
        in_flight = await self._hunt(fault.victim)
        began = time.monotonic()
        fault.begin(self.world)
        self._tell(f"{fault.kind}, with {in_flight} in flight")
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            await fault.end(self.world)
            window = Window(math.floor(began), math.ceil(time.monotonic()), fault.down, fault.kind)
            self.windows.append(window)
        if isinstance(fault, CommitCut):
            cut = self.world.doors["postgres"].commits_cut
            in_flight, self.commits_cut = cut - self.commits_cut, cut
        (self.hit if in_flight else self.idle)[fault.kind] += 1

    def _tell(self, text: str) -> None:
        sys.stdout.write(f"  {time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    async def _hunt(self, victim: str) -> int:
        """Wait for a moment at which it has work in flight; how much, 0 if that moment did not come."""
        deadline = time.monotonic() + HUNT_SECONDS_MAX
        async with self.world.system.database() as database:
            while time.monotonic() < deadline:
                if victim.endswith("-api"):
                    count = self.traffic.open[victim]
                else:
                    count = await self._in_flight(database, victim)
                if count:
                    return count
                await asyncio.sleep(0.002)
        return 0

    async def _in_flight(self, database: Any, victim: str) -> int:  # noqa: ANN401 - asyncpg's connection
        if victim == "postgres":
            return int(await database.fetchval(_IN_TRANSACTION))
        services = ("enrollment", "clubs", "wallet") if victim == "kafka" else (victim.partition("-")[0],)
        count = 0
        for service in services:
            count += await database.fetchval(f"SELECT count(*) FROM {service}.outbox")  # noqa: S608 - ours
            query = f"SELECT topic, partition, next_offset FROM {service}.consumer_offsets"  # noqa: S608 - ours
            rows = await database.fetch(query)
            count += self.observer.before(
                service, {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            )
        return count
