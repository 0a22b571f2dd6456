"""Funding runs: everybody once, nobody twice, the left-out with reasons; stopped anywhere, they go on."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from shared.database import new_id
from shared.edge import Edge
from shared.errors import ConflictError, InvalidError
from shared.events.wallet import ChildrenFunded
from shared.testing import Database, published
from shared.texts import LANGUAGES, Texts
from wallet.domain.allotting import Entitled, LeftOut, judge, months_to_allot
from wallet.repository.runs import LeftOutChild, Run
from wallet.testing import Check, Deliver, World, waits_for_a_lock
from wallet.usecases import runs
from wallet.usecases.runs import Asked, Chunk

MONTHLY = 1_000_000
FIRST, LAST = date(2026, 9, 1), date(2026, 10, 31)


async def advance(edge: Edge) -> Chunk | None:
    async with edge.transaction() as tx:
        return await runs.advance_run(tx)


async def left_out(world: World, run: Run) -> list[LeftOutChild]:
    """By pages."""
    found: list[LeftOutChild] = []
    async with world.edge.transaction() as tx:
        while True:
            after = (found[-1].code, found[-1].child_id) if found else None
            page = await runs.list_left_out(tx, world.people[0], run.id, code=None, after=after, limit=100)
            if not page:
                return found
            found += page


@pytest.mark.parametrize(
    ("first", "last", "allotted_until", "months"),
    [
        (date(2026, 9, 7), date(2026, 9, 30), None, 1),
        (date(2026, 9, 30), date(2026, 10, 1), None, 2),
        (date(2026, 9, 19), date(2026, 10, 31), date(2026, 9, 30), 1),
        (date(2026, 9, 19), date(2026, 10, 31), date(2026, 8, 31), 2),
        (date(2026, 9, 19), date(2026, 10, 31), date(2026, 10, 15), 0),
        (date(2026, 9, 19), date(2026, 10, 31), date(2026, 12, 31), 0),
        (date(2026, 12, 7), date(2027, 1, 15), date(2026, 12, 31), 1),
    ],
)
def test_a_month_that_an_allotment_reaches_into_is_paid(
    first: date, last: date, allotted_until: date | None, months: int
) -> None:
    assert months_to_allot(first, last, allotted_until) == months


@pytest.mark.parametrize(
    ("child", "verdict"),
    [
        (Entitled(new_id(), 100, FIRST, LAST, False, None), 2 * MONTHLY),  # noqa: FBT003 - a row
        (Entitled(new_id(), 150, LAST, LAST, True, None), 1_500_000),  # noqa: FBT003 - a row
        (Entitled(new_id(), None, None, None, True, None), LeftOut.ENTITLEMENT_NOT_BEGUN),  # noqa: FBT003 - a row
        (Entitled(new_id(), None, None, None, False, None), LeftOut.ENTITLEMENT_ENDED),  # noqa: FBT003 - a row
        (Entitled(new_id(), 100, FIRST, LAST, False, LAST), LeftOut.ALREADY_ALLOTTED),  # noqa: FBT003 - a row
    ],
)
def test_a_child_gets_its_months_or_the_reason_why_not(child: Entitled, verdict: int | LeftOut) -> None:
    assert judge(child, FIRST, LAST, MONTHLY) == verdict


@pytest.mark.parametrize("code", LeftOut)
def test_every_reason_is_said_in_each_language(code: LeftOut) -> None:
    told = {Texts.of("wallet").translate(language, code) for language in LANGUAGES}
    assert len(told) == len(LANGUAGES)
    assert code not in told


async def test_a_funding_run_reaches_every_entitled_child_in_records_of_500_and_a_second_run_nobody(
    world: World, edge: Edge, assert_clean: Check
) -> None:
    children = await world.entitle(1_234)
    await world.pay_in(world.ahead, 1_200 * 2 * MONTHLY + 5)
    rehearsed = await world.run_funding(dry_run=True)
    first = await world.run_funding()
    assert (first.children, first.reached, first.funded, first.left_out) == (
        1_234,
        1_234,
        1_200,
        {"no_money": 34},
    )
    assert (first.allotted_tiyn, first.declined_tiyn) == (1_200 * 2 * MONTHLY, 34 * 2 * MONTHLY)
    assert first.missing_tiyn == 34 * 2 * MONTHLY - 5  # what is left over counts once, not for each of them
    assert await left_out(world, first) == [
        LeftOutChild(child_id, LeftOut.NO_MONEY, 2 * MONTHLY) for child_id in children[1_200:]
    ]
    for figure in ("children", "funded", "left_out", "allotted_tiyn", "declined_tiyn", "missing_tiyn"):
        assert getattr(rehearsed, figure) == getattr(first, figure)
    records = [event for event in await published(edge) if isinstance(event, ChildrenFunded)]
    assert [len(record.child_ids) for record in records] == [500, 500, 200]
    assert sorted(child_id for record in records for child_id in record.child_ids) == children[:1_200]

    await world.pay_in(world.ahead, 34 * 2 * MONTHLY)
    second = await world.run_funding()
    assert (second.funded, second.left_out) == (34, {"already_allotted": 1_200})
    assert [(one.child_id, one.code) for one in await left_out(world, second)] == [
        (child_id, LeftOut.ALREADY_ALLOTTED) for child_id in children[:1_200]
    ]
    await assert_clean()


async def test_a_dry_run_changes_nothing_but_its_own_figures(
    world: World, deliver: Deliver, database: Database
) -> None:
    poor = new_id()
    await deliver(
        world.entitled(new_id()), world.entitled(poor), world.entitled(new_id(), until=FIRST - timedelta(1))
    )
    await world.pay_in(world.ahead, 2 * MONTHLY)
    connection = await asyncpg.connect(database.superuser_url)
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'wallet'"
        " AND tablename NOT IN ('funding_runs', 'audit_entries')"
    )
    query = " UNION ALL ".join(
        f"SELECT '{name}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM wallet.{name} t"  # noqa: S608 - names of the catalog
        for (name,) in tables
    )
    try:
        before = [tuple(row) for row in await connection.fetch(query)]
        run = await world.run_funding(dry_run=True)
        assert [tuple(row) for row in await connection.fetch(query)] == before
    finally:
        await connection.close()
    assert (run.funded, run.left_out) == (1, {"no_money": 1, "entitlement_ended": 1})
    assert await left_out(world, run) == []


async def test_a_run_says_of_each_child_of_the_program_why_it_was_left_out(
    world: World, deliver: Deliver, assert_clean: Check
) -> None:
    funded, paid, ended, later, twice = (new_id() for _ in range(5))
    await deliver(world.entitled(paid))
    await world.pay_in(world.ahead, 100 * MONTHLY)
    await world.run_funding()
    await deliver(
        world.entitled(funded),
        world.entitled(ended, until=date(2026, 8, 31)),
        world.entitled(later, starts_on=date(2026, 11, 1)),
        world.entitled(twice, until=date(2026, 8, 31)),
        world.entitled(twice, starts_on=date(2026, 10, 1)),
    )
    run = await world.run_funding()
    assert {(one.child_id, one.code) for one in await left_out(world, run)} == {
        (paid, LeftOut.ALREADY_ALLOTTED),
        (ended, LeftOut.ENTITLEMENT_ENDED),
        (later, LeftOut.ENTITLEMENT_NOT_BEGUN),
    }
    assert (run.children, run.funded, run.allotted_tiyn) == (5, 2, 3 * MONTHLY)
    await assert_clean()


async def test_the_report_of_a_run_cannot_be_changed(
    world: World, deliver: Deliver, database: Database
) -> None:
    await deliver(world.entitled(new_id(), until=date(2026, 8, 31)))
    await world.run_funding()
    for role in ("wallet", "wallet_owner"):
        connection = await asyncpg.connect(database.url(role))
        try:
            for change in ("UPDATE {} SET code = code", "DELETE FROM {}", "TRUNCATE {}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(change.format("wallet.funding_run_left_out"))
        finally:
            await connection.close()


async def test_a_month_is_allotted_once_by_whichever_run_reaches_it_first(
    world: World, deliver: Deliver, assert_clean: Check
) -> None:
    old, new, leaving = (new_id() for _ in range(3))
    await deliver(world.entitled(old))
    await world.pay_in(world.ahead, 100_000_000)
    first = await world.run_funding(date(2026, 9, 30))
    amounts = [(first.allotted_tiyn, first.left_out)]
    await deliver(world.entitled(new), world.entitled(leaving, until=date(2026, 10, 5)))
    for until in (date(2026, 11, 30), date(2026, 10, 31)):
        rehearsed = await world.run_funding(until, dry_run=True)
        run = await world.run_funding(until)
        assert (rehearsed.allotted_tiyn, rehearsed.left_out) == (run.allotted_tiyn, run.left_out)
        amounts.append((run.allotted_tiyn, run.left_out))
    of_old, of_new, of_leaving = 2, 3, 2
    assert amounts == [
        (1_000_000, {}),
        ((of_old + of_new + of_leaving) * 1_000_000, {}),
        (0, {"already_allotted": 3}),
    ]
    await assert_clean()


async def test_two_workers_at_two_runs_allot_no_month_twice(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(world.entitled(new_id()))
    await world.pay_in(world.ahead, 100_000_000)
    first = await world.start_funding(date(2026, 9, 30))
    second = await world.start_funding(date(2026, 10, 31))
    await advance(edge)  # counts

    async def other_worker() -> None:
        while (await world.funding(second)).state != "done":
            await advance(edge)

    async with edge.transaction() as tx:
        assert await runs.advance_run(tx)
        other = asyncio.create_task(other_worker())
        await waits_for_a_lock(edge, other)
    await other
    ended = [await world.funding(run_id) for run_id in (first, second)]
    assert [run.allotted_tiyn for run in ended] == [1_000_000, 1_000_000]
    await assert_clean()


async def test_a_run_resumed_while_another_of_the_fund_goes_on_waits_for_its_chunk(
    world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(world.entitled(new_id()))
    await world.pay_in(world.ahead, 100_000_000)
    first = await world.start_funding(date(2026, 9, 30))
    second = await world.start_funding(date(2026, 10, 31))
    await advance(edge)  # counts for the first
    async with edge.transaction() as tx:
        await runs.pause_run(tx, world.people[0], first)
    await advance(edge)  # counts for the second, as the first rests
    async with edge.transaction() as tx:
        assert await runs.advance_run(tx)
        async with edge.transaction() as meanwhile:
            await runs.resume_run(meanwhile, world.people[0], first)
        rival = asyncio.create_task(advance(edge))
        await waits_for_a_lock(edge, rival)
    await rival
    ended = [await world.funding(run_id) for run_id in (first, second)]
    assert [run.allotted_tiyn for run in ended] == [0, 2 * MONTHLY]
    assert [run.state for run in ended] == ["done", "done"]
    await assert_clean()


async def test_a_run_that_dies_in_a_chunk_goes_on_where_it_committed(
    world: World, edge: Edge, assert_clean: Check
) -> None:
    await world.entitle(1_300)
    await world.pay_in(world.ahead, 1_300 * 2_000_000)
    run_id = await world.start_funding()

    async def die() -> None:
        async with edge.transaction() as tx:
            assert await runs.advance_run(tx)
            raise ConnectionError

    for _ in range(2):
        await advance(edge)
        with pytest.raises(ConnectionError):
            await die()
    await advance(edge)
    run = await world.funding(run_id)
    assert (run.state, run.funded) == ("done", 1_300)
    assert len([event for event in await published(edge) if isinstance(event, ChildrenFunded)]) == 3
    await assert_clean()


async def test_a_paused_run_rests_until_it_is_resumed_and_then_ends_with_everybody_once(
    world: World, edge: Edge, assert_clean: Check
) -> None:
    await world.entitle(1_100)
    await world.pay_in(world.ahead, 1_100 * 2_000_000)
    run_id = await world.start_funding()
    for _ in range(2):
        await advance(edge)
    for _ in range(2):  # twice is as once
        async with edge.transaction() as tx:
            await runs.pause_run(tx, world.people[0], run_id)
    assert await advance(edge) is None
    rests = await world.funding(run_id)
    assert (rests.state, rests.reached, rests.children) == ("paused", 1_000, 1_100)
    async with edge.transaction() as tx:
        await runs.resume_run(tx, world.people[1], run_id)
    while await advance(edge):
        pass
    run = await world.funding(run_id)
    assert (run.state, run.funded, run.left_out) == ("done", 1_100, {})
    for change in (runs.pause_run, runs.resume_run):
        with pytest.raises(ConflictError, match="run_is_done"):
            async with edge.transaction() as tx:
                await change(tx, world.people[0], run_id)
    await assert_clean()


async def test_a_run_waits_while_too_many_events_wait_to_be_sent(
    world: World, edge: Edge, database: Database
) -> None:
    await world.entitle(2_100)
    await world.pay_in(world.ahead, 2_100 * 2_000_000)
    run_id = await world.start_funding()
    await advance(edge)
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute("DELETE FROM wallet.outbox")
        fill = (
            "INSERT INTO wallet.outbox (topic, key, headers, value)"
            " SELECT 'wallet.events', '1', '{}', '' FROM generate_series(1, $1)"
        )
        await connection.execute(fill, runs.OUTBOX_ROWS_MAX)
        assert await advance(edge) == Chunk(1_000)  # as many as may be, and then those of one chunk more
        assert await advance(edge) == Chunk(0)
        assert (await world.funding(run_id)).reached == 1_000
        await connection.execute(
            "DELETE FROM wallet.outbox WHERE id <= (SELECT min(id) + 1 FROM wallet.outbox)"
        )
        assert await advance(edge) == Chunk(1_000)
        await connection.execute(fill, 10 * runs.OUTBOX_ROWS_MAX)
        assert await advance(edge) == Chunk(0)
    finally:
        await connection.close()


async def test_a_run_keeps_the_pace_it_was_given(world: World, edge: Edge, database: Database) -> None:
    await world.entitle(600)
    await world.pay_in(world.ahead, 600 * 2_000_000)
    async with edge.transaction() as tx:
        run_id = await runs.start_run(
            tx, world.people[0], Asked(world.ahead, LAST, children_per_second=1_000)
        )
    job = asyncio.create_task(runs.fund_children(edge, database.settings("wallet")))
    started = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(60):
            while (await world.funding(run_id)).state != "done":  # noqa: ASYNC110 - a row tells it
                await asyncio.sleep(0.05)
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    assert asyncio.get_running_loop().time() - started >= 0.45
    run = await world.funding(run_id)
    assert run.rate is not None
    assert run.rate <= 600 / 0.45


async def test_a_run_is_refused_for_a_fund_that_is_drawn_or_a_day_beyond_it(world: World, edge: Edge) -> None:
    wrong: list[tuple[UUID, date]] = [
        (world.on_hold, date(2026, 10, 31)),
        (world.ahead, date(2027, 6, 1)),
        (world.ahead, date(2026, 8, 31)),
    ]
    for fund_id, until in wrong:
        with pytest.raises(InvalidError):
            async with edge.transaction() as tx:
                await runs.start_run(tx, world.people[0], Asked(fund_id, until))
