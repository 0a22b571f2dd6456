"""Accounts, runs and orders over a real server: who may do what, and what they see."""

from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from rig.office import BIN, IBANS, Desk, Office, SandboxBank
from shared.database import new_id
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES, Texts
from wallet.testing import World, seal

PAYEE = {"iban": IBANS[0], "name": "ТОО «Шаңырақ»", "bin": BIN}
CODES = ("nothing_due", "run_changed", "iban_invalid", "bank_unknown", "bin_invalid")


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def administrators(api: ServedApi, world: World) -> tuple[UUID, UUID]:
    one, other = (person.person_id for person in world.people)
    for person_id in (one, other):
        await api.grant(person_id, "administrator", "region", world.region_id)
    return one, other


async def director(api: ServedApi, provider_id: UUID) -> UUID:
    person_id = new_id()
    await api.grant(person_id, "director", "provider", provider_id)
    return person_id


async def test_an_account_is_paid_to_once_an_administrator_approves(api: ServedApi, world: World) -> None:
    one, _ = await administrators(api, world)
    provider_id = new_id()
    boss = await director(api, provider_id)
    path = f"/v1/providers/{provider_id}/payee"
    async with signed_in(api.url, api.issuer, boss) as client:
        proposal = await client.post(path, json=PAYEE)
        assert proposal.status_code == 202
        approve = f"/v1/approvals/{proposal.json()['id']}/approve"
        assert code_of(await client.post(approve)) == (409, "second_person_required")
        assert code_of(await client.get(path)) == (404, "not_found")
    async with signed_in(api.url, api.issuer, one) as client:
        assert (await client.post(approve)).status_code == 200
        assert (await client.get(path)).json()["iban"] == IBANS[0]
    async with signed_in(api.url, api.issuer, boss) as client:
        changed = await client.post(path, json=PAYEE | {"iban": IBANS[1]})
        assert (await client.get(path)).json()["iban"] == IBANS[0]
    async with signed_in(api.url, api.issuer, one) as client:
        await client.post(f"/v1/approvals/{changed.json()['id']}/approve")
        now = (await client.get(path)).json()
        assert now["iban"] == IBANS[1]
        waits = datetime.fromisoformat(now["payable_from"]) - datetime.fromisoformat(now["created_at"])
        assert waits == timedelta(days=3)
    assert await api.count("payees") == 2


async def test_an_account_is_proposed_and_seen_by_those_concerned_only(
    api: ServedApi, office: Office
) -> None:
    provider_id = await office.new_provider()
    path = f"/v1/providers/{provider_id}/payee"
    stranger, auditor = await director(api, new_id()), new_id()
    await api.grant(auditor, "auditor", "region", new_id())
    async with signed_in(api.url, api.issuer, stranger) as client:
        assert code_of(await client.post(path, json=PAYEE)) == (404, "not_found")
        assert code_of(await client.get(path)) == (404, "not_found")
    async with signed_in(api.url, api.issuer, auditor) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"iban": "KZ65722S000001234567"}, "iban_invalid"),
        ({"iban": "KZ619990000001234567"}, "bank_unknown"),
        ({"bin": "100140000004"}, "bin_invalid"),
        ({"iban": "DE89370400440532013000"}, "content_invalid"),
        ({"iban": IBANS[0].lower()}, "content_invalid"),
        ({"iban": "KZ64 722S 0000 0123 4567"}, "content_invalid"),
        ({"name": ""}, "content_invalid"),
        ({"name": "x" * 141}, "content_invalid"),
        ({"name": "two\nlines"}, "content_invalid"),
        ({"bin": 100140000003}, "content_invalid"),
        ({"provider_id": "0198c0de-0000-7000-8000-00000000000a"}, "content_invalid"),
    ],
)
async def test_an_account_that_money_cannot_reach_is_refused(
    api: ServedApi, wrong: dict[str, object], code: str
) -> None:
    provider_id = new_id()
    async with signed_in(api.url, api.issuer, await director(api, provider_id)) as client:
        answer = await client.post(f"/v1/providers/{provider_id}/payee", json=PAYEE | wrong)
    assert code_of(answer) == (422, code)


async def test_a_run_is_proposed_approved_by_another_and_followed_to_the_bank(
    api: ServedApi, office: Office, desk: Desk, bank: SandboxBank
) -> None:
    one, other = await administrators(api, office.world)
    provider_id = await office.new_provider()
    await office.owe(provider_id, children=2)
    bank.behave("reject")
    await seal(office.edge)
    async with signed_in(api.url, api.issuer, one) as client:
        answer = await client.post("/v1/payout-runs", json={"fund_id": str(office.fund_id)})
        assert answer.status_code == 202
        run = answer.json()
        (order,) = run["payouts"]
        assert (run["state"], run["amount_tiyn"], order["items"]) == ("proposed", order["amount_tiyn"], 2)
        approve = f"/v1/approvals/{run['proposal_id']}/approve"
        assert code_of(await client.post(approve)) == (409, "second_person_required")
        again = await client.post("/v1/payout-runs", json={"fund_id": str(office.fund_id)})
        assert code_of(again) == (409, "nothing_due")
    async with signed_in(api.url, api.issuer, other) as client:
        assert (await client.post(approve)).json()["made_id"] == run["id"]
        await desk.send()
        await desk.ask()
        seen = (await client.get(answer.headers["Location"])).json()
        assert (seen["state"], seen["approved_by"]) == ("approved", str(other))
        assert [one["state"] for one in seen["payouts"]] == ["bounced"]
    async with signed_in(api.url, api.issuer, await director(api, provider_id)) as client:
        found = (await client.get(f"/v1/payouts/{order['id']}?wait=1&version=1")).json()
        assert (found["state"], found["code"], found["iban"]) == ("bounced", "account_closed", IBANS[0])
        assert [(said["status"], said["code"]) for said in found["reports"]] == [("RJCT", "AC04")]
        assert found["final_at"]
        assert code_of(await client.get(f"/v1/payout-runs/{run['id']}")) == (404, "not_found")


async def test_orders_and_runs_of_others_do_not_exist(api: ServedApi, office: Office) -> None:
    await office.owe(await office.new_provider())
    run = await office.start()
    (order,) = await office.orders()
    strangers = [await director(api, new_id()), new_id()]
    await api.grant(strangers[1], "administrator", "region", new_id())
    refusals = [(403, "role_required"), (404, "not_found")]
    for stranger, refusal in zip(strangers, refusals, strict=True):
        async with signed_in(api.url, api.issuer, stranger) as client:
            for path in (f"payout-runs/{run.id}", f"payouts/{order['id']}", f"payouts/{new_id()}"):
                assert code_of(await client.get(f"/v1/{path}")) == (404, "not_found")
            started = await client.post("/v1/payout-runs", json={"fund_id": str(office.fund_id)})
            assert code_of(started) == refusal


@pytest.mark.parametrize("msgid", [text for code in CODES for text in (code, f"{code}.action")])
def test_every_refusal_has_a_text_of_its_own_in_each_language(msgid: str) -> None:
    told = {Texts.of("wallet").translate(language, msgid) for language in LANGUAGES}
    assert len(told) == len(LANGUAGES)
    assert msgid not in told
