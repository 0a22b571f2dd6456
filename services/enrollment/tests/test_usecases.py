"""What enrollment does, on a real database: people, claims and the register, rights, reviews, races."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from enrollment import repository, tables
from enrollment.domain.enrollment import MonthState, State
from enrollment.domain.people import GuardianLink, LinkState
from enrollment.register import Register, ask_once
from enrollment.settings import EnrollmentSettings
from enrollment.testing import Scene
from enrollment.usecases import enrolling
from enrollment.usecases.calendar import END_UNFUNDED
from enrollment.usecases.people import claim_link, end_link, republish_children, settle_claim
from enrollment.usecases.rights import GRANT, NewGrant, entitle, plant_first_administrators, propose_grant
from shared import migrations
from shared.approvals import Approvals
from shared.database import open_engine, plumbing
from shared.edge import Edge
from shared.encryption import Keyring
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.events import enrollment as events
from shared.security import Grant, Principal, principal_of
from shared.testing import Database, published
from shared.testing_http import served
from shared.tls import tls

IIN, OTHER_IIN = "150901500010", "150901600017"
CHILD = {
    "given_name": "Айгерім",
    "family_name": "Өтегенова",
    "school": {"name": "Келешек № 3", "rural": True},
    "priority": 2,
}


def administrator(region_id: UUID) -> Principal:
    return Principal(uuid4(), frozenset({Grant("administrator", "region", region_id)}))


async def claim(edge: Edge, person_id: UUID, iin: str, settings: EnrollmentSettings) -> GuardianLink:
    async with edge.transaction() as tx:
        return await claim_link(tx, await principal_of(tx, person_id), iin, Keyring.of(settings))


@dataclass
class FakeTown:
    """A register that answers as told, over real HTTP."""

    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def verify(self, request: Request) -> JSONResponse:
        self.asked.append(await request.json())
        status, body = self.answers.pop(0)
        return JSONResponse(body, status)


@pytest.fixture
def town() -> FakeTown:
    return FakeTown()


@pytest.fixture
async def register(town: FakeTown, settings: EnrollmentSettings) -> AsyncIterator[Register]:
    app = Starlette(routes=[Route("/register/guardianships/verify", town.verify, methods=["POST"])])
    async with served(app) as url, httpx.AsyncClient(timeout=3, trust_env=False, verify=tls()) as client:
        yield Register(client, f"{url}/register", Keyring.of(settings))


async def test_the_schema_is_what_the_tables_say(database: Database, edge: Edge) -> None:
    _ = edge
    engine = open_engine(database.url("enrollment_owner"))
    assert await migrations.drift(engine, plumbing, tables.metadata) == []
    await engine.dispose()


async def test_a_claim_that_the_register_verifies_makes_a_guardian(
    scene: Scene, settings: EnrollmentSettings, town: FakeTown, register: Register
) -> None:
    person = uuid4()
    link = await claim(scene.edge, person, IIN, settings)
    assert (link.state, link.child_id) == (LinkState.CLAIMED, None)
    town.answers = [(200, {"verdict": "verified", "child": CHILD})]
    assert await ask_once(scene.edge, register) == 1
    assert town.asked == [{"iin": IIN, "person_id": str(person)}]
    [told] = await published(scene.edge)
    assert isinstance(told, events.ChildDescribed)
    assert (told.version, told.guardians) == (1, (person,))
    async with scene.edge.transaction() as tx:
        principal = await principal_of(tx, person)
        child = await repository.people.find_child(tx, principal, told.child_id)
    assert principal.scopes("guardian") == {told.child_id}
    assert child is not None
    assert (child.identity.school_name, child.identity.priority) == ("Келешек № 3", 2)
    assert child.iin.birth_date == date(2015, 9, 1)
    assert IIN.encode() not in child.iin.encrypted


async def test_an_iin_lies_nowhere_in_plain_while_it_is_asked_about(
    scene: Scene, settings: EnrollmentSettings
) -> None:
    await claim(scene.edge, uuid4(), IIN, settings)
    async with scene.edge.transaction() as tx:
        row = (await tx.execute(sa.text("SELECT l::text FROM guardian_links l"))).scalar_one()
    assert IIN not in row
    assert IIN.encode().hex() not in row  # as the database writes bytes
    assert sha256(IIN.encode()).hexdigest() not in row  # which anybody could try all IINs for


async def test_a_claim_that_is_refused_keeps_no_iin_and_tells_nothing(
    scene: Scene, settings: EnrollmentSettings, town: FakeTown, register: Register
) -> None:
    link = await claim(scene.edge, uuid4(), IIN, settings)
    town.answers = [(200, {"verdict": "refused"})]
    await ask_once(scene.edge, register)
    async with scene.edge.transaction() as tx:
        row = (await tx.execute(sa.select(tables.guardian_links))).one()
    assert (row.id, row.state, row.child_id, row.iin_encrypted) == (link.id, "refused", None, None)
    assert await published(scene.edge) == []


@pytest.mark.parametrize(
    "answer",
    [
        (503, {}),
        (200, {"verdict": "verified"}),
        (200, {"verdict": "maybe"}),
        (200, ["?"]),
        (404, {}),
        (200, {"verdict": "verified", "child": CHILD | {"given_name": "a\x00b"}}),
        (200, {"verdict": "verified", "child": CHILD | {"family_name": "a\u202eb"}}),
    ],
)
async def test_a_register_that_cannot_tell_is_asked_again_after_a_pause(
    scene: Scene,
    settings: EnrollmentSettings,
    town: FakeTown,
    register: Register,
    answer: tuple[int, Any],
) -> None:
    await claim(scene.edge, uuid4(), IIN, settings)
    town.answers = [answer]
    assert await ask_once(scene.edge, register) == 1
    assert await ask_once(scene.edge, register) == 0  # not yet
    async with scene.edge.transaction() as tx:
        row = (await tx.execute(sa.select(tables.guardian_links))).one()
        assert (row.state, row.asks) == ("claimed", 1)
        await tx.execute(sa.update(tables.guardian_links).values(next_ask_at=sa.func.now()))
    town.answers = [(200, {"verdict": "verified", "child": CHILD})]
    assert await ask_once(scene.edge, register) == 1
    async with scene.edge.transaction() as tx:
        states = await tx.execute(sa.select(tables.guardian_links.c.state))
        assert list(states.scalars()) == ["verified"]


async def test_a_second_guardian_speaks_for_the_same_child_and_the_first_may_leave(
    scene: Scene, settings: EnrollmentSettings, town: FakeTown, register: Register
) -> None:
    mother, father = uuid4(), uuid4()
    first = await claim(scene.edge, mother, IIN, settings)
    await claim(scene.edge, father, IIN, settings)
    town.answers = [(200, {"verdict": "verified", "child": CHILD})] * 2
    await ask_once(scene.edge, register)
    *_, told = await published(scene.edge)
    assert isinstance(told, events.ChildDescribed)
    assert (told.version, set(told.guardians)) == (2, {mother, father})
    async with scene.edge.transaction() as tx:
        await end_link(tx, await principal_of(tx, mother), first.id)
    *_, told = await published(scene.edge)
    assert isinstance(told, events.ChildDescribed)
    assert told.guardians == (father,)
    async with scene.edge.transaction() as tx:
        assert (await principal_of(tx, mother)).grants == frozenset()


async def test_a_claim_made_twice_is_one_and_too_many_are_refused(
    scene: Scene, settings: EnrollmentSettings
) -> None:
    person = uuid4()
    first = await claim(scene.edge, person, IIN, settings)
    assert await claim(scene.edge, person, IIN, settings) == first
    async with scene.edge.transaction() as tx:
        await tx.execute(sa.text("UPDATE guardian_links SET state = 'refused', next_ask_at = NULL"))
    for _ in range(9):
        link = await claim(scene.edge, person, OTHER_IIN, settings)
        async with scene.edge.transaction() as tx:
            await settle_claim(tx, link.id, None)
    with pytest.raises(ConflictError, match="too_many_claims"):
        await claim(scene.edge, person, IIN, settings)


@pytest.mark.parametrize(
    ("iin", "code"), [("000000000000", "iin_invalid"), ("900512400127", "iin_not_of_a_child")]
)
async def test_an_iin_of_nobody_or_of_an_adult_is_refused(
    scene: Scene, settings: EnrollmentSettings, iin: str, code: str
) -> None:
    with pytest.raises(InvalidError, match=code):
        await claim(scene.edge, uuid4(), iin, settings)


async def test_all_children_are_told_again_by_pages(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrollment.usecases.people.REPUBLISHED", 2)
    children = {await scene.child(uuid4(), number=number) for number in range(3)}
    await scene.forget_published()
    after: UUID | None = None
    pages = 0
    while True:
        async with scene.edge.transaction() as tx:
            after = await republish_children(tx, after)
        if after is None:
            break
        pages += 1
    assert pages == 2
    told = [event for event in await published(scene.edge) if isinstance(event, events.ChildDescribed)]
    assert {event.child_id for event in told} == children
    assert all(event.version == 1 and len(event.guardians) == 1 for event in told)


async def test_two_requests_at_once_for_the_same_seat_leave_one_enrollment(scene: Scene) -> None:
    guardian = uuid4()
    child_id = await scene.child(guardian)
    outcomes = await asyncio.gather(
        *(scene.request(guardian, child_id) for _ in range(5)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, ConflictError)]
    assert len(refused) == 4
    assert {one.stable_code for one in refused} == {"already_enrolled"}


async def test_who_enrolls_a_child_while_somebody_does_waits_and_is_refused_the_same_hour(
    scene: Scene,
) -> None:
    guardian, other_group = uuid4(), uuid4()
    await scene.take(scene.group(group_id=other_group), scene.month("2026-09", group_id=other_group))
    child_id = await scene.child(guardian)
    async with scene.edge.transaction() as tx:
        first = await principal_of(tx, guardian)
        wish = {"child_id": child_id, "group_id": scene.group_id, "starts_on": date(2026, 9, 14)}
        await enrolling.enroll(tx, first, **wish)  # type: ignore[arg-type] # as the three are named
        rival = asyncio.create_task(scene.request(guardian, child_id, group_id=other_group))
        await asyncio.wait({rival}, timeout=1)
        assert not rival.done()
    with pytest.raises(ConflictError, match="schedule_clash"):
        await rival


async def test_nobody_enrolls_the_child_of_another(scene: Scene) -> None:
    child_id = await scene.child(uuid4())
    with pytest.raises(NotFoundError):
        await scene.request(uuid4(), child_id)


async def test_a_request_that_is_refused_leaves_no_trace(scene: Scene) -> None:
    guardian = uuid4()
    child_id = await scene.child(guardian)
    await scene.forget_published()
    with pytest.raises(InvalidError, match="starts_in_past"):
        await scene.request(guardian, child_id, starts_on=date(2026, 9, 9))
    with pytest.raises(ConflictError, match="group_not_planned_yet"):
        await scene.request(guardian, child_id, starts_on=date(2026, 12, 1))
    with pytest.raises(NotFoundError):
        await scene.request(guardian, child_id, group_id=uuid4())
    assert await published(scene.edge) == []


async def test_money_that_comes_while_it_is_canceled_leaves_it_canceled(scene: Scene) -> None:
    guardian = uuid4()
    child_id = await scene.child(guardian)
    requested = await scene.request(guardian, child_id)
    await scene.take(scene.reserved(requested))
    async with scene.edge.transaction() as tx:
        await enrolling.cancel(tx, await principal_of(tx, guardian), requested.id)
    await scene.take(scene.held(requested, "2026-09"))
    assert (await scene.read(requested.id)).state is State.CANCELED
    assert (await published(scene.edge))[-1].type == events.Canceled.type


async def test_a_cancel_and_the_money_at_the_same_time_settle_one_way(scene: Scene) -> None:
    guardian = uuid4()
    child_id = await scene.child(guardian)
    requested = await scene.request(guardian, child_id)
    await scene.take(scene.reserved(requested))

    async def cancel() -> None:
        async with scene.edge.transaction() as tx:
            await enrolling.cancel(tx, await principal_of(tx, guardian), requested.id)

    canceled, _ = await asyncio.gather(
        cancel(), scene.take(scene.held(requested, "2026-09")), return_exceptions=True
    )
    told = [event.type for event in await published(scene.edge)][-1]
    state = (await scene.read(requested.id)).state
    if isinstance(canceled, ConflictError):
        assert (canceled.stable_code, state, told) == (
            "already_confirmed",
            State.CONFIRMED,
            events.Confirmed.type,
        )
    else:
        assert (state, told) == (State.CANCELED, events.Canceled.type)


async def test_money_that_comes_while_a_cancel_is_not_committed_waits_for_it(scene: Scene) -> None:
    guardian = uuid4()
    child_id = await scene.child(guardian)
    requested = await scene.request(guardian, child_id)
    await scene.take(scene.reserved(requested))
    async with scene.edge.transaction() as tx:
        await enrolling.cancel(tx, await principal_of(tx, guardian), requested.id)
        coming = asyncio.create_task(scene.take(scene.held(requested, "2026-09")))
        await asyncio.sleep(0.5)
        assert not coming.done()
    await coming
    assert (await scene.read(requested.id)).state is State.CANCELED
    assert (await published(scene.edge))[-1].type == events.Canceled.type


async def test_a_program_with_too_many_unfunded_waits_for_an_administrator(scene: Scene) -> None:
    confirmed = [await scene.confirmed(number=number) for number in range(3)]
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(
        scene.held(confirmed[0], "2026-10"),
        scene.declined(confirmed[1], "2026-10"),
        scene.declined(confirmed[2], "2026-10"),
    )
    await scene.clock("2026-10-11T00:01")
    await scene.act()  # asked again on the eve, late because nobody was there
    await scene.take(
        scene.declined(confirmed[1], "2026-10", attempt=2), scene.declined(confirmed[2], "2026-10", attempt=2)
    )
    await scene.act()
    assert [(await scene.read(one.id)).state for one in confirmed] == [State.CONFIRMED] * 3
    approvals = Approvals([END_UNFUNDED])
    person = administrator(scene.region_id)
    await scene.clock("2026-10-19T00:01")
    await scene.act()  # nobody decided within a week
    async with scene.edge.transaction() as tx:
        proposal, lapsed = await approvals.visible(tx, person, limit=10, before=None)
        assert (lapsed.state, proposal.state) == ("expired", "open")
        assert (proposal.payload["unfunded"], proposal.payload["enrolled"]) == (2, 3)
        await approvals.approve(tx, person, proposal.id)
    await scene.act()
    ended = [(await scene.read(one.id)).state for one in confirmed]
    assert ended == [State.CONFIRMED, State.ENDED, State.ENDED]


async def test_a_plan_without_lessons_takes_an_unfunded_month_out(scene: Scene) -> None:
    confirmed = await scene.confirmed()
    await scene.clock("2026-09-20T00:01")
    await scene.act()
    await scene.take(scene.declined(confirmed, "2026-10"))
    await scene.take(scene.month("2026-10", version=2).model_copy(update={"lessons": ()}))
    await scene.clock("2026-10-09T09:01")
    await scene.act()
    months = (await scene.read(confirmed.id)).months
    assert [(one.month, one.state) for one in months] == [("2026-09", MonthState.FUNDED)]


async def test_an_entitlement_is_told_and_told_anew_when_it_changes(scene: Scene) -> None:
    child_id = await scene.child(uuid4())
    person = administrator(scene.region_id)
    for coefficient in (100, 150):
        async with scene.edge.transaction() as tx:
            await entitle(
                tx,
                person,
                child_id=child_id,
                program_id=scene.program_id,
                until=date(2026, 12, 31),
                coefficient_percent=coefficient,
            )
    first, second = (await published(scene.edge))[-2:]
    assert isinstance(first, events.EntitlementDescribed)
    assert isinstance(second, events.EntitlementDescribed)
    assert (first.version, first.starts_on) == (1, date(2026, 9, 10))
    assert (second.version, second.coefficient_percent) == (2, 150)
    assert first.entitlement_id == second.entitlement_id


async def test_an_administrator_of_another_region_entitles_nobody_here(scene: Scene) -> None:
    child_id = await scene.child(uuid4())
    wanted: dict[str, Any] = {
        "child_id": child_id,
        "program_id": scene.program_id,
        "until": date(2026, 12, 31),
        "coefficient_percent": 100,
    }
    with pytest.raises(NotFoundError):
        async with scene.edge.transaction() as tx:
            await entitle(tx, administrator(uuid4()), **wanted)
    with pytest.raises(ForbiddenError):
        async with scene.edge.transaction() as tx:
            await entitle(tx, Principal(uuid4(), frozenset()), **wanted)


async def test_a_role_takes_two_persons_and_neither_is_the_one_who_gets_it(scene: Scene) -> None:
    first, second = administrator(scene.region_id), administrator(scene.region_id)
    wanted = NewGrant(person_id=uuid4(), role="auditor", scope_kind="region", scope_id=scene.region_id)
    approvals = Approvals([GRANT])
    async with scene.edge.transaction() as tx:
        proposal = await propose_grant(tx, first, wanted)
    with pytest.raises(ConflictError, match="second_person_required"):
        async with scene.edge.transaction() as tx:
            await approvals.approve(tx, first, proposal.id)
    async with scene.edge.transaction() as tx:
        await approvals.approve(tx, second, proposal.id)
    [told] = await published(scene.edge)
    assert isinstance(told, events.GrantDescribed)
    assert (told.person_id, told.role, told.version) == (wanted.person_id, "auditor", 1)
    async with scene.edge.transaction() as tx:
        assert (await principal_of(tx, wanted.person_id)).has("auditor")
    with pytest.raises(ConflictError, match="own_grant"):
        async with scene.edge.transaction() as tx:
            await propose_grant(tx, first, wanted.model_copy(update={"person_id": first.person_id}))


async def test_the_first_administrators_are_planted_once(scene: Scene) -> None:
    first, later = [uuid4(), uuid4()], [uuid4()]
    for people in (first, first, later):
        async with scene.edge.transaction() as tx:
            await plant_first_administrators(tx, people, scene.region_id)
    told = [event for event in await published(scene.edge) if isinstance(event, events.GrantDescribed)]
    assert {event.person_id for event in told} == set(first)
    assert len(told) == 2
