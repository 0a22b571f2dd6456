"""A paced funding run on the whole system, beside 20 enrollments a second.

100,000 children are planted in the wallet, for a fund of their own; the run may reach 1,000 of them a second.
Meanwhile others are enrolled, open loop, load on the same cores. How 20 a second fare without a run is told
by `enrollment_latency`.
"""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, system
from rig.figures import percentile, tell, tell_below
from rig.system import Person, sign_in

CHILDREN = 100_000
CHILDREN_PER_SECOND = 1_000
RATE = 20
SECONDS = 45
GROUPS = 5
WARM = 100
P99_SECONDS_MAX = 1.0
_PLANT = """
INSERT INTO wallet.entitlements (id, version, child_id, program_id, starts_on, until, coefficient_percent)
SELECT uuidv7(), 1, uuidv7(), $1, '2026-09-01', '2027-05-25', 100 FROM generate_series(1, $2::int)
"""


async def start_run(running: system.System) -> tuple[Person, str]:
    """A program with children and a fund of mode ahead, and its run; and who follows it."""
    one, other = [await sign_in(running, f"administrator-{number}") for number in (1, 2)]
    try:
        program_id, _ = await load.open_program((one, other), name="Beside")
        plan: dict[str, Any] = (await one.get("wallet", f"/v1/programs/{program_id}")).json()
        fund = {name: plan[name] for name in ("region_id", "name")} | {
            "program_id": program_id,
            "funder": plan["name"],
            "mode": "ahead",
            "budget_tiyn": 10**13,
            "monthly_tiyn": 1_000_000,
            "last_capture_on": "2027-05-25",
        }
        proposal = (await one.post("wallet", "/v1/funds", fund)).json()
        made = (await other.post("wallet", f"/v1/approvals/{proposal['id']}/approve")).json()
        fund_id = made["made_id"]
        await one.post("wallet", f"/v1/funds/{fund_id}/deposits", {"amount_tiyn": 10**13})
    finally:
        await other.close()
    async with running.database() as database:
        await database.execute(_PLANT, UUID(program_id), CHILDREN)
        await database.execute("ANALYZE wallet.entitlements")
    asked = {"fund_id": fund_id, "until": "2026-12-31", "children_per_second": CHILDREN_PER_SECOND}
    answer = await one.post("wallet", "/v1/funding-runs", asked)
    return one, str(answer.raise_for_status().json()["id"])


async def measure(running: system.System) -> bool:
    """Print the figures; whether the aim was reached."""
    ground = await load.prepare(running, groups=GROUPS)
    requests = ground.requests()
    await load.enroll(running, list(itertools.islice(requests, WARM)), rate=10)
    await running.settled(seconds=120)
    administrator, run_id = await start_run(running)
    try:
        outcomes = await load.enroll(running, requests[WARM : WARM + RATE * SECONDS], rate=RATE)
        run = (await administrator.get("wallet", f"/v1/funding-runs/{run_id}")).json()
    finally:
        await administrator.close()
    confirmed = [one.seconds for one in outcomes if one.state == "confirmed"]
    tell("funding_run_beside_pace", CHILDREN_PER_SECOND, "per_s")
    tell("funding_run_beside_rate", run["rate"] or 0, "per_s")
    tell("funding_run_beside_reached", run["reached"], f"of_{CHILDREN}")
    tell("funding_run_beside_enrollment_p50", percentile(confirmed, 50), "s")
    lost = tell_below("funding_run_beside_not_confirmed", len(outcomes) - len(confirmed), "enrollments", 0)
    p99 = percentile(confirmed, 99)
    return tell_below("funding_run_beside_enrollment_p99", p99, "s", P99_SECONDS_MAX) and lost


def main() -> int:
    with system.running() as running:
        return 0 if asyncio.run(measure(running)) else 1


if __name__ == "__main__":
    sys.exit(main())
