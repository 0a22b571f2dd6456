"""Enrollment requested → confirmed, open loop, load on the same cores: rate after rate, then 20 for longer.

The highest rate that holds is the highest of these at which all are confirmed and the aim for p99 is reached.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, system
from rig.figures import percentile, tell, tell_below

RATES = (5, 10, 15)
SECONDS = 20
FULL_RATE, FULL_SECONDS = 20, 45
GROUPS = 7
WARM = 100
P99_SECONDS_MAX = 0.5

Requests = Iterator[tuple[load.Applicant, str]]


async def measure_at(running: system.System, requests: Requests, rate: int, seconds: int) -> bool:
    """Print the figures of one rate; whether the aim was reached."""
    await running.settled(seconds=120)
    asked = list(itertools.islice(requests, rate * seconds))
    psutil.cpu_percent()
    outcomes = await load.enroll(running, asked, rate=rate)
    idle = 100 - psutil.cpu_percent()
    confirmed = [one.seconds for one in outcomes if one.state == "confirmed"]
    name = f"enrollment_at_{rate}"
    tell(f"{name}_latency_p50", percentile(confirmed, 50), "s")
    tell(f"{name}_cpu_left", idle, "%")
    lost = tell_below(f"{name}_not_confirmed", rate * seconds - len(confirmed), f"of_{rate * seconds}", 0)
    return tell_below(f"{name}_latency_p99", percentile(confirmed, 99), "s", P99_SECONDS_MAX) and lost


async def measure(running: system.System) -> bool:
    """All rates; whether the aim was reached at the full one."""
    ground = await load.prepare(running, groups=GROUPS)
    requests = iter(ground.requests())
    # Connections, plans and caches become warm.
    await load.enroll(running, list(itertools.islice(requests, WARM)), rate=10)
    highest = 0
    for rate in RATES:
        if await measure_at(running, requests, rate, SECONDS):
            highest = rate
    reached = await measure_at(running, requests, FULL_RATE, FULL_SECONDS)
    if reached:
        highest = FULL_RATE
    tell("enrollment_highest_rate", highest, "per_s", f">={FULL_RATE}", reached=reached)
    return reached


def main() -> int:
    with system.running() as running:
        return 0 if asyncio.run(measure(running)) else 1


if __name__ == "__main__":
    sys.exit(main())
