"""Run the simulation for one seed, or for many."""

import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rig.simulation import checks
from rig.simulation.bank import Bank
from rig.simulation.machines import Rates
from rig.simulation.people import People
from rig.simulation.town import Size, found
from rig.simulation.world import World, quietly

OVER = datetime(2027, 2, 1, tzinfo=UTC)
"""By then all groups had their last day, and all months are closed."""
LAST_ACTIONS = 6


@dataclass
class Outcome:
    """What came of one seed."""

    seed: int
    sagas: int
    violations: list[str]
    sometimes: Counter[str] = field(default_factory=Counter)


def simulate(seed: int, size: Size = Size(), *, steps: int = 900) -> Outcome:  # noqa: B008 - a value
    """One town from its foundation to the day when everything is over."""
    world = World(seed, Rates())
    outcome = Outcome(seed, 0, [])

    def live() -> None:
        town = found(world, size)
        world.on_seats = checks.of_seats
        people, bank = People(world, town), Bank(world)
        world.begin_faults()
        for step in range(steps):
            _one_step(world, people, bank, enrolling_goes_on=step < steps * 2 // 3)
        world.drain()
        world.pass_time(world.now + timedelta(minutes=5))
        outcome.violations += checks.violations(world, town, groups_are_over=False)
        _come_to_an_end(world, people, bank)
        outcome.violations += checks.violations(world, town, groups_are_over=True)

    try:
        outcome.violations += quietly(live, world)
    except Exception:  # noqa: BLE001 - whatever a broken service raises is a finding
        outcome.violations.append(traceback.format_exc())
    outcome.sagas = len(world.accepted)
    outcome.sometimes = Counter(world.sometimes)
    for machine in world.machines.values():
        outcome.sometimes.update({f"crash {place}": count for place, count in machine.crashes.items()})
    return outcome


def _one_step(world: World, people: People, bank: Bank, *, enrolling_goes_on: bool) -> None:
    match world.dice.randrange(40):
        case 0:
            pauses = (timedelta(minutes=10), timedelta(hours=5), timedelta(days=1), timedelta(days=4))
            world.now += world.dice.choice(pauses)
        case 1:
            bank.submit()
            bank.answer()
        case chance if chance < 15:
            people.act(enrolling_goes_on=enrolling_goes_on)
        case _:
            world.step()


def _come_to_an_end(world: World, people: People, bank: Bank) -> None:
    """All groups have their last day, all cases are decided, all is signed and paid."""
    world.pass_time(OVER)
    while any(one.state == "open" for one in world.machines["clubs"].store.rows("disputes").values()):
        people.close_dispute(for_good=True)
    world.drain()
    people.sign()
    world.drain()
    for _ in range(LAST_ACTIONS):
        people.pay_out()
        people.pay_out()
        bank.submit()
        bank.answer()
        world.pass_time(world.now + timedelta(days=1))


def simulate_many(seeds: Iterable[int]) -> tuple[int, Counter[str], list[Outcome]]:
    """How many sagas there were, what happened in them, and the seeds that found something."""
    sagas, sometimes, failed = 0, Counter[str](), []
    for seed in seeds:
        outcome = simulate(seed)
        sagas += outcome.sagas
        sometimes += outcome.sometimes
        if outcome.violations:
            failed.append(outcome)
    return sagas, sometimes, failed
