"""Who lives in the town: children and guardians, clubs with groups, programs with funds, administrators."""

from dataclasses import dataclass, field
from datetime import date, time, timedelta
from itertools import product
from typing import Literal
from uuid import UUID, uuid5

from clubs.domain.groups import Names, Weekly
from clubs.usecases.groups import NewGroup, open_group
from rig.simulation.enrollment import add_child
from rig.simulation.world import World
from shared import outbox
from shared.database import Transaction
from shared.events.clubs import Names as ToldNames
from shared.events.wallet import ProgramDescribed
from shared.security import Grant, Principal
from wallet.domain.operations import Allot, Allotted, Identity
from wallet.domain.programs import Entitlement, Fund, Mode, Program, Rules
from wallet.repository.programs import FundRow
from wallet.usecases.funds import deposit
from wallet.usecases.plans import ChargeRule, EvidenceRule
from wallet.usecases.post import post

SPACE = UUID(int=0x51AE)
REGION = uuid5(SPACE, "region")
NAME = Names("Топ", "Группа", "Group")
FIRST_DAY, LAST_DAY = date(2026, 8, 1), date(2027, 8, 31)
PRICE = 1_000_001
SAME_HOUR = 0.2


@dataclass
class Child:
    """A child with one guardian."""

    id: UUID
    guardian: Principal


@dataclass
class Town:
    """What the actions choose from."""

    children: list[Child] = field(default_factory=list)
    providers: list[UUID] = field(default_factory=list)
    groups: list[UUID] = field(default_factory=list)
    funds: list[UUID] = field(default_factory=list)
    region: UUID = REGION

    def administrator(self, name: str) -> Principal:
        person = uuid5(SPACE, f"administrator {name}")
        return Principal(person, frozenset({Grant("administrator", "region", self.region)}))

    def worker(self, provider_id: UUID, role: Literal["director", "coach", "device"]) -> Principal:
        """One person for each role at a provider."""
        person = uuid5(provider_id, role)
        return Principal(person, frozenset({Grant(role, "provider", provider_id)}))


@dataclass(frozen=True)
class Size:
    """How large a town is, and how scarce seats and money are."""

    children: int = 40
    groups: int = 5
    seats: tuple[int, ...] = (1, 2, 4, 8)
    months: int = 2
    money: float = 0.6
    """How much there is, of what all would cost."""
    certain: bool = False
    """No group meets when another does, and a fund pays all or nothing."""


def found(world: World, size: Size) -> Town:
    """Build it up, before anything goes wrong."""
    town = Town()
    for number in range(size.children):
        child_id = uuid5(SPACE, f"child {number}")
        person = uuid5(SPACE, f"guardian {number}")
        principal = Principal(person, frozenset({Grant("guardian", "child", child_id)}))
        town.children.append(Child(child_id, principal))
        add_child(world.machines["enrollment"].store, child_id, world.dice.choice((0, 0, 1)))
        world.machines["notifications"].store.put("guardians", child_id, person)
    _open_funds(world, town, size)
    _open_groups(world, town, size)
    world.drain()
    return town


def _open_groups(world: World, town: Town, size: Size) -> None:
    clubs = world.machines["clubs"].store
    for number in range(2):
        provider_id = uuid5(SPACE, f"provider {number}")
        town.providers.append(provider_id)
        clubs.put("clubs", provider_id, {"provider_id": provider_id, "direction": "sport"})
        director = town.worker(provider_id, "director").person_id
        notifications = world.machines["notifications"].store
        notifications.put("directors", provider_id, director)
        notifications.put("names", provider_id, (1, {}))
    clubs.commit()
    for number in range(size.groups):
        group_id = open_one(world, town, number, world.dice.choice(size.seats), size)
        if group_id is not None:
            town.groups.append(group_id)


def open_one(world: World, town: Town, number: int, seats: int, size: Size) -> UUID | None:
    """A group of one of the providers, from the first of September on or from today."""
    provider_id = town.providers[number % 2]
    weekdays = list(product(range(1, 6), (time(10), time(16))))
    same = not size.certain and world.dice.random() < SAME_HOUR
    day, at = weekdays[0 if same else number % len(weekdays)]
    new = NewGroup(
        club_id=provider_id,
        name=NAME,
        price_tiyn=PRICE,
        capacity=seats,
        age_from=5,
        age_to=17,
        schedule=(Weekly(day, at, _later(at)),),
        coaches=(),
        starts_on=max(world.today, date(2026, 9, 1)),
        ends_on=date(2026, 9, 1) + timedelta(days=30 * size.months + world.dice.randint(-10, 10)),
    )
    director = town.worker(provider_id, "director")
    group_id: UUID | None = world.ask("clubs", "open group", lambda tx: open_group(tx, director, new))
    return group_id


def _later(at: time) -> time:
    """An hour and a half later."""
    return at.replace(hour=at.hour + 1, minute=30)


def _open_funds(world: World, town: Town, size: Size) -> None:
    store = world.machines["wallet"].store
    for place, mode in enumerate((Mode.AHEAD, Mode.ON_HOLD), start=1):
        program_id, fund_id = uuid5(SPACE, f"program {place}"), uuid5(SPACE, f"fund {place}")
        silent = world.dice.choice((None, 0, 3))
        evidence = EvidenceRule(silence_counts_after_days=silent)
        rules = Rules(
            version=1,
            valid_from=FIRST_DAY,
            directions=frozenset(),
            monthly_rate_tiyn=2 * PRICE,
            clubs_per_child_max=3,
            evidence=evidence.model_dump(mode="json"),
            charge=ChargeRule().model_dump(mode="json"),
        )
        store.put("programs", program_id, Program(program_id, place, FIRST_DAY, LAST_DAY, (rules,)))
        budget = 10**12
        store.put("funds", fund_id, Fund(fund_id, program_id, mode, budget, LAST_DAY))
        row = FundRow(
            id=fund_id,
            version=1,
            program_id=program_id,
            region_id=town.region,
            funder={},
            name={},
            mode=mode.value,
            budget_tiyn=budget,
            monthly_tiyn=None,
            last_capture_on=LAST_DAY,
        )
        store.put("fund_rows", fund_id, row)
        town.funds.append(fund_id)
        world.machines["notifications"].store.put("names", fund_id, (1, {}))
        _entitle(world, town, program_id)
        _describe(world, town, program_id)
    cost = PRICE * size.children * size.months
    for fund_id in town.funds:
        pay_in(world, town, fund_id, int(cost * size.money))
    ahead = 0 if size.certain and world.dice.random() < 0.5 else size.money
    _allot(world, town, int(cost * ahead) // size.children)


def _entitle(world: World, town: Town, program_id: UUID) -> None:
    wallet, enrollment = world.machines["wallet"].store, world.machines["enrollment"].store
    for child in town.children:
        entitlements = wallet.rows("entitlements").get(child.id, ())
        new = Entitlement(program_id, FIRST_DAY, LAST_DAY, 100)
        wallet.put("entitlements", child.id, (*entitlements, new))
        enrollment.put("entitled", (child.id, program_id), new)
    wallet.commit()
    enrollment.commit()


def _describe(world: World, town: Town, program_id: UUID) -> None:
    event = ProgramDescribed(
        program_id=program_id,
        version=1,
        region_id=town.region,
        name=ToldNames(kk="Бағдарлама", ru="Программа", en="Program"),
        directions=(),
        starts_on=FIRST_DAY,
        ends_on=LAST_DAY,
        clubs_per_child_max=3,
        asks_from_day=20,
        grace_ends_on_day=10,
        declined_percent_max=100,
    )

    async def tell(tx: Transaction) -> None:
        outbox.publish(tx, event)

    world.ask("wallet", "describe program", tell)


def pay_in(world: World, town: Town, fund_id: UUID, amount: int) -> None:
    """A deposit by an administrator, under a key of its own."""
    key = str(world.new_id())
    if amount > 0:
        by = town.administrator("1")
        world.ask("wallet", "deposit", lambda tx: deposit(tx, by, fund_id, amount, key))


def _allot(world: World, town: Town, amount: int) -> None:
    """What a funding run does for the fund that pays ahead."""
    fund_id = town.funds[0]
    commands = [
        Allot(world.new_id(), Identity("run", "allot", str(child.id)), fund_id, child.id, LAST_DAY, amount)
        for child in town.children
    ]

    async def allot(tx: Transaction) -> None:
        results = await post(tx, commands)
        if not all(isinstance(one, Allotted) for one in results):
            raise ValueError(results)

    if amount > 0:
        world.ask("wallet", "allot", allot)
