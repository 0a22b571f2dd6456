"""Two connections at once, one stopped between lock, read, write and commit: what the other then finds.

Each pair is tried both ways round, and stopped where it has only locked, and where it has written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date

import pytest

from rig.office import Sheet
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.events.enrollment import Canceled, Ended
from shared.events.wallet import ClaimOpened, ItemFrozen, MonthCharged
from shared.testing import published
from wallet.domain.operations import (
    Charge,
    Charged,
    Command,
    Declined,
    Identity,
    PaidOut,
    PayOut,
    Released,
    Result,
)
from wallet.repository.snapshots import read_snapshot
from wallet.testing import PRICE, Check, Deliver, World, asked, waits_for_a_lock
from wallet.usecases import charging, enrollments
from wallet.usecases.post import post

Two = Callable[[Command, Command], Awaitable[tuple[Result, Result]]]
STOPS = ["after_locks", "after_write"]


@pytest.fixture
async def sheet(world: World, deliver: Deliver) -> Sheet:
    """Of a month of four lessons, for which money is held."""
    await world.pay_in(world.on_hold, 10 * PRICE)
    request = asked(new_id(), new_id())
    await deliver(world.entitled(request.child_id), request)
    return Sheet(request)


@pytest.fixture(params=STOPS)
def two_at_once(edge: Edge, request: pytest.FixtureRequest) -> Two:
    """The first is stopped, the second runs into it, and waits; then the first goes on."""

    async def alone(command: Command) -> Result:
        async with edge.transaction() as tx:
            return (await post(tx, [command]))[0]

    async def run(first: Command, second: Command) -> tuple[Result, Result]:
        async with edge.transaction() as tx:
            if request.param == "after_locks":
                await read_snapshot(await tx.driver(), [first], lock=True)
                rival = asyncio.create_task(alone(second))
                await waits_for_a_lock(edge, rival)
                (mine,) = await post(tx, [first])
            else:
                (mine,) = await post(tx, [first])
                rival = asyncio.create_task(alone(second))
                await waits_for_a_lock(edge, rival)
        return mine, await rival

    return run


def charge_of(sheet: Sheet, **kinds: object) -> Charge:
    return charging.command_of(sheet.closed(**kinds))  # type: ignore[arg-type] # the sheet's own keywords


def charges(results: Sequence[Result]) -> list[int]:
    return [one.amount_tiyn for one in results if isinstance(one, Charged)]


async def owed(edge: Edge) -> list[tuple[object, ...]]:
    async with edge.transaction() as tx:
        query = "SELECT stage, frozen, amount_tiyn FROM payable_items ORDER BY id"
        return [tuple(row) for row in await (await tx.driver()).fetch(query)]


@pytest.mark.parametrize("charge_first", [True, False])
async def test_a_charge_and_a_release_never_both_have_the_money(
    *, sheet: Sheet, two_at_once: Two, assert_clean: Check, charge_first: bool
) -> None:
    about = {"child_id": sheet.request.child_id, "enrollment_id": sheet.request.enrollment_id}
    release = enrollments.command_of(Canceled(**about, group_id=new_id()))
    charge = charge_of(sheet)
    results = await two_at_once(*((charge, release) if charge_first else (release, charge)))
    assert charges(results) == [PRICE if charge_first else 0]
    assert (Released(0) in results) == charge_first
    await assert_clean()


@pytest.mark.parametrize("lower_first", [True, False])
async def test_of_two_revisions_at_once_the_later_one_stands(
    *, edge: Edge, sheet: Sheet, two_at_once: Two, assert_clean: Check, lower_first: bool
) -> None:
    second, third = charge_of(sheet, absent=2), charge_of(sheet, absent=1)
    await two_at_once(*((second, third) if lower_first else (third, second)))
    assert sum(int(str(amount)) for *_, amount in await owed(edge)) == 3 * PRICE // 4
    await assert_clean()


async def test_the_same_sheet_in_two_batches_at_once_is_charged_once(
    edge: Edge, sheet: Sheet, two_at_once: Two, assert_clean: Check
) -> None:
    closed = sheet.closed()
    mine, theirs = await two_at_once(charging.command_of(closed), charging.command_of(closed))
    assert mine == theirs
    assert await owed(edge) == [("charged", False, PRICE)]
    await assert_clean()


@pytest.mark.parametrize("end_first", [True, False])
async def test_an_end_and_the_next_months_funding_leave_nothing_held_after_the_end(
    *, edge: Edge, sheet: Sheet, two_at_once: Two, assert_clean: Check, end_first: bool
) -> None:
    about = {"child_id": sheet.request.child_id, "enrollment_id": sheet.request.enrollment_id}
    ended = Ended(**about, group_id=new_id(), on=date(2026, 11, 1), code="moved")
    end = enrollments.command_of(ended)
    next_month = enrollments.command_of(asked(about["child_id"], about["enrollment_id"], month="2026-11"))
    results = await two_at_once(*((end, next_month) if end_first else (next_month, end)))
    async with edge.transaction() as tx:
        held = await (await tx.driver()).fetch("SELECT month FROM holds WHERE open")
    assert [row["month"] for row in held] == ["2026-10"]
    assert (Declined("month_closed", 0) in results) == end_first
    await assert_clean()


@pytest.mark.parametrize("freeze_first", [True, False])
async def test_what_is_frozen_first_never_leaves_and_what_left_first_is_a_claim(
    *, edge: Edge, world: World, sheet: Sheet, deliver: Deliver, two_at_once: Two, freeze_first: bool
) -> None:
    await deliver(sheet.closed(), sheet.signed())
    payout_id = new_id()
    async with edge.transaction() as tx:
        await (await tx.driver()).execute(
            "UPDATE payable_items SET stage = 'in_run', payout_id = $1", payout_id
        )
    identity = Identity("test", "pay_out", str(payout_id))
    leave = PayOut(new_id(), identity, payout_id, world.on_hold, sheet.request.provider_id)
    freeze = charge_of(sheet, disputed=1)
    results = await two_at_once(*((freeze, leave) if freeze_first else (leave, freeze)))
    frozen = next(one for one in results if isinstance(one, Charged))
    if freeze_first:
        assert results[1] == Declined("order_is_empty", 0)
        assert [one.kind for one in frozen.changes] == ["taken_out", "frozen"]
        assert await owed(edge) == [("due", True, PRICE)]
    else:
        assert isinstance(results[0], PaidOut)
        assert [one.kind for one in frozen.changes] == ["claim_opened"]
        assert await owed(edge) == [("submitting", False, PRICE)]


@pytest.mark.parametrize("signed_first", [True, False])
async def test_a_charge_and_its_signature_at_once_make_it_due(
    *, edge: Edge, sheet: Sheet, assert_clean: Check, signed_first: bool
) -> None:
    closed, signed = sheet.closed(), sheet.signed()

    async def charge(tx: Transaction) -> None:
        await charging.charge_months([(tx, closed)])

    async def sign(tx: Transaction) -> None:
        await charging.sign_revisions(tx, [signed])

    async def alone(do: Callable[[Transaction], Awaitable[None]]) -> None:
        async with edge.transaction() as tx:
            await do(tx)

    first, second = (sign, charge) if signed_first else (charge, sign)
    async with edge.transaction() as tx:
        await first(tx)
        rival = asyncio.create_task(alone(second))
        await waits_for_a_lock(edge, rival)
    await rival
    assert await owed(edge) == [("due", False, PRICE)]
    assert [type(one) for one in await published(edge)].count(MonthCharged) == 1
    await assert_clean()


async def test_many_sheets_of_many_batches_at_once_are_each_charged_once(
    edge: Edge, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, 100 * PRICE)
    provider_id = new_id()
    sheets = [
        Sheet(asked(new_id(), new_id()).model_copy(update={"provider_id": provider_id})) for _ in range(12)
    ]
    await deliver(*(world.entitled(one.request.child_id) for one in sheets), *(one.request for one in sheets))
    closed = [one.closed() for one in sheets]
    disputed = [one.closed(disputed=1) for one in sheets]

    async def charge_all(order: int) -> None:
        told = [*closed[order:], *closed[:order], *disputed[order:], *disputed[:order]]
        async with edge.transaction() as tx:
            await charging.charge_months([(tx, one) for one in told])

    await asyncio.gather(*(charge_all(order) for order in range(4)))
    assert await owed(edge) == [("charged", True, PRICE)] * 12
    kinds = [type(one) for one in await published(edge)]
    assert (kinds.count(MonthCharged), kinds.count(ItemFrozen), kinds.count(ClaimOpened)) == (24, 12, 0)
    await assert_clean()
