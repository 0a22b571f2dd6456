"""Status codes, problems and idempotency of the API, over a real server."""

from datetime import date
from uuid import UUID

import httpx
import pytest

from shared.database import new_id
from shared.edge import Edge
from shared.events.clubs import DatedLesson, GroupDescribed, GroupMonthPlanned, Names
from shared.testing_http import ServedApi, signed_in
from wallet.testing import NAME, PRICE, Check, Deliver, World, asked
from wallet.usecases import runs

PROGRAM = {
    "region_id": "",
    "name": NAME,
    "place": 2,
    "starts_on": "2026-09-01",
    "ends_on": "2027-05-31",
    "rules": {"monthly_rate_tiyn": PRICE},
}


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def administrators(api: ServedApi, world: World) -> tuple[UUID, UUID]:
    """The world's two administrators, with their grants."""
    one, other = (person.person_id for person in world.people)
    for person_id in (one, other):
        await api.grant(person_id, "administrator", "region", world.region_id)
    return one, other


async def test_a_program_exists_once_a_second_person_approves(api: ServedApi, world: World) -> None:
    one, other = await administrators(api, world)
    body = PROGRAM | {"region_id": str(world.region_id)}
    async with signed_in(api.url, api.issuer, one) as client:
        proposal = await client.post("/v1/programs", json=body)
        assert proposal.status_code == 202
        path = f"/v1/approvals/{proposal.json()['id']}/approve"
        assert code_of(await client.post(path)) == (409, "second_person_required")
        assert len((await client.get("/v1/programs")).json()["items"]) == 1
    async with signed_in(api.url, api.issuer, other) as client:
        made = (await client.post(path)).json()["made_id"]
        assert code_of(await client.post(path)) == (409, "proposal_not_open")
        program = (await client.get(f"/v1/programs/{made}")).json()
    assert program["monthly_rate_tiyn"] == PRICE
    assert program["evidence"]["silence_counts_after_days"] == 3


async def test_new_rules_are_approved_by_a_second_person_and_read_back_with_all_versions(
    api: ServedApi, world: World
) -> None:
    one, other = await administrators(api, world)
    path = f"/v1/programs/{world.program_id}"
    body = {"valid_from": "2026-11-01", "rules": {"monthly_rate_tiyn": 1}}
    async with signed_in(api.url, api.issuer, one) as client:
        mid_month = await client.post(f"{path}/rules", json=body | {"valid_from": "2026-11-02"})
        assert code_of(mid_month) == (422, "content_invalid")
        today = await client.post(f"{path}/rules", json=body | {"valid_from": "2026-09-01"})
        assert code_of(today) == (409, "valid_from_passed")
        proposal = await client.post(f"{path}/rules", json=body)
        assert (proposal.status_code, proposal.json()["kind"]) == (202, "program_rules")
    async with signed_in(api.url, api.issuer, other) as client:
        approval = await client.post(f"/v1/approvals/{proposal.json()['id']}/approve")
        assert approval.json()["made_id"] == str(world.program_id)
        program = (await client.get(path)).json()
    assert (program["rules_version"], program["monthly_rate_tiyn"]) == (1, PRICE)
    assert [(one["version"], one["valid_from"], one["monthly_rate_tiyn"]) for one in program["versions"]] == [
        (1, "2026-09-01", PRICE),
        (2, "2026-11-01", 1),
    ]


async def test_only_administrators_of_the_region_propose_and_deposit(api: ServedApi, world: World) -> None:
    stranger = new_id()
    await api.grant(stranger, "administrator", "region", new_id())
    async with signed_in(api.url, api.issuer, stranger) as client:
        body = PROGRAM | {"region_id": str(world.region_id)}
        deposits = f"/v1/funds/{world.ahead}/deposits"
        run = {"fund_id": str(world.ahead), "until": "2026-12-31"}
        assert code_of(await client.post("/v1/programs", json=body)) == (404, "not_found")
        assert code_of(await client.post(deposits, json={"amount_tiyn": 5})) == (404, "not_found")
        assert code_of(await client.post("/v1/funding-runs", json=run)) == (404, "not_found")
        missing = f"/v1/funds/{new_id()}/deposits"
        assert code_of(await client.post(missing, json={"amount_tiyn": 5})) == (404, "not_found")


@pytest.mark.parametrize("amount", [0, -1, 1.5, "5", True, None, 2**53])
async def test_money_is_a_positive_whole_number(api: ServedApi, world: World, amount: object) -> None:
    one, _ = await administrators(api, world)
    async with signed_in(api.url, api.issuer, one) as client:
        response = await client.post(f"/v1/funds/{world.ahead}/deposits", json={"amount_tiyn": amount})
    assert code_of(response) == (422, "content_invalid")


async def test_a_deposit_is_made_once_and_shows_in_its_fund(
    api: ServedApi, world: World, assert_clean: Check
) -> None:
    one, _ = await administrators(api, world)
    async with signed_in(api.url, api.issuer, one) as client:
        path, body = f"/v1/funds/{world.ahead}/deposits", {"amount_tiyn": 500}
        answers = [await client.post(path, json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        fund = (await client.get(answers[0].headers["location"])).json()
        assert (fund["received_tiyn"], fund["free_tiyn"]) == (500, 500)
        too_much = await client.post(path, json={"amount_tiyn": 100_000_000_000})
        assert code_of(too_much) == (409, "over_budget")
    await assert_clean()


async def test_a_funding_run_is_paused_resumed_and_followed_until_it_is_done(
    *, api: ServedApi, world: World, edge: Edge, deliver: Deliver
) -> None:
    one, _ = await administrators(api, world)
    ended = new_id()
    await deliver(world.entitled(new_id()), world.entitled(ended, until=date(2026, 8, 31)))
    await world.pay_in(world.ahead, 10_000_000)
    async with signed_in(api.url, api.issuer, one) as client:
        asked = {"fund_id": str(world.ahead), "until": "2026-12-31", "children_per_second": 500}
        run = await client.post("/v1/funding-runs", json=asked)
        assert (run.status_code, run.json()["state"], run.json()["children"]) == (201, "running", None)
        path = run.headers["location"]
        assert (await client.post(f"{path}/pause")).json()["state"] == "paused"
        assert (await client.post(f"{path}/resume")).json()["state"] == "running"
        for _ in range(2):
            async with edge.transaction() as tx:
                assert await runs.advance_run(tx)
        done = (await client.get(f"{path}?wait=5&version={run.json()['version']}")).json()
        assert (done["state"], done["funded"], done["allotted_tiyn"]) == ("done", 1, 4_000_000)
        assert (done["children"], done["reached"], done["children_per_second"]) == (2, 2, 500)
        reason = {"code": "entitlement_ended", "text": "The entitlement has ended", "children": 1}
        assert done["left_out"] == [reason]
        left = (await client.get(f"{path}/left-out?limit=1")).json()["items"]
        assert [(row["child_id"], row["code"]) for row in left] == [(str(ended), "entitlement_ended")]
        assert (await client.get(f"{path}/left-out?code=no_money")).json()["items"] == []
        assert code_of(await client.post(f"{path}/pause")) == (409, "run_is_done")
    async with signed_in(api.url, api.issuer, new_id()) as client:
        for other in (path, f"{path}/left-out"):
            assert code_of(await client.get(other)) == (404, "not_found")
        assert code_of(await client.post(f"{path}/pause")) == (403, "role_required")


async def test_a_wallet_shows_what_is_held_to_its_guardian_and_nobody_else(
    *, api: ServedApi, world: World, deliver: Deliver
) -> None:
    child_id, guardian, enrollment_id = new_id(), new_id(), new_id()
    await api.grant(guardian, "guardian", "child", child_id)
    async with signed_in(api.url, api.issuer, guardian) as client:
        assert (await client.get(f"/v1/wallets/{child_id}")).json()["purses"] == []
    await world.pay_in(world.on_hold, PRICE)
    await deliver(world.entitled(child_id), asked(child_id, enrollment_id))
    async with signed_in(api.url, api.issuer, guardian) as client:
        wallet = (await client.get(f"/v1/wallets/{child_id}?wait=5")).json()
        (purse,) = wallet["purses"]
        assert (purse["held_tiyn"], purse["free_tiyn"], purse["spent_tiyn"]) == (PRICE, 0, 0)
        assert (purse["fund_id"], purse["until"]) == (str(world.on_hold), "2027-05-31")
        (movement,) = (await client.get(f"/v1/wallets/{child_id}/movements")).json()["items"]
        assert (movement["kind"], movement["amount_tiyn"], movement["month"]) == ("hold", PRICE, "2026-10")
        assert (movement["enrollment_id"], movement["text"]) == (str(enrollment_id), "Reserved for 2026-10")
    async with signed_in(api.url, api.issuer, new_id()) as client:
        for path in (f"/v1/wallets/{child_id}", f"/v1/wallets/{child_id}/movements"):
            assert code_of(await client.get(path)) == (404, "not_found")


async def planned_group(deliver: Deliver) -> UUID:
    group_id = new_id()
    lessons = tuple(
        DatedLesson(
            lesson_id=new_id(),
            on=date(2026, 10, day),
            starts_at=f"2026-10-{day:02}T10:00:00Z",
            ends_at=f"2026-10-{day:02}T11:00:00Z",
        )
        for day in (5, 12, 19, 26)
    )
    names = Names(kk="Топ", ru="Группа", en="Group")
    await deliver(
        GroupDescribed(
            group_id=group_id,
            version=1,
            club_id=new_id(),
            provider_id=new_id(),
            name=names,
            direction="robotics",
            price_tiyn=PRICE,
            capacity=1,
            age_from=7,
            age_to=11,
            schedule=(),
            coaches=(),
            starts_on=date(2026, 9, 1),
            ends_on=date(2026, 12, 31),
        ),
        GroupMonthPlanned(group_id=group_id, month="2026-10", version=1, lessons=lessons),
    )
    return group_id


async def test_a_quote_says_who_would_pay_and_changes_nothing(
    *, api: ServedApi, world: World, deliver: Deliver, assert_clean: Check
) -> None:
    child_id, guardian = new_id(), new_id()
    await api.grant(guardian, "guardian", "child", child_id)
    group_id = await planned_group(deliver)
    await deliver(world.entitled(child_id))
    body = {"child_id": str(child_id), "group_id": str(group_id), "starts_on": "2026-09-25"}
    async with signed_in(api.url, api.issuer, guardian) as client:
        poor = (await client.post("/v1/quotes", json=body)).json()
        assert (poor["reason"]["code"], poor["missing_tiyn"]) == ("no_money", PRICE)
        assert poor["reason"]["text"] == "There is not enough money"
        await world.pay_in(world.on_hold, PRICE)
        before = await api.count("operations")
        whole = (await client.post("/v1/quotes", json=body)).json()
        assert (whole["month"], whole["planned_lessons"], whole["reason"]) == ("2026-10", 4, None)
        assert whole["shares"] == [
            {"program_id": str(world.program_id), "fund_id": str(world.on_hold), "amount_tiyn": PRICE}
        ]
        part = (await client.post("/v1/quotes", json=body | {"starts_on": "2026-10-13"})).json()
        assert (part["covered_lessons"], part["amount_tiyn"]) == (2, PRICE // 2)
        late = await client.post("/v1/quotes", json=body | {"starts_on": "2026-11-01"})
        assert code_of(late) == (409, "group_has_no_lessons")
        unknown = await client.post("/v1/quotes", json=body | {"group_id": str(new_id())})
        assert code_of(unknown) == (404, "not_found")
    async with signed_in(api.url, api.issuer, new_id()) as client:
        assert code_of(await client.post("/v1/quotes", json=body)) == (404, "not_found")
    assert await api.count("operations") == before
    assert await api.count("holds") == 0
    await assert_clean()
