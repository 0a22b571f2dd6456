"""The wallet's ledger by hypothesis: ten seeds of 2,000 steps and more, and each step in PostgreSQL, too.

A step lets commands gather, signs, runs, sends or waits; each batch is decided at once, one by one, by a
naive model, and by the service in its database. After each rule of the machine its rows are compared, and
audits run. Together the seeds must reach each operation with each of its answers (`rig/ledger_coverage.py`).

`DICE=number SEEDS=1 make soak ONLY=wallet_machines` runs one of them again; `STEPS` makes them shorter, and
then nothing is asked of what they reach.
"""

import asyncio
import os
import secrets
import sys
import time
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.figures import tell_above, tell_below
from rig.ledger_machine import Batches
from rig.ledger_rows import Rows, lay_foundations
from rig.telling import say
from shared.testing import Database, empty
from wallet.domain.operations import Command, Result
from wallet.main import service as wallet

SEEDS = int(os.environ.get("SEEDS", "10"))
STEPS = int(os.environ.get("STEPS", "2000"))
IN_FULL = SEEDS >= 10 and STEPS >= 2000
ANSWER_SECONDS_MAX = 60.0
SETTINGS = settings(
    max_examples=5,
    stateful_step_count=15,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
"""A few lives at a time, until there are steps enough."""
RUNS_EACH = 1_000

T = TypeVar("T")


@dataclass(frozen=True)
class InRows:
    """The database, for a machine that waits for it in a thread of its own."""

    database: Database
    rows: Rows
    loop: asyncio.AbstractEventLoop

    def _wait_for(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self.loop).result(ANSWER_SECONDS_MAX)

    def begin(self) -> None:
        """An empty ledger in its world."""
        self._wait_for(empty(self.database, wallet.name))
        self._wait_for(lay_foundations(self.rows.edge))

    def post(self, commands: list[Command], today: date) -> list[Result]:
        return self._wait_for(self.rows.post(commands, today))

    def sign(self, enrollment_id: UUID, month: str, revision: int, digest: str) -> None:
        self._wait_for(self.rows.sign(enrollment_id, month, revision, digest))

    def run(self, payout_id: UUID, fund_id: UUID, provider_id: UUID) -> None:
        self._wait_for(self.rows.run(payout_id, fund_id, provider_id))

    def send(self, payout_id: UUID) -> None:
        self._wait_for(self.rows.send(payout_id))

    def picture(self) -> dict[str, Any]:
        return self._wait_for(self.rows.picture())

    def findings(self) -> dict[str, list[Any]]:
        return self._wait_for(self.rows.findings())


def machine_in(database: InRows) -> type[Batches]:
    """The machine with a fourth ledger."""

    class BatchesInRows(Batches):
        def __init__(self) -> None:
            database.begin()
            super().__init__(database)

        @invariant()
        def rows_are_what_was_decided(self) -> None:
            assert database.picture() == self.batched.picture()

        @invariant()
        def audits_are_clean(self) -> None:
            assert database.findings() == {}

    return BatchesInRows


def try_seed(machine: type[Batches], number: int) -> int:
    """As many runs of it as it takes; how many steps they had."""
    before = machine.reached.steps
    for run in range(RUNS_EACH):
        if machine.reached.steps - before >= STEPS:
            break
        run_state_machine_as_test(seed(RUNS_EACH * number + run)(machine), settings=SETTINGS)
    return machine.reached.steps - before


async def main() -> int:
    dice = int(os.environ.get("DICE") or secrets.randbelow(10**6))
    failed = 0
    async with alone.opened(wallet) as stand, stand.database.edge("wallet") as edge:
        machine = machine_in(InRows(stand.database, Rows(edge), asyncio.get_running_loop()))
        for number in range(dice, dice + SEEDS):
            began = time.monotonic()
            try:
                steps = await asyncio.to_thread(try_seed, machine, number)
            except Exception:  # noqa: BLE001 - whatever it is, the other seeds are tried
                failed += 1
                say(f"DICE={number} found:\n{traceback.format_exc()}")
            else:
                say(f"DICE={number}: clean after {steps} steps in {time.monotonic() - began:.0f} s")
    differs = machine.reached.differs()
    say("\n".join(differs) or "each operation met each of its answers")
    reached = [
        tell_above("wallet_machines_steps", machine.reached.steps, "steps", SEEDS * STEPS),
        tell_below("wallet_machines_failed", failed, "seeds", 0),
        tell_below("wallet_machines_not_reached", len(differs) if IN_FULL else 0, "answers", 0),
    ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
