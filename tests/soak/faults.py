"""Every kind of fault for some minutes while enrollments go on; then all must be as if nothing had been.

Processes, servers, the lines between them, the disk and one worker's clock, by a seeded dice; what is
promised is one line each in the end, with its numbers. `MINUTES` (15) of faults, `RATE` (20) enrollments a
second, which two slow cores do not carry: what a run had is in its first line. Three seeds, or the one of
`DICE=number`; all kinds of faults, or those that the pattern `KINDS` finds, as `KINDS="postgres|COMMIT"`.
"""

import asyncio
import math
import os
import random
import re
import secrets
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, system
from rig.faults import observer as observing
from rig.faults import verdicts as judging
from rig.faults import world as worlds
from rig.faults.nemesis import Nemesis
from rig.faults.observer import Observer
from rig.faults.traffic import Traffic
from rig.faults.verdicts import Verdicts
from rig.faults.world import World
from rig.load import Ground
from rig.telling import say

MINUTES = float(os.environ.get("MINUTES", "15"))
RATE = float(os.environ.get("RATE", "20"))
KINDS = re.compile(os.environ.get("KINDS", ""))
SEEDS = 3
SETTLED_SECONDS_MAX = 60.0
SETTLE_SECONDS = 300.0
"""How long is waited for it, to tell how long it took."""
AWAY_SECONDS = min(60.0, 6 * MINUTES)
CALM_SECONDS = 5.0
"""Between two faults."""
CLOCK_SECONDS = 15 * 60
GROUPS = 10


async def prepare(running: World) -> Ground:
    """Ground enough for all that is asked for: a child has at most ten enrollments."""
    children = math.ceil(RATE * (MINUTES * 60 + 2 * AWAY_SECONDS) / GROUPS)
    seeded = min(children, load.GUARDIANS)
    groups = GROUPS * math.ceil(children / load.CAPACITY)
    ground = await load.prepare(running.system, groups=groups, children=seeded)
    if children <= len(ground.applicants):
        return ground
    return await load.with_more_children(running.system, ground, children - len(ground.applicants))


async def throw(nemesis: Nemesis, seconds: float) -> None:
    """One fault after the other, each kind before any comes again."""
    deadline = time.monotonic() + seconds
    thrown = True
    while thrown:
        thrown = False
        for fault in nemesis.deck():
            if time.monotonic() + fault.lasts + CALM_SECONDS < deadline:
                await nemesis.strike(fault)
                await asyncio.sleep(CALM_SECONDS)
                thrown = True


async def settle(running: World) -> float:
    """Seconds until nothing is on its way any more."""
    began = time.monotonic()
    await running.system.settled(seconds=SETTLE_SECONDS)
    return time.monotonic() - began


async def judge(nemesis: Nemesis, seconds: float) -> tuple[bool, set[str]]:
    """Tell line by line whether all that is promised was kept; and which kinds of faults hit nothing."""
    verdicts, traffic, running = Verdicts(), nemesis.traffic, nemesis.world.system
    watched, ids = nemesis.observer, nemesis.traffic.accepted
    await watched.until_caught_up(running)
    verdicts.tell(
        seconds <= SETTLED_SECONDS_MAX,
        f"settled {seconds:.1f} s after the last fault: {len(ids)} accepted of {traffic.sent} asked for,"
        f" refused {dict(traffic.refused)}, {traffic.followed} followed over HTTP",
    )
    audit = running.command("audit", check=False)
    verdicts.tell(audit.returncode == 0, "audit")
    if audit.returncode:
        say(audit.stdout)
    wrong = await judging.effects(running, ids, watched.types)
    verdicts.tell(
        bool(ids) and not wrong, f"each of {len(ids)} enrollments has one effect everywhere {wrong or ''}"
    )
    repeating = sum(
        count
        for kind, count in (nemesis.hit + nemesis.idle).items()
        if kind.endswith(("notifications-worker", "postgres")) or "COMMIT" in kind
    )
    await judging.copies(running, ids, repeating, verdicts)
    judging.answers(traffic.answers, nemesis.windows, verdicts)
    judging.order(watched, verdicts)
    say(
        "what the workers wrote: " + ", ".join(f"{n} × {what}" for what, n in judging.logged(running).items())
    )
    kinds = sorted({fault.kind for fault in nemesis.deck()})
    missed = {kind for kind in kinds if not nemesis.hit[kind]}
    say(f"faults that hit work in flight: {sum(nemesis.hit.values())} of {len(kinds) - len(missed)} kinds")
    for kind in kinds:
        idle = f", {nemesis.idle[kind]} idle, not counted" if nemesis.idle[kind] else ""
        say(f"    {nemesis.hit[kind]:3} {kind}{idle}")
    return verdicts.held, missed


async def run(seed: int) -> tuple[bool, set[str]]:
    """One system, hurt by the dice of this seed."""
    dice = random.Random(seed)  # noqa: S311 - dice
    worker = f"{dice.choice(system.SERVICES)}-worker"
    wrong_by = dice.choice((-CLOCK_SECONDS, CLOCK_SECONDS))
    say(
        f"DICE={seed}: {MINUTES:g} minutes of faults, {RATE:g} enrollments a second, servers away for"
        f" {AWAY_SECONDS:.0f} s, the clock of {worker} wrong by {wrong_by / 60:+.0f} minutes"
    )
    async with worlds.running(worker, wrong_by) as running:
        if running.disk is None:
            say("this user may not mount: no disk becomes full in this run")
        ground = await prepare(running)
        async with observing.watching(running.system) as observer:
            return await _hurt(running, observer, ground, dice)


async def _hurt(
    running: World, observer: Observer, ground: Ground, dice: random.Random
) -> tuple[bool, set[str]]:
    administrator = await running.system.token("administrator-1")
    others = random.Random(dice.random())  # noqa: S311 - dice; how often they are thrown differs from run to run
    traffic = Traffic(running.system, ground, administrator, others)
    nemesis = Nemesis(running, observer, traffic, dice, AWAY_SECONDS, KINDS)
    stopping = asyncio.Event()
    async with traffic.opened():
        await traffic.reach_guardians()
        asking = asyncio.create_task(traffic.run(RATE, stopping))
        await asyncio.sleep(CALM_SECONDS)
        await throw(nemesis, MINUTES * 60)
        stopping.set()
        last_fault = time.monotonic()
        await asking
        await settle(running)
        return await judge(nemesis, time.monotonic() - last_fault)


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or nothing would be cleared away
    given = os.environ.get("DICE")
    seeds = [int(given)] if given else [secrets.randbelow(1_000_000) for _ in range(SEEDS)]
    results = [asyncio.run(run(seed)) for seed in seeds]
    missed = set.intersection(*(missed for _, missed in results))
    say(f"kinds that hit nothing in any run: {sorted(missed) or 'none'}")
    in_full = MINUTES >= 15 and len(seeds) == SEEDS
    return 0 if all(held for held, _ in results) and not (in_full and missed) else 1


if __name__ == "__main__":
    sys.exit(main())
