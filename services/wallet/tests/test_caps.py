"""Caps over all enrollments of a child, on real PostgreSQL: what closed holds have paid counts too."""

import asyncio

import pytest

from rig.office import Sheet
from shared.database import new_id
from shared.edge import Edge
from shared.events.enrollment import Canceled
from shared.events.wallet import FundsDeclined, FundsHeld
from shared.testing import published
from wallet.domain.operations import Declined, Held
from wallet.testing import PRICE, Check, Deliver, World, asked, waits_for_a_lock
from wallet.usecases.enrollments import command_of
from wallet.usecases.post import post
from wallet.usecases.rules import NewRules

LESSON = PRICE // 4


async def cap(world: World, **caps: int) -> None:
    """From October on."""
    rules = {"monthly_rate_tiyn": PRICE, "clubs_per_child_max": 10, **caps}
    await world.change_rules(NewRules.model_validate({"valid_from": "2026-10-01", "rules": rules}))
    await world.pay_in(world.on_hold, 100 * PRICE)


async def answers(edge: Edge) -> list[tuple[str, str | None, int]]:
    """The month of each request, why it was declined, and what it lacked."""
    found = [event for event in await published(edge) if isinstance(event, FundsHeld | FundsDeclined)]
    return [
        (one.month, one.code, one.missing_tiyn) if isinstance(one, FundsDeclined) else (one.month, None, 0)
        for one in found
    ]


@pytest.mark.parametrize(
    ("caps", "code"),
    [
        ({"month_cap_tiyn": PRICE + LESSON}, "over_month_cap"),
        ({"year_cap_tiyn": PRICE + LESSON}, "over_year_cap"),
    ],
)
async def test_what_was_charged_counts_and_what_came_back_does_not(
    *, world: World, edge: Edge, deliver: Deliver, assert_clean: Check, caps: dict[str, int], code: str
) -> None:
    await cap(world, **caps)
    child_id = new_id()
    sheet = Sheet(asked(child_id, new_id()))
    await deliver(world.entitled(child_id), sheet.request)
    await deliver(asked(child_id, new_id(), price=PRICE))
    await deliver(sheet.closed(absent=1))  # three lessons are paid: the hold is closed
    await deliver(asked(child_id, new_id(), price=2 * LESSON + 1))
    other = asked(child_id, new_id(), price=2 * LESSON)
    await deliver(other)
    await deliver(asked(child_id, new_id(), price=1))
    await deliver(Canceled(child_id=child_id, enrollment_id=other.enrollment_id, group_id=other.group_id))
    await deliver(asked(child_id, new_id(), price=1))
    assert await answers(edge) == [
        ("2026-10", None, 0),
        ("2026-10", code, PRICE - LESSON),
        ("2026-10", code, 1),
        ("2026-10", None, 0),
        ("2026-10", code, 1),
        ("2026-10", None, 0),
    ]
    await assert_clean()


async def test_a_year_goes_over_its_months_and_a_new_one_begins_anew(
    *, world: World, edge: Edge, deliver: Deliver
) -> None:
    await cap(world, year_cap_tiyn=2 * PRICE)
    child_id, enrollment_id = new_id(), new_id()
    await deliver(world.entitled(child_id))
    for month in ("2026-10", "2026-11", "2026-12", "2027-01"):
        await deliver(asked(child_id, enrollment_id, month=month))
    assert await answers(edge) == [
        ("2026-10", None, 0),
        ("2026-11", None, 0),
        ("2026-12", "over_year_cap", PRICE),
        ("2027-01", None, 0),
    ]


async def test_of_two_clubs_at_once_and_a_cap_for_one_exactly_one_is_paid(
    *, world: World, edge: Edge, deliver: Deliver, assert_clean: Check
) -> None:
    await cap(world, month_cap_tiyn=PRICE)
    child_id = new_id()
    await deliver(world.entitled(child_id))

    async def hold() -> object:
        async with edge.transaction() as tx:
            return (await post(tx, [command_of(asked(child_id, new_id()))]))[0]

    async with edge.transaction() as tx:
        (mine,) = await post(tx, [command_of(asked(child_id, new_id()))])
        rival = asyncio.create_task(hold())
        await waits_for_a_lock(edge, rival)
    assert isinstance(mine, Held)
    assert await rival == Declined("over_month_cap", PRICE)
    await assert_clean()
