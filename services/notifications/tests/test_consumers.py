"""Each event in, messages out: to all guardians, once, in an order that makes sense."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from notifications.domain.kinds import Kind
from notifications.repository import messages
from notifications.repository.messages import Message
from notifications.tables import messages as table
from notifications.testing import (
    NOON,
    Family,
    about,
    charged,
    confirmed,
    decided,
    disputed,
    held,
    item,
    payout,
    queued,
    staff,
    unfunded,
)
from shared.consumer import NotYet
from shared.database import new_id
from shared.edge import Edge
from shared.events.clubs import SeatOffered, SeatRefused
from shared.events.enrollment import Canceled, Ended, GrantDescribed, Rejected
from shared.events.envelope import Event
from shared.events.wallet import (
    ClaimOpened,
    ItemFrozen,
    PayoutBounced,
    PayoutSent,
    PayoutSettled,
)
from shared.security import principal_of
from shared.testing import envelope_of

Take = Callable[..., Awaitable[list[NotYet]]]


@pytest.fixture
def inbox(edge: Edge) -> Callable[[UUID], Awaitable[list[Message]]]:
    """What a person was told of enrollments, the first first."""

    async def read(person_id: UUID) -> list[Message]:
        async with edge.transaction() as tx:
            told = await messages.since(tx, person_id, number=0, limit=1000)
        assert [one.number for one in told] == sorted({one.number for one in told})
        return [one for one in told if one.kind is not Kind.LINK_VERIFIED]

    return read


Inbox = Callable[[UUID], Awaitable[list[Message]]]


async def test_each_new_guardian_is_told_of_the_verified_link_once(
    take: Take, family: Family, edge: Edge
) -> None:
    third = new_id()
    await take(family.child_described(version=1))  # republished: the same state under another id
    await take(family.child_described(*family.guardians, third, version=2))
    await take(family.child_described(*family.guardians, version=1))  # late
    async with edge.transaction() as tx:
        rows = await tx.execute(sa.select(table.c.person_id).where(table.c.kind == "link_verified"))
        assert sorted(rows.scalars()) == sorted([*family.guardians, third])


Case = tuple[Callable[[Family], Event], Kind, dict[str, Any]]
CASES: list[Case] = [
    (lambda f: queued(f, 1), Kind.SEAT_NEXT, {}),
    (lambda f: queued(f, 3), Kind.SEAT_QUEUED, {"ahead": 2}),
    (
        lambda f: SeatOffered(
            **about(f),
            attempt=1,
            offer_id=new_id(),
            starts_on=date(2026, 10, 1),
            until=datetime(2026, 9, 9, 7, tzinfo=UTC),
        ),
        Kind.SEAT_OFFERED,
        {"starts_on": "2026-10-01", "until": "2026-09-09T07:00:00+00:00"},
    ),
    (
        lambda f: SeatRefused(**about(f), attempt=1, code="group_closed"),
        Kind.REJECTED,
        {"code": "group_closed"},
    ),
    (lambda f: Rejected(**about(f), code="too_old"), Kind.REJECTED, {"code": "too_old"}),
    (
        lambda f: Rejected(**about(f), code="no_money", missing_tiyn=450_000),
        Kind.REJECTED_SHORT,
        {"code": "no_money", "missing_tiyn": 450_000},
    ),
    (confirmed, Kind.CONFIRMED, {"starts_on": "2026-09-10", "month": "2026-09"}),
    (lambda f: Canceled(**about(f)), Kind.CANCELED, {}),
    (
        lambda f: Ended(**about(f), on=date(2026, 10, 1), code="moved"),
        Kind.ENDED,
        {"on": "2026-10-01", "ended_code": "moved"},
    ),
    (
        unfunded,
        Kind.MONTH_UNFUNDED,
        {"month": "2026-10", "missing_tiyn": 50_000, "grace_ends_on": "2026-10-10"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]}")
async def test_an_event_becomes_a_message_to_every_guardian(
    take: Take, family: Family, inbox: Inbox, case: Case
) -> None:
    event, kind, values = case
    assert await take(event(family)) == []
    for guardian in family.guardians:
        (told,) = await inbox(guardian)
        assert told.kind is kind
        assert told.child_id == family.child_id
        assert told.enrollment_id == family.enrollment_id
        names = {"kk": "Робототехника тобы", "ru": "Группа робототехники", "en": "Robotics"}
        assert told.content == values | {"group": names}


async def test_the_same_event_twice_is_one_message(take: Take, family: Family, inbox: Inbox) -> None:
    once = envelope_of(queued(family, 2), NOON)
    await take(once, once)
    await take(once)
    assert len(await inbox(family.guardians[0])) == 1


async def test_the_last_word_of_two_topics_is_the_later_one_in_whatever_order_they_come(
    take: Take, family: Family, inbox: Inbox
) -> None:
    first, second = envelope_of(queued(family, 2), NOON), envelope_of(Canceled(**about(family)), NOON)
    later = second.time + timedelta(seconds=1)
    await take(envelope_of(Canceled(**about(family)), later), first)
    assert [one.kind for one in await inbox(family.guardians[0])] == [Kind.CANCELED]


async def test_a_refusal_by_clubs_and_the_rejection_after_it_are_one_message(
    take: Take, family: Family, inbox: Inbox
) -> None:
    await take(SeatRefused(**about(family), attempt=1, code="group_closed"))
    await take(Rejected(**about(family), code="group_closed"))
    assert [one.kind for one in await inbox(family.guardians[0])] == [Kind.REJECTED]


async def test_leaving_the_queue_is_told_as_canceled_only(take: Take, family: Family, inbox: Inbox) -> None:
    await take(SeatRefused(**about(family), attempt=1, code="queue_left"), Canceled(**about(family)))
    assert [one.kind for one in await inbox(family.guardians[0])] == [Kind.CANCELED]


async def test_money_for_a_month_is_told_only_after_it_was_missing(
    take: Take, family: Family, inbox: Inbox
) -> None:
    await take(confirmed(family), held(family))
    assert [one.kind for one in await inbox(family.guardians[0])] == [Kind.CONFIRMED]
    start = envelope_of(unfunded(family), NOON).time
    minute = timedelta(minutes=1)
    again = [
        envelope_of(unfunded(family), start + minute),
        envelope_of(unfunded(family), start + 2 * minute),
        envelope_of(unfunded(family, 20_000), start + 3 * minute),
        envelope_of(held(family), start + 4 * minute),
    ]
    await take(*again)
    kinds = [one.kind for one in await inbox(family.guardians[0])]
    assert kinds == [Kind.CONFIRMED, Kind.MONTH_UNFUNDED, Kind.MONTH_UNFUNDED, Kind.MONTH_FUNDED]


async def test_money_that_came_before_its_lack_was_heard_of_silences_the_lack(
    take: Take, family: Family, inbox: Inbox
) -> None:
    lacking = envelope_of(unfunded(family), NOON)
    await take(envelope_of(held(family), lacking.time + timedelta(minutes=1)))
    await take(lacking)
    assert await inbox(family.guardians[0]) == []


async def test_news_of_a_child_that_nobody_described_waits_and_leaves_no_trace(
    take: Take, family: Family, edge: Edge
) -> None:
    stranger = Family(group_id=family.group_id)
    assert await take(confirmed(family), confirmed(stranger)) == [NotYet("child_described")]
    async with edge.transaction() as tx:
        rows = await tx.execute(sa.select(sa.func.count()).where(table.c.kind == "confirmed"))
        assert rows.scalar_one() == 0
    await take(stranger.child_described())
    assert await take(confirmed(family), confirmed(stranger)) == []


async def test_news_of_a_group_without_a_name_waits(take: Take, family: Family) -> None:
    nameless = Family(child_id=family.child_id)
    assert await take(confirmed(nameless)) == [NotYet("group_described")]
    await take(nameless.group_described())
    assert await take(confirmed(nameless)) == []


async def test_a_month_of_a_child_that_nobody_described_waits_for_it_too(take: Take, family: Family) -> None:
    stranger = Family(group_id=family.group_id)
    assert await take(unfunded(stranger)) == [NotYet("child_described")]
    assert await take(held(stranger)) == [], "nothing to tell, so nothing to wait for"


async def test_a_message_keeps_the_name_the_group_had(take: Take, family: Family, inbox: Inbox) -> None:
    await take(confirmed(family))
    await take(family.group_described("Robotics and drones", version=2))
    await take(family.group_described("Older", version=1))
    await take(Ended(**about(family), on=date(2026, 10, 1), code="moved"))
    told = await inbox(family.guardians[0])
    assert [one.content["group"]["en"] for one in told] == ["Robotics", "Robotics and drones"]


async def test_a_former_guardian_is_told_nothing_more(take: Take, family: Family, inbox: Inbox) -> None:
    stays, leaves = family.guardians
    await take(family.child_described(stays, version=2))
    await take(confirmed(family))
    assert len(await inbox(stays)) == 1
    assert await inbox(leaves) == []


async def test_a_long_run_of_events_for_many_children_is_told_set_wise(
    take: Take, family: Family, inbox: Inbox
) -> None:
    siblings = [Family(guardians=family.guardians, group_id=family.group_id) for _ in range(200)]
    await take(*(one.child_described() for one in siblings))
    assert await take(*(confirmed(one) for one in siblings)) == []
    told = await inbox(family.guardians[0])
    assert [one.child_id for one in told] == [one.child_id for one in siblings]


async def test_an_auditor_told_by_enrollment_is_one_here(take: Take, edge: Edge) -> None:
    person_id = new_id()
    await take(
        GrantDescribed(
            grant_id=new_id(),
            version=1,
            person_id=person_id,
            role="auditor",
            scope_kind="region",
            scope_id=new_id(),
        )
    )
    async with edge.transaction() as tx:
        assert (await principal_of(tx, person_id)).has("auditor")


# Attendance and what it costs.


@pytest.fixture
async def director(take: Take, family: Family) -> UUID:
    """The director of the provider whose group it is."""
    person_id = new_id()
    await take(staff(family, person_id))
    return person_id


async def kinds(inbox: Inbox, person_id: UUID) -> list[Kind]:
    return [one.kind for one in await inbox(person_id)]


async def test_a_charge_says_how_many_lessons_count_and_what_the_club_gets(
    take: Take, family: Family, inbox: Inbox
) -> None:
    await take(charged(family, disputed_tiyn=144_231))
    for guardian in family.guardians:
        (told,) = await inbox(guardian)
        group = {"kk": "Робототехника тобы", "ru": "Группа робототехники", "en": "Robotics"}
        assert (told.kind, told.child_id, told.provider_id) == (Kind.MONTH_CHARGED, family.child_id, None)
        assert told.content == {
            "group": group,
            "month": "2026-10",
            "amount_tiyn": 1_442_307,
            "counted": 1,
            "planned": 3,
            "disputed_tiyn": 144_231,
        }


async def test_a_charge_is_told_again_only_if_it_changed_in_one_chunk_or_in_many(
    take: Take, family: Family, inbox: Inbox
) -> None:
    second = Family(guardians=family.guardians, group_id=family.group_id)
    await take(second.child_described())
    revisions = ((1, 1_442_307), (2, 1_442_307), (3, 500))
    await take(*(charged(family, amount, revision=number) for number, amount in revisions))
    for number, amount in revisions:
        await take(charged(second, amount, revision=number))
    told = await inbox(family.guardians[0])
    assert [one.kind for one in told] == [Kind.MONTH_CHARGED, Kind.MONTH_RECHARGED] * 2
    assert (told[1].content["before_tiyn"], told[1].content["amount_tiyn"]) == (1_442_307, 500)


async def test_a_dispute_that_stops_the_money_of_two_funds_is_told_once_and_anew_with_the_next(
    take: Take, family: Family, inbox: Inbox
) -> None:
    await take(charged(family))
    for revision in (2, 4):
        await take(charged(family, revision=revision, frozen=True), item(ItemFrozen, family))
        await take(item(ItemFrozen, family), item(ClaimOpened, family))
        await take(charged(family, revision=revision + 1))
    round_of_it = [Kind.PAYMENT_STOPPED, Kind.CLAIM_OPENED, Kind.PAYMENT_RESUMED]
    assert await kinds(inbox, family.guardians[0]) == [Kind.MONTH_CHARGED, *round_of_it, *round_of_it]


async def test_a_charge_neither_hides_nor_is_hidden_by_what_became_of_the_enrollment(
    take: Take, family: Family, inbox: Inbox
) -> None:
    later = NOON + timedelta(days=1)
    await take(envelope_of(charged(family), later))
    await take(envelope_of(Ended(**about(family), on=date(2026, 10, 20), code="moved"), NOON))
    await take(envelope_of(charged(family, 5, revision=2), NOON))
    told = [Kind.MONTH_CHARGED, Kind.ENDED, Kind.MONTH_RECHARGED]
    assert await kinds(inbox, family.guardians[0]) == told


async def test_a_month_that_costs_nothing_for_lack_of_money_says_so(
    take: Take, family: Family, inbox: Inbox
) -> None:
    await take(charged(family, 0, code="no_money"))
    (told,) = await inbox(family.guardians[0])
    assert (told.kind, told.content["charge_code"]) == (Kind.MONTH_UNPAID, "no_money")


async def test_a_charge_of_a_child_that_nobody_described_waits_and_is_told_then(
    take: Take, family: Family, inbox: Inbox
) -> None:
    stranger = Family(group_id=family.group_id)
    assert await take(charged(stranger)) == [NotYet("child_described")]
    await take(stranger.child_described())
    assert await take(charged(stranger)) == []
    assert await kinds(inbox, stranger.guardians[0]) == [Kind.MONTH_CHARGED]


@pytest.mark.parametrize(
    ("outcome", "guardian_reads", "director_reads"),
    [
        ("withdrawn", Kind.DISPUTE_WITHDRAWN, Kind.CLUB_DISPUTE_WITHDRAWN),
        ("count", Kind.DISPUTE_COUNTS, Kind.CLUB_DISPUTE_COUNTS),
        ("do_not_count", Kind.DISPUTE_DOES_NOT_COUNT, Kind.CLUB_DISPUTE_DOES_NOT_COUNT),
    ],
)
async def test_a_dispute_and_its_end_are_told_to_guardians_and_to_the_director(
    *,
    take: Take,
    family: Family,
    inbox: Inbox,
    director: UUID,
    outcome: Any,  # noqa: ANN401 - of a table
    guardian_reads: Kind,
    director_reads: Kind,
) -> None:
    opened = disputed(family, new_id())
    await take(opened)
    await take(decided(opened, outcome))
    for guardian in family.guardians:
        assert await kinds(inbox, guardian) == [Kind.DISPUTE_OPENED, guardian_reads]
    told = await inbox(director)
    assert [one.kind for one in told] == [Kind.CLUB_DISPUTE_OPENED, director_reads]
    assert {one.provider_id for one in told} == {family.provider_id}
    assert [one.content["on"] for one in told] == ["2026-10-06"] * 2
    assert {one.content["provider"]["en"] for one in told} == {"Aqmol school of arts"}


async def test_a_director_who_is_a_guardian_of_the_child_is_told_once_as_a_guardian(
    take: Take, family: Family, inbox: Inbox, director: UUID
) -> None:
    await take(staff(family, family.guardians[0]))
    await take(disputed(family, new_id()))
    assert await kinds(inbox, family.guardians[0]) == [Kind.DISPUTE_OPENED]
    assert await kinds(inbox, director) == [Kind.CLUB_DISPUTE_OPENED]


async def test_a_dispute_waits_for_who_directs_the_provider_and_leaves_no_trace(
    take: Take, family: Family, inbox: Inbox
) -> None:
    opened = disputed(family, new_id())
    assert await take(opened) == [NotYet("staff_described")]
    assert await inbox(family.guardians[0]) == []
    await take(staff(family, new_id(), ended=True))
    assert await take(opened) == [], "nobody directs it any more: there is nobody to wait for"
    assert await kinds(inbox, family.guardians[0]) == [Kind.DISPUTE_OPENED]


async def test_directors_are_told_what_becomes_of_their_money_and_nobody_else_is(
    take: Take, family: Family, inbox: Inbox, director: UUID
) -> None:
    former, coach = new_id(), new_id()
    await take(staff(family, former), staff(family, former, version=2, ended=True))
    await take(staff(family, coach).model_copy(update={"role": "coach"}), staff(Family(), new_id()))
    sent, settled = payout(PayoutSent, family), payout(PayoutSettled, family)
    await take(sent, settled, payout(PayoutBounced, family, code="account_closed"))
    told = await inbox(director)
    assert [one.kind for one in told] == [Kind.PAYOUT_SENT, Kind.PAYOUT_SETTLED, Kind.PAYOUT_BOUNCED]
    assert told[0].content == {
        "amount_tiyn": 5_769_230,
        "items": 5,
        "months": ["2026-09", "2026-10"],
        "provider": family.provider_described().name.model_dump(),
        "fund": family.fund_described().name.model_dump(),
    }
    assert told[2].content["bank_code"] == "account_closed"
    assert (told[0].child_id, told[0].provider_id) == (None, family.provider_id)
    for other in (former, coach, *family.guardians):
        assert await inbox(other) == []


async def test_a_payout_waits_for_who_is_told_and_for_the_names_of_who_is_paid_and_who_pays(
    take: Take,
) -> None:
    unknown = Family()
    sent = payout(PayoutSent, unknown)
    assert await take(sent) == [NotYet("staff_described")]
    await take(staff(unknown, new_id()))
    assert await take(sent) == [NotYet("provider_described")]
    await take(unknown.provider_described())
    assert await take(sent) == [NotYet("fund_described")]
    assert await take(unknown.fund_described(), sent) == []


async def test_many_charges_at_once_are_told_set_wise(take: Take, family: Family, inbox: Inbox) -> None:
    siblings = [Family(guardians=family.guardians, group_id=family.group_id) for _ in range(200)]
    await take(*(one.child_described() for one in siblings))
    once = [envelope_of(charged(one), NOON) for one in siblings]
    assert await take(*once, *once) == []
    assert await take(*once) == []
    told = await inbox(family.guardians[0])
    assert [one.child_id for one in told] == [one.child_id for one in siblings]


async def test_all_of_it_heard_again_after_the_inbox_was_emptied_changes_nothing(
    take: Take, family: Family, edge: Edge, director: UUID
) -> None:
    opened = disputed(family, new_id())
    events = [
        staff(family, director),
        confirmed(family),
        charged(family),
        opened,
        charged(family, revision=2, frozen=True),
        item(ItemFrozen, family),
        item(ClaimOpened, family),
        decided(opened, "do_not_count"),
        charged(family, 500, revision=3),
        payout(PayoutSent, family),
    ]
    story = [envelope_of(event, NOON) for event in events]
    await take(*story)
    before = await _state(edge)
    async with edge.transaction() as tx:
        await tx.execute(sa.text("DELETE FROM inbox"))
    await take(*story)
    assert await _state(edge) == before


async def _state(edge: Edge) -> dict[str, list[str]]:
    tables = ("messages", "mailboxes", "bills", "enrollments", "months", "deliveries")
    async with edge.transaction() as tx:
        return {
            table: sorted((await tx.execute(sa.text(f"SELECT t::text FROM {table} AS t"))).scalars())  # noqa: S608 - ours
            for table in tables
        }
