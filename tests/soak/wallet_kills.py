"""`kill -9` of the wallet's worker and of PostgreSQL under everything at once, 100 times, at random moments.

Families' months, deposits, funding runs, payouts, repayments, corrections (`rig/mixed_load.py`) go on while
one or the other is killed in the middle of a transaction and started again. Each time the audits must find
nothing; in the end every month is what its last facts say, each request answered once, each order paid once.

`KILLS=number` for fewer, `DICE=number` for the same months and victims. After `MINUTES` (60) no more come.
"""

import os
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.figures import tell, tell_above, tell_below
from rig.telling import say
from rig.wallet_kills import Ordeal, ordeal

KILLS = int(os.environ.get("KILLS", "100"))
MINUTES = float(os.environ.get("MINUTES", "60"))
SHOWN = 3


async def strike(one: Ordeal) -> int:
    """One kill after the other; after how many of them the audits found something."""
    deadline, wrong = time.monotonic() + MINUTES * 60, 0
    for number in range(KILLS):
        if time.monotonic() > deadline:
            break
        victim = one.dice.choice(("worker", "postgres"))
        found = await one.kill(victim)
        wrong += bool(found)
        say(f"{number + 1}: {victim}")
        for name, rows in found.items():
            say(f"    {name} {rows[:SHOWN]}")
    return wrong


async def run(one: Ordeal) -> bool:
    """The kills, the settling, and what it came to."""
    async with one.load():
        wrong = await strike(one)
    began = time.monotonic()
    waiting = {what: count for what, count in (await one.settle()).items() if count}
    settled = time.monotonic() - began
    differs = await one.differs()
    for what, pair in differs.items():
        say(f"{what}: {str(pair[0])[:300]}, not {str(pair[1])[:300]}")
    told, months = one.families.told, len(one.families.months)
    say(f"{dict(one.killed)}; {told} events of {months} months; still waiting {waiting}")
    tell("wallet_kills_settled", settled, "s")
    return all(
        (
            tell_above("wallet_kills", one.killed.total(), "kills", KILLS),
            tell_above("wallet_kills_in_a_transaction", one.at_work / one.killed.total(), "of_all", 0.9),
            tell_below("wallet_kills_audits_wrong", wrong + bool(await one.findings()), "audits", 0),
            tell_below("wallet_kills_not_settled", len(waiting), "kinds", 0),
            tell_below("wallet_kills_lost_or_doubled", len(differs), "kinds", 0),
        )
    )


async def main() -> int:
    dice = os.environ.get("DICE") or str(secrets.randbelow(10**6))
    say(f"DICE={dice}")
    with tempfile.TemporaryDirectory() as folder:
        async with ordeal(Path(folder), os.environ["SW_KAFKA_BOOTSTRAP"], random.Random(dice)) as one:  # noqa: S311 - no secret
            return 0 if await run(one) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
