"""Closed months and signatures in: what is captured, owed, frozen, claimed, and told."""

from datetime import date
from typing import TypeVar
from uuid import UUID

import pytest

from rig.office import Sheet
from shared.consumer import NotYet, handle
from shared.database import new_id
from shared.edge import Edge
from shared.events.enrollment import Canceled, Ended
from shared.events.envelope import Event
from shared.events.wallet import (
    ClaimOpened,
    FundsDeclined,
    ItemFrozen,
    ItemUnfrozen,
    MonthCharged,
)
from shared.telemetry import registry
from shared.testing import envelope_of, published
from wallet.domain.operations import Bounce, Command, Identity, PayOut, Settle
from wallet.main import service as wallet
from wallet.repository import views
from wallet.testing import PRICE, Check, Deliver, World, asked
from wallet.usecases.charges import read_charge
from wallet.usecases.post import post
from wallet.usecases.rules import NewRules

Told = TypeVar("Told", bound=Event)
LESSON = PRICE // 4


async def told(edge: Edge, kind: type[Told]) -> list[Told]:
    return [event for event in await published(edge) if isinstance(event, kind)]


async def items(edge: Edge) -> list[tuple[str, bool, int, int]]:
    """Stage, frozen, amount and claimed of each, in their order."""
    async with edge.transaction() as tx:
        rows = await (await tx.driver()).fetch(
            "SELECT stage, frozen, amount_tiyn, claimed_tiyn FROM payable_items ORDER BY id"
        )
        return [tuple(row) for row in rows]


async def balance(edge: Edge, kind: int) -> int:
    """Of all accounts of a kind: what is owed, or had."""
    async with edge.transaction() as tx:
        found = await (await tx.driver()).fetchval(
            "SELECT coalesce(sum(abs(credited - debited)), 0)::bigint FROM accounts WHERE kind = $1", kind
        )
        return int(found)


def mismatches() -> float:
    return registry.get_sample_value("statement_digest_mismatches_total") or 0


@pytest.fixture
async def sheet(world: World, deliver: Deliver) -> Sheet:
    """Of a month of four lessons, for which money is held."""
    await world.pay_in(world.on_hold, 10 * PRICE)
    request = asked(new_id(), new_id())
    await deliver(world.entitled(request.child_id), request)
    return Sheet(request)


async def take_to_the_bank(
    edge: Edge, sheet: Sheet, fund_id: UUID, *steps: type[PayOut | Settle | Bounce]
) -> UUID:
    """All that is due leaves in one order, and goes as far as these steps."""
    payout_id = new_id()
    async with edge.transaction() as tx:
        driver = await tx.driver()
        await driver.execute(
            "UPDATE payable_items SET stage = 'in_run', payout_id = $1 WHERE stage = 'due' AND NOT frozen",
            payout_id,
        )
    for kind in steps:
        await post_step(edge, sheet, fund_id, payout_id, kind)
    return payout_id


async def post_step(
    edge: Edge, sheet: Sheet, fund_id: UUID, payout_id: UUID, kind: type[PayOut | Settle | Bounce]
) -> None:
    names = {PayOut: "pay_out", Settle: "settle", Bounce: "bounce"}
    command: Command = kind(
        new_id(), Identity("test", names[kind], str(payout_id)), payout_id, fund_id, sheet.request.provider_id
    )
    async with edge.transaction() as tx:
        (result,) = await post(tx, [command])
        assert result[0] == command.id, result


@pytest.mark.parametrize(
    ("rule", "absent", "amount", "parts"),
    [
        ({"formula": "flat"}, 3, PRICE, [0, 0, 0, PRICE]),
        ({"formula": "threshold", "threshold_percent": 75, "below_threshold": "nothing"}, 1, PRICE, None),
        ({"formula": "threshold", "threshold_percent": 76, "below_threshold": "nothing"}, 1, 0, [0, 0, 0, 0]),
        (
            {"formula": "threshold", "threshold_percent": 76, "below_threshold": "per_lesson"},
            1,
            3 * LESSON,
            [0, LESSON, LESSON, LESSON],
        ),
    ],
)
async def test_a_month_is_charged_by_the_charge_rule_of_its_version(
    *,
    world: World,
    edge: Edge,
    deliver: Deliver,
    assert_clean: Check,
    rule: dict[str, object],
    absent: int,
    amount: int,
    parts: list[int] | None,
) -> None:
    rules = {"monthly_rate_tiyn": PRICE, "charge": rule}
    await world.change_rules(NewRules.model_validate({"valid_from": "2026-10-01", "rules": rules}))
    await world.pay_in(world.on_hold, PRICE)
    sheet = Sheet(asked(new_id(), new_id()))
    await deliver(world.entitled(sheet.request.child_id), sheet.request)
    await deliver(sheet.closed(absent=absent))
    (charged,) = await told(edge, MonthCharged)
    assert charged.amount_tiyn == amount
    async with edge.transaction() as tx:
        read = await read_charge(tx, world.people[0], sheet.request.enrollment_id, "2026-10")
    found = [one.price_tiyn for one in read.lessons]
    assert found == parts if parts else sum(found) == amount
    await assert_clean()


async def test_a_month_is_charged_by_its_lessons_and_owed_to_the_provider(
    edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(absent=1))
    (charged,) = await told(edge, MonthCharged)
    assert (charged.amount_tiyn, charged.disputed_tiyn, charged.uncovered_tiyn) == (3 * LESSON, 0, 0)
    assert [one.code for one in charged.lessons] == ["absent", "confirmed", "confirmed", "confirmed"]
    assert await items(edge) == [("charged", False, 3 * LESSON, 0)]
    assert await balance(edge, 5) == 3 * LESSON
    async with edge.transaction() as tx:
        driver = await tx.driver()
        assert await driver.fetchval("SELECT count(*) FROM holds WHERE open") == 0
        assert await driver.fetchval("SELECT due_on FROM payable_items") == date(2026, 11, 18)
    await assert_clean()


async def test_the_same_sheet_twice_and_an_older_one_change_nothing(
    edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    first, second = sheet.closed(absent=1), sheet.closed(absent=2)
    await deliver(second, second)
    await deliver(second)
    await deliver(first)
    assert [one.revision for one in await told(edge, MonthCharged)] == [2]
    assert await items(edge) == [("charged", False, 2 * LESSON, 0)]
    await assert_clean()


async def test_a_sheet_waits_for_the_request_of_its_month(edge: Edge, world: World) -> None:
    _ = world
    sheet = Sheet(asked(new_id(), new_id()))
    async with edge.transaction() as tx:
        ((_, answer),) = await handle(tx, wallet.events, [envelope_of(sheet.closed(), tx.now)])
    assert answer == NotYet("funding_requested")


async def test_a_month_without_money_costs_nothing_for_the_reason_it_was_declined(
    edge: Edge, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    sheet = Sheet(asked(new_id(), new_id()))
    await deliver(world.entitled(sheet.request.child_id), sheet.request, sheet.closed())
    (charged,) = await told(edge, MonthCharged)
    assert (charged.amount_tiyn, charged.code, charged.lessons) == (0, "no_money", ())
    await world.pay_in(world.on_hold, PRICE)
    await deliver(sheet.request.model_copy(update={"attempt": 2}), sheet.closed())
    declined = (await told(edge, FundsDeclined))[-1]
    assert (declined.attempt, declined.code) == (2, "month_closed")
    assert [one.code for one in await told(edge, MonthCharged)] == ["no_money", "no_money"]
    assert await items(edge) == []
    await assert_clean()


async def test_a_canceled_enrollment_without_any_request_costs_nothing(
    edge: Edge, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    _ = world
    sheet = Sheet(asked(new_id(), new_id()))
    about = {"child_id": sheet.request.child_id, "enrollment_id": sheet.request.enrollment_id}
    await deliver(Canceled(**about, group_id=new_id()), sheet.closed(), sheet.closed())
    assert [one.code for one in await told(edge, MonthCharged)] == ["month_closed", "month_closed"]
    await assert_clean()


async def test_a_month_after_an_end_that_clubs_heard_of_late_costs_nothing(
    edge: Edge, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    """Money was never asked for it, and never will be: its sheet must not wait for that."""
    _ = world
    sheet = Sheet(asked(new_id(), new_id()))
    about = {"child_id": sheet.request.child_id, "enrollment_id": sheet.request.enrollment_id}
    first = sheet.request.lessons[0].on
    await deliver(Ended(**about, group_id=new_id(), on=first, code="ended"), sheet.closed(), sheet.closed())
    assert [one.code for one in await told(edge, MonthCharged)] == ["month_closed", "month_closed"]
    await assert_clean()


@pytest.mark.parametrize(("decided", "lessons"), [("count", 4), ("do_not_count", 3)])
async def test_a_lesson_disputed_before_charging_stays_held_until_it_is_decided(
    *, edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check, decided: str, lessons: int
) -> None:
    await deliver(sheet.closed(disputed=1))
    (first,) = await told(edge, MonthCharged)
    assert (first.amount_tiyn, first.disputed_tiyn, first.frozen) == (3 * LESSON, LESSON, False)
    await assert_clean()
    await deliver(sheet.closed(decided=decided))
    last = (await told(edge, MonthCharged))[-1]
    assert (last.amount_tiyn, last.disputed_tiyn) == (lessons * LESSON, 0)
    assert sum(amount for _, _, amount, _ in await items(edge)) == lessons * LESSON
    assert not await told(edge, ItemFrozen)
    await assert_clean()


async def test_a_dispute_after_charging_freezes_and_only_the_decision_moves_money(
    edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(), sheet.signed())
    await deliver(sheet.closed(disputed=1))
    assert await items(edge) == [("due", True, PRICE, 0)]
    (frozen,) = await told(edge, ItemFrozen)
    assert (frozen.enrollment_id, frozen.amount_tiyn) == (sheet.request.enrollment_id, PRICE)
    assert (await told(edge, MonthCharged))[-1].frozen
    await assert_clean()
    await deliver(sheet.closed(disputed=2))
    assert len(await told(edge, ItemFrozen)) == 1
    await deliver(sheet.closed(decided="do_not_count"))
    assert await items(edge) == [("due", False, 3 * LESSON, 0)]
    (unfrozen,) = await told(edge, ItemUnfrozen)
    assert unfrozen.amount_tiyn == 3 * LESSON
    await assert_clean()


async def test_a_dispute_of_what_left_is_a_claim_told_once_and_then_clawed_back(
    edge: Edge, world: World, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(), sheet.signed())
    await take_to_the_bank(edge, sheet, world.on_hold, PayOut, Settle)
    await deliver(sheet.closed(disputed=1), sheet.closed(disputed=1))
    (claim,) = await told(edge, ClaimOpened)
    assert claim.amount_tiyn == PRICE
    await deliver(sheet.closed(decided="do_not_count"))
    assert await items(edge) == [("settled", False, PRICE, LESSON)]
    assert await balance(edge, 6) == await balance(edge, 4) == LESSON
    assert not await told(edge, ItemFrozen)
    await assert_clean()


async def test_what_was_claimed_of_an_order_that_bounces_is_given_back_instead(
    edge: Edge, world: World, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(), sheet.signed())
    payout_id = await take_to_the_bank(edge, sheet, world.on_hold, PayOut)
    await deliver(sheet.closed(decided="do_not_count"))
    assert await items(edge) == [("submitting", False, PRICE, LESSON)]
    await post_step(edge, sheet, world.on_hold, payout_id, Bounce)
    assert await items(edge) == [("due", False, 3 * LESSON, 0)]
    assert (await balance(edge, 6), await balance(edge, 4)) == (0, 0)
    assert (await balance(edge, 5), await balance(edge, 7)) == (3 * LESSON, 0)
    await assert_clean()


async def test_an_order_that_bounces_while_its_month_is_disputed_comes_back_frozen(
    edge: Edge, world: World, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(), sheet.signed())
    payout_id = await take_to_the_bank(edge, sheet, world.on_hold, PayOut)
    await deliver(sheet.closed(disputed=1))
    await post_step(edge, sheet, world.on_hold, payout_id, Bounce)
    assert await items(edge) == [("due", True, PRICE, 0)]
    await assert_clean()


@pytest.mark.parametrize("signed_first", [True, False])
async def test_what_was_charged_falls_due_by_a_signature_of_the_same_facts_whichever_came_first(
    *, edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check, signed_first: bool
) -> None:
    closed, signed = sheet.closed(), sheet.signed()
    for event in (signed, closed) if signed_first else (closed, signed):
        await deliver(event)
    assert await items(edge) == [("due", False, PRICE, 0)]
    await assert_clean()


async def test_a_later_signature_covers_what_was_charged_before_and_an_earlier_one_no_later_difference(
    edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(absent=2), sheet.signed(), sheet.closed(absent=1))
    assert [stage for stage, *_ in await items(edge)] == ["due", "charged"]
    await deliver(sheet.signed())
    assert [stage for stage, *_ in await items(edge)] == ["due", "due"]
    await assert_clean()


async def test_a_signature_of_other_facts_blocks_only_itself_and_is_reported(
    edge: Edge, sheet: Sheet, deliver: Deliver
) -> None:
    before = mismatches()
    await deliver(sheet.closed())
    line = sheet.signed().lines[0].model_copy(update={"digest": "f" * 64})
    await deliver(sheet.signed().model_copy(update={"lines": (line,)}))
    assert await items(edge) == [("charged", False, PRICE, 0)]
    assert mismatches() == before + 1


async def test_a_late_raise_is_held_and_captured_at_once_and_what_no_money_covers_is_reported(
    edge: Edge, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    await world.pay_in(world.on_hold, PRICE)
    request = asked(new_id(), new_id())
    sheet = Sheet(request)
    await deliver(world.entitled(request.child_id), request, sheet.closed(absent=3))
    other = asked(new_id(), new_id(), price=2 * LESSON)
    await deliver(world.entitled(other.child_id), other)
    await deliver(sheet.closed())
    (_, raised) = await told(edge, MonthCharged)
    assert (raised.amount_tiyn, raised.uncovered_tiyn) == (2 * LESSON, 2 * LESSON)
    assert [amount for _, _, amount, _ in await items(edge)] == [LESSON, LESSON]
    await assert_clean()
    await world.pay_in(world.on_hold, PRICE)
    await deliver(sheet.closed())
    assert (await told(edge, MonthCharged))[-1].uncovered_tiyn == 0
    await assert_clean()


async def test_an_end_after_the_charge_leaves_it_alone(
    edge: Edge, sheet: Sheet, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(sheet.closed(disputed=1))
    ended = Ended(
        child_id=sheet.request.child_id,
        enrollment_id=sheet.request.enrollment_id,
        group_id=new_id(),
        on=date(2026, 10, 6),
        code="moved",
    )
    await deliver(ended, sheet.closed(decided="count"))
    assert (await told(edge, MonthCharged))[-1].amount_tiyn == PRICE
    await assert_clean()


async def test_a_guardian_sees_what_was_charged_and_given_back_and_what_is_spent(
    edge: Edge, sheet: Sheet, deliver: Deliver
) -> None:
    await deliver(sheet.closed())
    await deliver(sheet.closed(decided="do_not_count"))
    child_id = sheet.request.child_id
    async with edge.transaction() as tx:
        found = await views.movements(tx, child_id, before=None, limit=10)
        (purse,) = await views.purses(tx, child_id)
    assert [(row["kind"], row["amount_tiyn"], row["month"]) for row in found] == [
        ("charge", -LESSON, "2026-10"),
        ("charge", PRICE, "2026-10"),
        ("hold", PRICE, "2026-10"),
    ]
    assert (purse["spent_tiyn"], purse["held_tiyn"], purse["free_tiyn"]) == (3 * LESSON, 0, 0)
