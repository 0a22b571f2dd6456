"""What the supervisor tells the commands: a small file, replaced whole at each change; and who may supervise.

The lock answers whether a supervisor lives; the file only says what it does. So a pid in it is never trusted.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal

from local import places

_FILE = places.STATE / "supervisor.json"
_LOCK = places.STATE / "supervisor.lock"

Phase = Literal["downloads", "servers", "migrations", "processes", "ready", "stopping", "failed"]


@dataclass
class ProcessReport:
    """One process as the supervisor sees it."""

    pid: int | None = None
    ready: bool = False
    starts: int = 0
    last_exit: int | None = None


@dataclass
class Report:
    """What the supervisor does now."""

    pid: int = field(default_factory=os.getpid)
    phase: Phase = "downloads"
    done: int = 0
    total: int = 0
    """Of the phase: jars, migrations, processes that are ready."""
    problem: str | None = None
    processes: dict[str, ProcessReport] = field(default_factory=dict)

    def write(self) -> None:
        part = _FILE.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(_FILE)

    def enter(self, phase: Phase, *, total: int = 0) -> None:
        self.phase, self.done, self.total = phase, 0, total
        self.write()


def read() -> Report | None:
    """The last report, of a living supervisor or a dead one."""
    try:
        told = json.loads(_FILE.read_text())
    except FileNotFoundError:
        return None
    processes = {name: ProcessReport(**process) for name, process in told.pop("processes").items()}
    return Report(**told, processes=processes)


def forget() -> None:
    _FILE.unlink(missing_ok=True)


@contextlib.contextmanager
def supervising() -> Iterator[bool]:
    """Whether we are the one supervisor of this clone, for as long as the context is open."""
    places.STATE.mkdir(exist_ok=True)
    with _LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def alive() -> bool:
    """Whether a supervisor runs now."""
    with supervising() as free:
        return not free
