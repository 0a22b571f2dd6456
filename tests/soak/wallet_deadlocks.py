"""Four writers for ten minutes on the same funds, providers and children: no deadlock may reach anybody.

Each takes in what a worker would of the partitions that are its own, and in the same chunks: months held,
canceled, ended, charged, charged again for less and for more, disputed, signed. Beside them one office
deposits, pays, takes repayments and corrects, and one clerk does the worker's jobs: funding runs, sweeps,
seals, orders that leave and are paid. A deadlock that PostgreSQL finds is tried again, and counted; whatever
is no passing fault has escaped.

Half of the time, by turns, the writers have funds, providers and children each of their own: what conflicts
cost is the ratio of the two rates. `MINUTES=1` makes it shorter, `DICE=number` draws the same again.
"""

import asyncio
import os
import random
import re
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.alone import Stand
from rig.figures import tell, tell_above, tell_below
from rig.mixed_load import Families, Offices
from rig.office import BIN, IBANS
from rig.telling import say
from rig.wallet_kills import STARTED
from shared.consumer import handle
from shared.database import Transaction
from shared.edge import Edge
from shared.events.envelope import Envelope, Event
from shared.kafka import partition_of
from shared.retrying import is_passing, until_it_passes
from shared.testing import envelope_of, set_clock
from wallet.domain.bank_messages import Party
from wallet.main import service as wallet
from wallet.repository.payouts import find_payout, next_prepared
from wallet.testing import World, seal
from wallet.usecases.answers import note_paid
from wallet.usecases.expiring import sweep_page
from wallet.usecases.runs import advance_run
from wallet.usecases.submitting import OrderChangedError, let_leave, note_sent

MINUTES = float(os.environ.get("MINUTES", "10"))
WRITERS = 4
TURNS = 4
"""Hot, calm, hot, calm."""
CHUNK = 30
CHILDREN_EACH = 60
"""Whose months each writer has under way."""
TRIES_MAX = 25
"""In a row: after so many somebody would have noticed."""
DEADLOCK = "40P01"
PAYER = Party("Social wallet", BIN, IBANS[1])
WAITED = re.compile(r"waits for (\w+ on \w+)")
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"

T = TypeVar("T")


class _NotYetError(Exception):
    """Some of a chunk wait for what another writer has not taken in: nothing of it was done."""

    def __init__(self, waiting: Sequence[Envelope]) -> None:
        super().__init__()
        self.waiting = waiting


@dataclass
class Ground:
    """Funds, providers and children, of one writer or of all."""

    families: Families
    offices: Offices
    queues: Sequence[list[Event]]
    """What is told and not taken in, by writer."""

    def take(self, queue: list[Event]) -> list[Event]:
        """The next chunk of a writer, partition by partition."""
        while len(queue) < CHUNK and (event := self.families.draw(more=True)):
            self.queues[partition_of(event.key) % len(self.queues)].append(event)
        chunk = sorted(queue[: 2 * CHUNK], key=lambda one: (one.topic, partition_of(one.key)))
        del queue[: 2 * CHUNK]
        return chunk


@dataclass
class Hunt:
    """What was done, and what was tried again."""

    edge: Edge
    dice: random.Random
    deadline: float = 0
    taken_in: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    """Faults that passed, by SQLSTATE."""
    waited: Counter[str] = field(default_factory=Counter)
    """For what those waited who stood in a deadlock, as PostgreSQL tells it."""
    escaped: int = 0
    tries_max: int = 0

    @property
    def over(self) -> bool:
        return time.monotonic() > self.deadline

    async def attempt(self, work: Callable[[Transaction], Awaitable[T]]) -> T | None:
        """In a transaction, again and again while what fails can pass."""
        for tries in range(TRIES_MAX):
            try:
                async with self.edge.transaction() as tx:
                    return await work(tx)
            except _NotYetError:
                raise
            except OrderChangedError:
                return None
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                if not is_passing(error):
                    self._escape(error)
                    return None
                fault = getattr(error, "orig", None) or error
                self.passed[str(getattr(fault, "sqlstate", None) or type(fault).__name__)] += 1
                self.waited.update(WAITED.findall(getattr(fault, "detail", None) or ""))
                self.tries_max = max(self.tries_max, tries + 1)
            await asyncio.sleep(self.dice.uniform(0, 0.02 * (tries + 1)))
        self._escape(TimeoutError(f"failed {TRIES_MAX} times"))
        return None

    def _escape(self, error: BaseException) -> None:
        self.escaped += 1
        say("".join(traceback.format_exception(error)))

    async def write(self, ground: Ground, queue: list[Event]) -> None:
        """Chunk after chunk; what must wait comes again in the next one."""
        late: list[Envelope] = []
        while not self.over:
            chunk = [*late, *(envelope_of(event, STARTED) for event in ground.take(queue))]
            late = []
            while chunk:
                try:
                    await self.attempt(partial(_take_in, envelopes=chunk))
                    self.taken_in += len(chunk)
                    break
                except _NotYetError as error:
                    late += error.waiting
                    waiting = {one.id for one in late}
                    chunk = [one for one in chunk if one.id not in waiting]

    async def act(self, grounds: Sequence[Ground]) -> None:
        """The offices, one thing after the other."""
        while not self.over:
            await self.dice.choice(grounds).offices.act()

    async def work_off(self) -> None:
        """The worker's jobs, in turn."""
        while not self.over:
            await self.attempt(advance_run)
            await self.attempt(sweep_page)
            await until_it_passes(seal, self.edge)
            await self._pay_next()
            await asyncio.sleep(0.05)

    async def _pay_next(self) -> None:
        """The next order leaves and arrives, unless somebody changes it first."""
        payout_id = await self.attempt(partial(next_prepared, besides=()))
        if payout_id is not None and await self.attempt(partial(_leave, payout_id=payout_id)):
            await self.attempt(partial(note_sent, payout_id=payout_id))
            await self.attempt(partial(_arrive, payout_id=payout_id))


async def _leave(tx: Transaction, payout_id: UUID) -> bool:
    await let_leave(tx, payout_id, PAYER)
    return True


async def _arrive(tx: Transaction, payout_id: UUID) -> None:
    order = await find_payout(tx, payout_id)
    if order is not None:
        await note_paid(tx, order)


async def _take_in(tx: Transaction, envelopes: Sequence[Envelope]) -> None:
    waiting = await handle(tx, wallet.events, envelopes)
    if waiting:
        raise _NotYetError([one for one, _ in waiting])


async def new_ground(edge: Edge, dice: random.Random, writers: int) -> Ground:
    """A program with two funds, money in both, and three providers with accounts."""
    world = World(edge)
    await world.found()
    offices = Offices(world, edge, dice)
    families = Families(world, await offices.open(), dice, at_once=CHILDREN_EACH * writers)
    return Ground(families, offices, [[] for _ in range(writers)])


async def turn(hunt: Hunt, grounds: Sequence[Ground], superuser: Any) -> tuple[float, int]:  # noqa: ANN401 - asyncpg's
    """All of them for a while: operations a second, and the deadlocks that PostgreSQL broke."""
    counted = "SELECT count(*) FROM wallet.operations"
    before, broken = await superuser.fetchval(counted), await superuser.fetchval(_DEADLOCKS)
    began = time.monotonic()
    hunt.deadline = began + MINUTES * 60 / TURNS
    async with asyncio.TaskGroup() as group:
        for ground in grounds:
            for queue in ground.queues:
                group.create_task(hunt.write(ground, queue))
        group.create_task(hunt.act(grounds))
        group.create_task(hunt.work_off())
    done = await superuser.fetchval(counted) - before
    rate = done / (time.monotonic() - began)
    await asyncio.sleep(1.1)  # statistics of others are told once a second
    return rate, await superuser.fetchval(_DEADLOCKS) - broken


async def hunt_in(stand: Stand, hunt: Hunt) -> bool:
    """Hot and calm by turns, and what came of it."""
    hot = [await new_ground(hunt.edge, hunt.dice, WRITERS)]
    calm = [await new_ground(hunt.edge, hunt.dice, 1) for _ in range(WRITERS)]
    rates: dict[str, list[float]] = {"hot": [], "calm": []}
    deadlocks = Counter[str]()
    async with stand.superuser() as superuser:
        for number in range(TURNS):
            name, grounds = ("hot", hot) if number % 2 == 0 else ("calm", calm)
            rate, broken = await turn(hunt, grounds, superuser)
            rates[name].append(rate)
            deadlocks[name] += broken
            say(f"{name}: {rate:.0f} operations a second, {broken} deadlocks broken")
    hot_rate, calm_rate = (sum(rates[name]) / len(rates[name]) for name in ("hot", "calm"))
    tell("wallet_deadlocks_hot", hot_rate, "operations_per_s")
    tell("wallet_deadlocks_calm", calm_rate, "operations_per_s")
    tell("wallet_deadlocks_hot_against_calm", hot_rate / calm_rate, "x")
    tell("wallet_deadlocks_broken_hot", deadlocks["hot"], "deadlocks")
    tell("wallet_deadlocks_broken_calm", deadlocks["calm"], "deadlocks")
    tell("wallet_deadlocks_tried_again", hunt.passed[DEADLOCK], "chunks")
    tell("wallet_deadlocks_tries_max", hunt.tries_max, "in_a_row")
    say(f"faults that passed: {dict(hunt.passed)}, waits in deadlocks: {dict(hunt.waited)}")
    say(f"{hunt.taken_in} events taken in")
    return all(
        (
            tell_above("wallet_deadlocks_operations", hot_rate * MINUTES * 30, "operations", 1),
            tell_below("wallet_deadlocks_escaped", hunt.escaped, "errors", 0),
            tell_below("wallet_deadlocks_audit", stand.audit("wallet").returncode, "exit", 0),
        )
    )


async def main() -> int:
    dice = os.environ.get("DICE") or str(secrets.randbelow(10**6))
    say(f"DICE={dice}")
    async with alone.opened(wallet) as stand, stand.database.edge("wallet") as edge:
        await set_clock(stand.database, STARTED)
        hunt = Hunt(edge, random.Random(dice))  # noqa: S311 - no secret
        return 0 if await hunt_in(stand, hunt) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
