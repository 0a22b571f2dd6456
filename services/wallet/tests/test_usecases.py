"""On real PostgreSQL: twice is once, failed leaves no trace, and two at once get exactly what is there."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from shared import migrations
from shared.database import new_id, plumbing
from shared.edge import Edge
from shared.errors import ConflictError
from shared.events.wallet import FundDeposited, FundDescribed, FundsHeld, ProgramDescribed
from shared.service import Service
from shared.testing import Database, published
from wallet.domain.operations import Declined, Deposit, Deposited, Held, HoldMonth, Identity, Mismatched
from wallet.repository import snapshots
from wallet.repository.audits import AUDITS
from wallet.testing import PRICE, Check, Deliver, World, asked, waits_for_a_lock
from wallet.usecases import enrollments
from wallet.usecases.funds import deposit, republish_funds
from wallet.usecases.post import post
from wallet.usecases.programs import republish_programs


def hold_for(child_id: UUID, enrollment_id: UUID, *, attempt: int = 1) -> HoldMonth:
    command = enrollments.command_of(asked(child_id, enrollment_id, attempt=attempt))
    assert isinstance(command, HoldMonth)
    return command


async def two_children(world: World, deliver: Deliver) -> tuple[UUID, UUID]:
    children = new_id(), new_id()
    await deliver(*(world.entitled(child_id) for child_id in children))
    return children


@pytest.mark.parametrize("stop", ["after_locks", "after_write"])
async def test_of_two_children_and_money_for_one_exactly_one_gets_it(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check, stop: str
) -> None:
    await world.pay_in(world.on_hold, PRICE)
    first, second = await two_children(world, deliver)

    async def hold_second() -> object:
        async with edge.transaction() as tx:
            return (await post(tx, [hold_for(second, new_id())]))[0]

    async with edge.transaction() as tx:
        mine = [hold_for(first, new_id())]
        if stop == "after_locks":
            await snapshots.read_snapshot(await tx.driver(), mine, lock=True)
        else:
            assert isinstance((await post(tx, mine))[0], Held)
        rival = asyncio.create_task(hold_second())
        await waits_for_a_lock(edge, rival)
        if stop == "after_locks":
            assert isinstance((await post(tx, mine))[0], Held)
    assert await rival == Declined("no_money", PRICE)
    await assert_clean()


async def test_of_two_clubs_and_allotted_money_for_one_exactly_one_gets_it(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    child_id, _ = await two_children(world, deliver)
    await world.pay_in(world.ahead, 4_000_000)
    await world.run_funding()

    async def hold_another() -> object:
        async with edge.transaction() as tx:
            return (await post(tx, [hold_for(child_id, new_id())]))[0]

    async with edge.transaction() as tx:
        assert isinstance((await post(tx, [hold_for(child_id, new_id())]))[0], Held)
        rival = asyncio.create_task(hold_another())
        await waits_for_a_lock(edge, rival)
    assert await rival == Declined("no_money", 2 * PRICE - 2_000_000)
    await assert_clean()


async def test_a_rival_that_rolls_back_leaves_the_money_to_the_other(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, PRICE)
    first, second = await two_children(world, deliver)

    async def hold_second() -> object:
        async with edge.transaction() as tx:
            return (await post(tx, [hold_for(second, new_id())]))[0]

    async def hold_first_and_die() -> None:
        async with edge.transaction() as tx:
            assert isinstance((await post(tx, [hold_for(first, new_id())]))[0], Held)
            rivals.append(asyncio.create_task(hold_second()))
            await waits_for_a_lock(edge, rivals[0])
            raise ConnectionError

    rivals: list[asyncio.Task[object]] = []
    with pytest.raises(ConnectionError):
        await hold_first_and_die()
    assert isinstance(await rivals[0], Held)
    await assert_clean()


@pytest.mark.parametrize("source", ["ahead", "on_hold"])
async def test_the_same_operation_in_two_batches_at_once_is_done_once(
    *, world: World, edge: Edge, deliver: Deliver, assert_clean: Check, source: str
) -> None:
    child_id, _ = await two_children(world, deliver)
    if source == "ahead":
        await world.pay_in(world.ahead, 10_000_000)
        await world.run_funding()
    else:
        await world.pay_in(world.on_hold, 10 * PRICE)
    request = asked(child_id, new_id())

    async def hold() -> object:
        async with edge.transaction() as tx:
            return (await post(tx, [enrollments.command_of(request)]))[0]

    async with edge.transaction() as tx:
        (mine,) = await post(tx, [enrollments.command_of(request)])
        rival = asyncio.create_task(hold())
        await waits_for_a_lock(edge, rival)
    assert isinstance(mine, Held)
    assert await rival == mine
    await assert_clean()


async def test_many_batches_over_the_same_children_and_funds_never_stand_in_each_others_way(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, 7 * PRICE)
    children = [new_id() for _ in range(30)]
    await deliver(*(world.entitled(child_id) for child_id in children))

    async def hold_all(order: list[UUID]) -> int:
        async with edge.transaction() as tx:
            results = await post(tx, [hold_for(child_id, new_id()) for child_id in order])
        return sum(isinstance(result, Held) for result in results)

    held = await asyncio.gather(*(hold_all(children[n:] + children[:n]) for n in range(6)))
    assert sum(held) == 7
    await assert_clean()


async def test_one_bad_item_never_fails_its_neighbors(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, 2 * PRICE)
    child_id, other = await two_children(world, deliver)
    enrollment_id = new_id()
    good = hold_for(child_id, enrollment_id)
    async with edge.transaction() as tx:
        results = await post(tx, [good, hold_for(other, enrollment_id, attempt=2), hold_for(other, new_id())])
    assert [type(result) for result in results] == [Held, Mismatched, Held]
    await assert_clean()


async def test_a_deposit_key_is_one_deposit_for_ever(world: World, edge: Edge, assert_clean: Check) -> None:
    async def pay(amount: int, fund_id: UUID) -> UUID:
        async with edge.transaction() as tx:
            return await deposit(tx, world.people[0], fund_id, amount, "key")

    assert await pay(100, world.ahead) == await pay(100, world.ahead)
    for amount, fund_id in [(101, world.ahead), (100, world.on_hold)]:
        with pytest.raises(ConflictError, match="deposit_key_used"):
            await pay(amount, fund_id)
    events = [event for event in await published(edge) if isinstance(event, FundDeposited)]
    assert [event.amount_tiyn for event in events] == [100]
    await assert_clean()


async def test_deposits_of_two_people_are_two_whatever_keys_they_use(
    world: World, edge: Edge, assert_clean: Check
) -> None:
    made = set()
    for person in world.people:
        async with edge.transaction() as tx:
            made.add(await deposit(tx, person, world.ahead, 100, "1"))
    events = [event for event in await published(edge) if isinstance(event, FundDeposited)]
    assert (len(made), [event.amount_tiyn for event in events]) == (2, [100, 100])
    await assert_clean()


async def test_a_deposit_beyond_the_budget_is_refused_for_its_key(world: World, edge: Edge) -> None:
    for amount in (100_000_000_001, 100_000_000_001):
        with pytest.raises(ConflictError, match="over_budget"):
            async with edge.transaction() as tx:
                await deposit(tx, world.people[0], world.ahead, amount, "key")


async def test_allotted_money_is_spent_before_a_fund_is_drawn(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    child_id, _ = await two_children(world, deliver)
    await world.pay_in(world.ahead, 10_000_000)
    await world.pay_in(world.on_hold, 10_000_000)
    await world.run_funding()
    await deliver(asked(child_id, new_id()), asked(child_id, new_id()))
    first, second = [event for event in await published(edge) if isinstance(event, FundsHeld)]
    assert [(layer.fund_id, layer.amount_tiyn) for layer in first.layers] == [(world.ahead, PRICE)]
    assert [(layer.fund_id, layer.amount_tiyn) for layer in second.layers] == [
        (world.ahead, 2_000_000 - PRICE),
        (world.on_hold, 2 * PRICE - 2_000_000),
    ]
    await assert_clean()


@pytest.mark.parametrize("table", ["operations", "postings", "batches"])
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
@pytest.mark.parametrize("role", ["wallet", "wallet_owner"])
async def test_nobody_changes_what_is_written_in_the_ledger(
    *, world: World, database: Database, table: str, change: str, role: str
) -> None:
    await world.pay_in(world.ahead, 1)
    column = {"operations": "amount_tiyn", "postings": "amount_tiyn", "batches": "postings"}[table]
    connection = await asyncpg.connect(database.url(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change.format(table, column))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("check", "harm"),
    [
        (
            "balances_are_their_postings_and_holds",
            "UPDATE accounts SET credited = credited + 1 WHERE kind = 2",
        ),
        ("credited_equals_debited_in_each_fund", "UPDATE accounts SET debited = debited + 1 WHERE kind = 1"),
        ("closed_holds_reserve_nothing", "UPDATE holds SET open = false"),
        ("months_say_what_their_holds_are", "UPDATE enrollment_months SET state = 'declined'"),
        ("holds_reserve_what_their_operation_says", "UPDATE hold_layers SET amount_tiyn = amount_tiyn + 1"),
        ("ended_enrollments_hold_nothing_after_their_end", "UPDATE enrollments SET released = true"),
        ("layers_belong_to_the_child_of_their_hold", "UPDATE holds SET child_id = gen_random_uuid()"),
    ],
)
async def test_the_audit_finds_what_is_wrong(
    *, world: World, edge: Edge, deliver: Deliver, check: str, harm: str
) -> None:
    child_id, _ = await two_children(world, deliver)
    await world.pay_in(world.on_hold, PRICE)
    await deliver(asked(child_id, new_id()))
    async with edge.transaction() as tx:
        driver = await tx.driver()
        await driver.execute(harm)
        assert await driver.fetch(AUDITS[check])


async def test_the_database_itself_refuses_to_overdraw_and_to_cross_funds(world: World, edge: Edge) -> None:
    await world.pay_in(world.ahead, 1)
    for statement in (
        "UPDATE accounts SET debited = credited + 1 WHERE kind = 2",
        "INSERT INTO postings SELECT gen_random_uuid(), 0, min(id), max(id), 1 FROM accounts",
        "INSERT INTO postings SELECT gen_random_uuid(), 0, min(id), min(id) + 1, 0 FROM accounts",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            async with edge.transaction() as tx:
                await (await tx.driver()).execute(statement)


async def test_the_migrated_schema_is_what_the_tables_say(edge: Edge, service: Service) -> None:
    differences = await migrations.drift(edge.engine, plumbing, service.metadata)
    assert [one for one in differences if "alembic_version" not in str(one)] == []


async def test_described_facts_can_be_told_again(world: World, edge: Edge) -> None:
    before = await published(edge)
    async with edge.transaction() as tx:
        last = await republish_programs(tx, None)
        assert last == world.program_id
        assert await republish_programs(tx, last) is None
        assert await republish_funds(tx, None) is not None
    again = (await published(edge))[len(before) :]
    assert [type(event) for event in again] == [ProgramDescribed, FundDescribed, FundDescribed]
    assert {event.model_dump_json() for event in again} == {event.model_dump_json() for event in before}


async def test_a_deposit_into_an_unknown_fund_is_declined_beside_a_good_one(
    world: World, edge: Edge, assert_clean: Check
) -> None:
    commands = [
        Deposit(new_id(), Identity("test", "deposit", str(n)), fund_id, 5)
        for n, fund_id in enumerate([new_id(), world.ahead])
    ]
    async with edge.transaction() as tx:
        results = await post(tx, commands)
    assert results == [Declined("fund_not_found", 5), Deposited(commands[1].id, 5)]
    await assert_clean()
