"""100,000 sagas of the simulation (`rig.simulation`) from a new place of the dice, on all cores.

`DICE=number` runs that one seed alone and prints all it found; `SAGAS=number` runs more or fewer. Bounded:
after `MINUTES` (30 unless told) no new seed begins, and too few sagas by then are a failure. `LATE_DAYS` (21)
is how late a record may come.
"""

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from datetime import timedelta
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig.simulation.ample import differences
from rig.simulation.running import Outcome, simulate
from rig.telling import say

SAGAS = int(os.environ.get("SAGAS", "100000"))
MINUTES = float(os.environ.get("MINUTES", "30"))
LATE_AT_MOST = timedelta(days=float(os.environ.get("LATE_DAYS", "21")))
SEEDS_ABOVE = 1_000_000
"""Those of the gate are below."""
ORDERS_EACH = 20
"""Of so many seeds one also compares the totals of two orders of arrival."""
SHOWN = 5


def one(seed: int) -> Outcome:
    """What came of one seed."""
    outcome = simulate(seed, late_at_most=LATE_AT_MOST)
    if seed % ORDERS_EACH == 0:
        outcome.violations += differences(seed, order=seed + 1)
        outcome.sometimes["two orders compared"] += 1
    return outcome


def outcomes(first: int) -> Iterator[Outcome]:
    """Those of the seeds from here on, until there are enough sagas or the time is over."""
    seeds, sagas, over = count(first), 0, time.monotonic() + MINUTES * 60
    with ProcessPoolExecutor() as pool:
        running: set[Future[Outcome]] = {pool.submit(one, next(seeds)) for _ in range(os.cpu_count() or 1)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                sagas += outcome.sagas
                if sagas < SAGAS and time.monotonic() < over:
                    running.add(pool.submit(one, next(seeds)))
                yield outcome


def main() -> int:
    """Whether nothing was found in enough sagas."""
    if "DICE" in os.environ:
        outcome = one(int(os.environ["DICE"]))
        say("\n".join(outcome.violations) or f"nothing found in {outcome.sagas} sagas")
        return 1 if outcome.violations else 0
    first = SEEDS_ABOVE + secrets.randbelow(SEEDS_ABOVE)
    say(f"seeds from {first}; DICE=number make soak ONLY=simulation runs one of them alone")
    began, sagas, seeds, failed, sometimes = time.monotonic(), 0, 0, 0, Counter[str]()
    for outcome in outcomes(first):
        seeds += 1
        sagas += outcome.sagas
        sometimes += outcome.sometimes
        if outcome.violations:
            failed += 1
            say("\n".join((f"DICE={outcome.seed} found:", *outcome.violations[:SHOWN])))
    for what, times in sorted(sometimes.items()):
        say(f"{times:8} × {what}")
    rate = sagas / (time.monotonic() - began)
    say(f"{sagas} sagas of {seeds} seeds, {rate:.0f} a second; {failed} seeds found something")
    return 0 if sagas >= SAGAS and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
