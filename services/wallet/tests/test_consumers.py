"""Each event in, and the events that come out."""

from datetime import date
from uuid import UUID

import pytest

from shared.consumer import Dropped
from shared.database import new_id
from shared.edge import Edge
from shared.events.clubs import GroupDescribed, Names
from shared.events.enrollment import (
    Canceled,
    ChildDescribed,
    Ended,
    FundingRequested,
    GrantDescribed,
    Rejected,
)
from shared.events.wallet import FundsDeclined, FundsHeld
from shared.security import principal_of
from shared.testing import published
from wallet import consumers
from wallet.testing import Check, Deliver, World, asked


async def answers(edge: Edge) -> list[FundsHeld | FundsDeclined]:
    return [event for event in await published(edge) if isinstance(event, FundsHeld | FundsDeclined)]


@pytest.fixture
async def child_id(world: World, deliver: Deliver) -> UUID:
    """An entitled child; the `on_hold` fund has money for two months of one club."""
    child = new_id()
    await world.pay_in(world.on_hold, 2 * 1_875_000)
    await deliver(world.entitled(child))
    return child


async def test_a_request_is_answered_by_held_funds(
    edge: Edge, child_id: UUID, deliver: Deliver, assert_clean: Check
) -> None:
    enrollment_id = new_id()
    await deliver(asked(child_id, enrollment_id))
    (held,) = await answers(edge)
    assert isinstance(held, FundsHeld)
    assert (held.enrollment_id, held.month, held.attempt) == (enrollment_id, "2026-10", 1)
    assert held.amount_tiyn == 1_875_000 == sum(layer.amount_tiyn for layer in held.layers)
    await assert_clean()


async def test_the_same_request_gets_the_same_answer_and_holds_once(
    edge: Edge, child_id: UUID, deliver: Deliver, assert_clean: Check
) -> None:
    request = asked(child_id, new_id())
    await deliver(request, request)
    await deliver(request)
    first, *again = await answers(edge)
    assert isinstance(first, FundsHeld)
    assert again == [first, first]
    await assert_clean()


async def test_a_child_without_entitlement_is_declined_not_made_to_wait(
    edge: Edge, child_id: UUID, deliver: Deliver
) -> None:
    _ = child_id
    await deliver(asked(new_id(), new_id()))
    (declined,) = await answers(edge)
    assert isinstance(declined, FundsDeclined)
    assert (declined.code, declined.missing_tiyn) == ("not_entitled", 1_875_000)


async def test_a_new_attempt_is_judged_afresh(
    edge: Edge,
    world: World,
    deliver: Deliver,
) -> None:
    child, enrollment_id = new_id(), new_id()
    await deliver(world.entitled(child), asked(child, enrollment_id))
    await world.pay_in(world.on_hold, 1_875_000)
    await deliver(asked(child, enrollment_id, attempt=2))
    declined, held = await answers(edge)
    assert isinstance(declined, FundsDeclined)
    assert (declined.code, declined.missing_tiyn) == ("no_money", 1_875_000)
    assert isinstance(held, FundsHeld)


@pytest.mark.parametrize("kind", ["canceled", "rejected"])
async def test_a_request_and_its_cancellation_in_one_chunk_leave_nothing_held(
    *, edge: Edge, child_id: UUID, deliver: Deliver, assert_clean: Check, kind: str
) -> None:
    enrollment_id, group_id = new_id(), new_id()
    gone = (
        Canceled(child_id=child_id, enrollment_id=enrollment_id, group_id=group_id)
        if kind == "canceled"
        else Rejected(child_id=child_id, enrollment_id=enrollment_id, group_id=group_id, code="seat_taken")
    )
    await deliver(asked(child_id, enrollment_id), gone, asked(child_id, enrollment_id, attempt=2))
    held, declined = await answers(edge)
    assert isinstance(held, FundsHeld)
    assert isinstance(declined, FundsDeclined)
    assert declined.code == "month_closed"
    async with edge.transaction() as tx:
        driver = await tx.driver()
        assert await driver.fetchval("SELECT sum(held) FROM accounts") == 0
        assert await driver.fetchval("SELECT count(*) FROM holds WHERE open") == 0
    await assert_clean()


async def test_an_end_keeps_what_lessons_before_it_can_cost_now_and_later(
    edge: Edge, child_id: UUID, deliver: Deliver, assert_clean: Check
) -> None:
    enrollment_id = new_id()
    ended = Ended(
        child_id=child_id, enrollment_id=enrollment_id, group_id=new_id(), on=date(2026, 10, 19), code="moved"
    )
    await deliver(asked(child_id, enrollment_id), ended)
    async with edge.transaction() as tx:
        assert await (await tx.driver()).fetchval("SELECT sum(held) FROM accounts") == 1_875_000 * 2 // 4
    await deliver(asked(child_id, enrollment_id, month="2026-11"))
    assert [type(answer) for answer in await answers(edge)] == [FundsHeld, FundsDeclined]
    await assert_clean()


async def test_dropping_a_request_emits_its_refusal_from_the_headers(edge: Edge) -> None:
    child_id, enrollment_id = new_id(), new_id()
    async with edge.transaction() as tx:
        dropped = Dropped(FundingRequested.type, f"{enrollment_id}/2026-10/3", str(child_id))
        await consumers.refuse_funding(tx, dropped)
    (declined,) = await answers(edge)
    assert declined == FundsDeclined(
        child_id=child_id,
        enrollment_id=enrollment_id,
        month="2026-10",
        attempt=3,
        code="request_unreadable",
        missing_tiyn=0,
    )


async def test_an_entitlement_may_come_before_its_program(
    edge: Edge,
    world: World,
    deliver: Deliver,
) -> None:
    child = new_id()
    unknown = world.entitled(child).model_copy(update={"program_id": new_id()})
    await deliver(unknown, asked(child, new_id()))
    (declined,) = await answers(edge)
    assert isinstance(declined, FundsDeclined)
    assert declined.code == "program_not_running"


async def test_an_older_state_never_replaces_a_newer_one(edge: Edge, deliver: Deliver) -> None:
    group = GroupDescribed(
        group_id=new_id(),
        version=2,
        club_id=new_id(),
        provider_id=new_id(),
        name=Names(kk="Топ", ru="Группа", en="Group"),
        direction="chess",
        price_tiyn=2,
        capacity=1,
        age_from=7,
        age_to=11,
        schedule=(),
        coaches=(),
        starts_on=date(2026, 9, 1),
        ends_on=date(2026, 12, 31),
    )
    await deliver(group, group.model_copy(update={"version": 1, "price_tiyn": 1}))
    async with edge.transaction() as tx:
        assert await (await tx.driver()).fetchval("SELECT price_tiyn FROM groups") == 2


async def test_guardians_and_administrators_are_known_from_events(edge: Edge, deliver: Deliver) -> None:
    child_id, guardian, administrator, region = new_id(), new_id(), new_id(), new_id()
    await deliver(
        ChildDescribed(child_id=child_id, version=1, guardians=(guardian,)),
        GrantDescribed(
            grant_id=new_id(),
            version=1,
            person_id=administrator,
            role="administrator",
            scope_kind="region",
            scope_id=region,
        ),
    )
    async with edge.transaction() as tx:
        assert (await principal_of(tx, guardian)).scopes("guardian") == {child_id}
        assert (await principal_of(tx, administrator)).scopes("administrator") == {region}


async def test_lessons_that_cost_less_than_a_tiyn_are_declined_not_held_by_nobody(
    edge: Edge, child_id: UUID, deliver: Deliver, assert_clean: Check
) -> None:
    await deliver(asked(child_id, new_id(), price=3).model_copy(update={"covers_from": date(2026, 10, 20)}))
    (declined,) = await answers(edge)
    assert isinstance(declined, FundsDeclined)
    assert (declined.code, declined.missing_tiyn) == ("month_closed", 0)
    await assert_clean()


@pytest.mark.parametrize("event", [Canceled, Rejected, Ended])
def test_one_person_alone_gives_up_nothing_that_frees_money(
    event: type[Canceled] | type[Rejected] | type[Ended],
) -> None:
    """Nobody answers for it when it is dropped: what it would have freed stays held."""
    assert event.type not in consumers.router.drops
    assert event.about_money
