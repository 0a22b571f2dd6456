"""Run the simulation for one seed, or for many."""

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
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
LATE_AT_MOST = timedelta(days=21)
"""What is older is heard before anything else happens: nobody is away for a month."""
STEPS = 900
QUIET_EACH = 100
"""After so many steps nobody does anything until all is quiet, and all is looked at."""
LAST_ACTIONS = 6
PAUSES = (timedelta(minutes=10), timedelta(hours=5), timedelta(days=1), timedelta(days=4))
LONG_PAUSES = (timedelta(hours=5), timedelta(days=2), timedelta(days=5), timedelta(days=9))
PEOPLE_ACT = 16
"""Of 40 steps these many, less the first ones, are of people; what is left is of the services."""


@dataclass
class Outcome:
    """What came of one seed."""

    seed: int
    sagas: int
    violations: list[str]
    sometimes: Counter[str] = field(default_factory=Counter)


def simulate(seed: int, *, late_at_most: timedelta = LATE_AT_MOST) -> Outcome:
    """One town from its foundation to the day when everything is over."""
    world, size = World(seed, Rates()), Size()
    outcome = Outcome(seed, 0, [])

    def live() -> None:
        town = found(world, size)
        world.on_seats = checks.of_seats
        people, bank = People(world, town, size), Bank(world)
        world.begin_faults()
        for step in range(STEPS):
            _one_step(world, people, bank, enrolling_goes_on=step < STEPS // 2)
            world.hear_what_is_older_than(late_at_most)
            if late_at_most <= LATE_AT_MOST and step % QUIET_EACH == QUIET_EACH - 1:
                world.drain()
                outcome.violations += checks.violations(world, town, groups_are_over=False)
                world.begin_faults()
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
    outcome.sometimes.update(told(world))
    for machine in world.machines.values():
        outcome.sometimes.update({f"crash {place}": count for place, count in machine.crashes.items()})
    return outcome


def told(world: World) -> Iterator[str]:
    """The types of all records."""
    for log in world.topics.logs.values():
        yield from (record.text_headers()["ce_type"] for record in log)


def _one_step(world: World, people: People, bank: Bank, *, enrolling_goes_on: bool) -> None:
    """First a month in which all enroll, then a quarter in which months are closed, disputed and paid."""
    pauses = PAUSES if enrolling_goes_on else LONG_PAUSES
    match world.dice.randrange(40):
        case 0:
            world.now += world.dice.choice(pauses)
        case 1 if not enrolling_goes_on:
            world.now += world.dice.choice(pauses)
        case 2 | 3:
            bank.submit()
            bank.answer()
        case chance if chance < PEOPLE_ACT:
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
