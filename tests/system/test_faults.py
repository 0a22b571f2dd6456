"""A process or the database may die at any moment: nothing is lost, nothing happens twice, all settles."""

import asyncio
import random
import secrets
import signal
from collections.abc import Sequence

import pytest

from rig import load
from rig.faults import observer as observing
from rig.faults import verdicts
from rig.faults.kinds import Ended, Fault, ServerEnded
from rig.faults.nemesis import Nemesis
from rig.faults.traffic import Traffic
from rig.faults.world import PROCESSES, World
from rig.system import System

pytestmark = [pytest.mark.xdist_group("system"), pytest.mark.timeout(1200)]

RATE = 5.0
SECONDS_BETWEEN = 2.0


async def test_each_process_and_the_database_die_under_load_and_everything_settles(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = secrets.randbelow(1_000_000)
    dice = random.Random(seed)  # noqa: S311 - dice
    ground = await load.prepare(system, groups=5, children=250)
    administrator = await system.token("administrator-1")
    traffic = Traffic(system, ground, administrator, dice)
    async with observing.watching(system, from_now=True) as observer, traffic.opened():
        nemesis = Nemesis(await World.of(system), observer, traffic, dice, away_seconds=0)
        stopping = asyncio.Event()
        asking = asyncio.create_task(traffic.run(RATE, stopping))
        # Workers first: without an API nobody brings them work.
        order = sorted(dice.sample(PROCESSES, len(PROCESSES)), key=lambda process: process.endswith("-api"))
        with capsys.disabled():
            print(f"\ndice {seed}")  # noqa: T201 - of the run
            await _strike_close_together(nemesis, [Ended(process, signal.SIGKILL) for process in order])
            await nemesis.strike(ServerEnded("postgres", signal.SIGQUIT, 0))
        stopping.set()
        await asking
        await system.settled(seconds=120)
        await observer.until_caught_up(system)

    assert not nemesis.idle, "was idle when it died"
    assert not traffic.refused
    assert len(traffic.accepted) == traffic.sent
    assert await verdicts.effects(system, traffic.accepted, observer.types) == {}
    assert not observer.wrong
    assert observer.versions_checked
    audit = system.command("audit", check=False)
    assert audit.returncode == 0, audit.stdout


async def _strike_close_together(nemesis: Nemesis, faults: Sequence[Fault]) -> None:
    """The next dies while the one before is still coming back; all are back in the end."""
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(nemesis.strike(fault))
            await asyncio.sleep(SECONDS_BETWEEN)
