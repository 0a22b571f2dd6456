"""The faults, each a value: how it begins, how it ends, and who cannot answer meanwhile.

A fault ends when what it hurt is back. How long it lasts and when it comes is decided elsewhere.
"""

import asyncio
import contextlib
import signal
from dataclasses import dataclass, field
from typing import Protocol

from rig.faults.world import Server, World
from rig.system import SERVICES

SESSION_SECONDS = 10.0
"""After which a worker that is silent has lost its partitions."""
STOPPED_SECONDS = SESSION_SECONDS + 3.0
DATABASE = "database"


class Fault(Protocol):
    """Something that is done to a running system."""

    @property
    def kind(self) -> str:
        """Faults of one kind are counted together."""

    @property
    def victim(self) -> str:
        """A process, `postgres` or `kafka`: whose work must be in flight for it to count."""

    @property
    def lasts(self) -> float:
        """Seconds between beginning and ending."""

    @property
    def down(self) -> frozenset[str]:
        """Whose answers do not count meanwhile: APIs, or all of them by `database`."""

    def begin(self, world: World) -> None: ...

    async def end(self, world: World) -> None:
        """Mend it, and wait until what was hurt is back."""


def _down(victim: str) -> frozenset[str]:
    if victim == "postgres":
        return frozenset({DATABASE})
    return frozenset({victim} if victim.endswith("-api") else ())


@dataclass
class Ended:
    """A process is killed (-9) or told to end (SIGTERM); its supervisor starts it again."""

    victim: str
    by: signal.Signals
    lasts: float = 0.0
    _pid: int | None = None

    @property
    def kind(self) -> str:
        return f"{'kill -9' if self.by is signal.SIGKILL else 'restart'} {self.victim}"

    @property
    def down(self) -> frozenset[str]:
        return _down(self.victim)

    def begin(self, world: World) -> None:
        self._pid = world.pid(self.victim)
        world.send(self.victim, self.by)

    async def end(self, world: World) -> None:
        await world.until_back(self.victim, other_than=self._pid)


@dataclass
class Stopped:
    """A process stands still for longer than a session, and goes on as if nothing had been."""

    victim: str
    lasts: float = STOPPED_SECONDS

    @property
    def kind(self) -> str:
        return f"stop {self.victim}"

    @property
    def down(self) -> frozenset[str]:
        return _down(self.victim)

    def begin(self, world: World) -> None:
        world.send(self.victim, signal.SIGSTOP)

    async def end(self, world: World) -> None:
        world.send(self.victim, signal.SIGCONT)
        await world.until_back(self.victim)


@dataclass
class ServerEnded:
    """A server ends by a signal: -9, in order, or at once (`immediate`). In the end it is started again."""

    victim: Server
    by: signal.Signals
    lasts: float
    """0: it is started again at once."""
    _hold: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def kind(self) -> str:
        how = {signal.SIGKILL: "kill -9", signal.SIGQUIT: "immediate shutdown of"}.get(self.by, "restart")
        return f"away {self.victim}" if self.lasts else f"{how} {self.victim}"

    @property
    def down(self) -> frozenset[str]:
        return _down(self.victim)

    def begin(self, world: World) -> None:
        if self.lasts:
            self._hold.enter_context(world.held(self.victim))
        world.send_to_server(self.victim, self.by)

    async def end(self, world: World) -> None:
        self._hold.close()
        await asyncio.sleep(1)  # it may still answer while it goes down
        await world.until_server_is_back(self.victim)


@dataclass
class ServerStopped:
    """The broker stands still for longer than a session."""

    victim: Server = "kafka"
    lasts: float = STOPPED_SECONDS
    kind: str = "stop kafka"
    down: frozenset[str] = frozenset()

    def begin(self, world: World) -> None:
        world.send_to_server(self.victim, signal.SIGSTOP)

    async def end(self, world: World) -> None:
        world.send_to_server(self.victim, signal.SIGCONT)
        await world.until_server_is_back(self.victim)


@dataclass
class LineHurt:
    """All lines between the services and a server are cut, lead nowhere, are forgotten, or are slow."""

    victim: Server
    mode: str
    lasts: float
    seconds: float = 0.0
    """By how much each piece is late."""

    @property
    def kind(self) -> str:
        return f"{self.mode} {self.victim}"

    @property
    def down(self) -> frozenset[str]:
        return frozenset() if self.mode == "delay" else _down(self.victim)

    def begin(self, world: World) -> None:
        world.doors[self.victim].order(mode=self.mode, seconds=self.seconds)

    async def end(self, world: World) -> None:
        world.doors[self.victim].order(mode="pass")
        await asyncio.sleep(0)


@dataclass
class CommitCut:
    """The answer to a COMMIT of each service never comes: committed or not, nobody knows."""

    committed: bool
    lasts: float = 3.0
    victim: str = "postgres"
    down: frozenset[str] = frozenset()
    each: int = 2
    """COMMITs of each service; those of its API and of its worker look alike."""

    @property
    def kind(self) -> str:
        return "cut during COMMIT, " + ("committed" if self.committed else "unknown")

    def begin(self, world: World) -> None:
        commits = dict.fromkeys(SERVICES, self.each)
        world.doors["postgres"].order(commits=commits, committed=self.committed)

    async def end(self, world: World) -> None:
        world.doors["postgres"].order(commits={}, committed=True)
        await asyncio.sleep(0)


@dataclass
class DiskFull:
    """PostgreSQL's disk has no room left; in the end it has."""

    lasts: float
    victim: str = "postgres"
    kind: str = "disk full postgres"
    down: frozenset[str] = frozenset({DATABASE})

    def begin(self, world: World) -> None:
        world.limit_disk(full=True)

    async def end(self, world: World) -> None:
        world.limit_disk(full=False)
        await world.until_server_is_back("postgres")
