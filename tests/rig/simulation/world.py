"""One small town and its four services: a clock, dice, and what happens next."""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import structlog.testing

from rig.simulation import enrollment, inboxes, ledger, orders, plumbing, replacing, seats, sheets, statements
from rig.simulation.machines import NO_FAULTS, ROUTERS, Machine, Rates, Topics
from rig.simulation.store import Store
from shared.clock import civil_date
from shared.database import Transaction
from shared.errors import DomainError

STORAGE = (enrollment, inboxes, ledger, orders, plumbing, seats, sheets, statements)
BEGINNING = datetime(2026, 8, 27, 4, tzinfo=UTC)
DRAIN_ROUNDS_MAX = 400


class UnsettledError(AssertionError):
    """Something still goes on, although nobody does anything any more."""


@dataclass
class World:
    """Everything that one seed decides."""

    seed: int
    rates: Rates
    now: datetime = BEGINNING
    sometimes: dict[str, int] = field(default_factory=dict)
    """What happened how often: a run in which a fault never happens shows nothing."""
    accepted: list[UUID] = field(default_factory=list)
    all_heard_at: datetime = BEGINNING
    found: list[str] = field(default_factory=list)
    """What was wrong on the way."""
    on_seats: Callable[[Store, date], Iterable[str]] = lambda _, __: ()

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)  # noqa: S311 - reproducible, not secret
        self.topics = Topics()
        self.machines = {
            name: Machine(name, self.topics, self.dice, self.tick, self._committed) for name in ROUTERS
        }
        self._ids = 0

    def new_id(self) -> UUID:
        """A UUIDv7 of this moment; the last bits are free, for ids that follow from it."""
        self._ids += 1
        milliseconds = int(self.now.timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | self._ids << 8)

    def tick(self) -> datetime:
        """Now; and never the same moment twice."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def happened(self, what: str) -> None:
        self.sometimes[what] = self.sometimes.get(what, 0) + 1

    def _committed(self, machine: Machine, tables: set[str]) -> None:
        if "seats" in tables:
            self.found += self.on_seats(machine.store, self.today)

    def begin_faults(self) -> None:
        """From now on anything may go wrong."""
        for machine in self.machines.values():
            machine.rates = self.rates

    def end_faults(self) -> None:
        """Everything works from now on."""
        for machine in self.machines.values():
            machine.rates, machine.paused = NO_FAULTS, 0

    def ask(self, service: str, what: str, work: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 - of any use case
        """A person's request, in a transaction of its own; None if it was refused or its process died."""
        machine = self.machines[service]
        done: list[Any] = []

        async def request() -> None:
            async with machine.edge.transaction() as tx:
                result = await work(tx)
                tx.outgoing  # noqa: B018 - written by the edge, after this
                done.append(result)

        crashes = machine.crashes.get("before_commit", 0)
        try:
            machine.do(request())
        except DomainError as error:
            self.happened(f"{what}: {error.stable_code}")
            return None
        if machine.crashes.get("before_commit", 0) > crashes:
            return None
        self.happened(what)
        return done[0] if done else None

    def step(self) -> None:
        """A process does a little of what it has to do."""
        machine = self.dice.choice(list(self.machines.values()))
        if machine.paused:
            machine.paused -= 1
            return
        if self.dice.random() < machine.rates.idle / 20:
            machine.paused = self.dice.randint(5, 60)
            self.happened("pause")
        match self.dice.randrange(8):
            case 0 | 1:
                machine.relay()
            case 2 | 3 | 4 | 5:
                machine.take_in()
            case 6:
                machine.replay_parked()
            case _:
                machine.act_on_deadlines()

    def hear_what_is_older_than(self, late_at_most: timedelta) -> None:
        """Let all arrive, if not all has arrived for so long; faults go on afterwards."""
        if self.now - self.all_heard_at > late_at_most:
            self.drain()
            self.begin_faults()

    def drain(self) -> None:
        """Let all of it arrive, with the clock as it is."""
        self.end_faults()
        for _ in range(DRAIN_ROUNDS_MAX):
            worked = 0
            for machine in self.machines.values():
                worked += machine.relay() + machine.act_on_deadlines()
                if machine.behind():
                    worked += machine.take_in()
                worked += machine.replay_parked()
            if not worked:
                self.all_heard_at = self.now
                return
        raise UnsettledError(f"seed {self.seed}: the services never come to rest")

    def pass_time(self, until: datetime) -> None:
        """From deadline to deadline, each time until all is quiet."""
        self.drain()
        while (due := self._next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.drain()
        self.now = max(self.now, until)

    def _next_deadline(self) -> datetime | None:
        found = [at for one in self.machines.values() if (at := one.next_deadline()) is not None]
        return min(found, default=None)

    @property
    def today(self) -> date:
        return civil_date(self.now)


def quietly(work: Callable[[], None], world: World) -> list[str]:
    """Do it with the simulation's storage; what services logged as an error."""
    with structlog.testing.capture_logs() as entries, replacing.replaced(world.new_id):
        work()
    return [f"{one['event']} {one.get('exc_info') or one}" for one in entries if one["log_level"] == "error"]
