"""Enrollment requested → confirmed at 20 a second for a minute, open loop, the load on the same cores."""

import asyncio
import statistics
import sys
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, system

RATE = 20.0
SECONDS = 60
GROUPS = 5
P99_SECONDS_MAX = 0.5


async def measure(running: system.System) -> bool:
    """Print the figures; whether the aim was reached."""
    ground = await load.prepare(running, groups=GROUPS)
    requests = ground.requests()
    await load.enroll(running, requests[:100], rate=RATE)  # connections, plans and caches become warm
    psutil.cpu_percent()
    outcomes = await load.enroll(running, requests[100 : 100 + int(RATE * SECONDS)], rate=RATE)
    idle = 100 - psutil.cpu_percent()
    confirmed = [one.seconds for one in outcomes if one.state == "confirmed"]
    percentiles = statistics.quantiles(confirmed, n=100)
    p50, p99 = percentiles[49], percentiles[98]
    reached = p99 < P99_SECONDS_MAX and len(confirmed) == len(outcomes) == int(RATE * SECONDS)
    verdict = "ok" if reached else "short"
    figures = (
        ("enrollment_confirmed", len(confirmed), f"of_{len(outcomes)}", f"{RATE * SECONDS:.0f}"),
        ("enrollment_latency_p50", round(p50, 3), "s", "-"),
        ("enrollment_latency_p99", round(p99, 3), "s", f"<{P99_SECONDS_MAX}"),
        ("enrollment_cpu_left", round(idle), "%", "-"),
    )
    for name, value, unit, aim in figures:
        sys.stdout.write(f"FIGURE {name} {value} {unit} aim {aim} {verdict}\n")
    return reached


def main() -> int:
    with system.running() as running:
        return 0 if asyncio.run(measure(running)) else 1


if __name__ == "__main__":
    sys.exit(main())
