"""Balances as of any moment come from postings alone, and those of now are what the accounts say."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from rig.office import CHARGED, Desk, Office, SandboxBank
from shared.database import new_id
from shared.edge import Edge
from shared.testing_http import ServedApi, signed_in
from wallet.domain.accounts import ASSETS
from wallet.repository.numbers import KINDS
from wallet.tables import FUND_SHIFT, accounts, funds
from wallet.testing import NAME, PRICE, Check, asked


async def read(api: ServedApi, person_id: UUID, path: str, **query: str) -> dict[str, Any]:
    async with signed_in(api.url, api.issuer, person_id) as client:
        answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def auditor_of(api: ServedApi, office: Office) -> UUID:
    person_id = new_id()
    await api.grant(person_id, "auditor", "region", office.world.region_id)
    return person_id


async def fund_then(api: ServedApi, person_id: UUID, fund_id: UUID, **at: str) -> dict[str, int]:
    """By kind of account what is in it, without what is empty."""
    told = await read(api, person_id, f"/v1/funds/{fund_id}/trial-balance", **at)
    assert (told["debited_tiyn"], told["difference_tiyn"]) == (told["credited_tiyn"], 0)
    return {one["kind"]: one["balance_tiyn"] for one in told["accounts"] if one["balance_tiyn"]}


async def accounts_now(edge: Edge, fund_id: UUID) -> dict[str, int]:
    """What the accounts themselves say."""
    found: dict[str, int] = {}
    async with edge.look() as tx:
        number = (await tx.execute(sa.select(funds.c.number).filter_by(id=fund_id))).scalar_one()
        for row in await tx.execute(sa.select(accounts)):
            if row.id >> FUND_SHIFT != number:
                continue
            kind = KINDS[row.kind]
            sign = -1 if kind in ASSETS else 1
            found[kind] = found.get(kind, 0) + sign * (row.credited - row.debited)
    return {kind: amount for kind, amount in found.items() if amount}


async def allotments_now(edge: Edge, child_id: UUID) -> list[int]:
    async with edge.look() as tx:
        rows = await tx.execute(sa.select(accounts).filter_by(child_id=child_id))
        return sorted(row.credited - row.debited for row in rows)


@pytest.fixture
async def paid(office: Office, desk: Desk) -> Office:
    """October of two children charged on the 6th of November, paid on the 18th, then one lowered."""
    await office.owe(await office.new_provider(), children=2)
    await office.run()
    await desk.send()
    await desk.ask(times=2)
    await office.go_to("2026-11-20T09:00:00+05:00")
    await office.deliver(office.sheets[0].closed(absent=1))
    return office


async def test_what_is_recorded_and_effective_by_now_is_what_the_accounts_say(
    paid: Office, api: ServedApi, edge: Edge, assert_clean: Check
) -> None:
    auditor = await auditor_of(api, paid)
    now = await accounts_now(edge, paid.fund_id)
    assert now["receivable"] == now["claimed"] == CHARGED // 4
    for at in (
        {},
        {"recorded_at": "2026-11-20T09:30:00+05:00"},
        {"effective_on": "2026-11-20"},
        {"effective_on": "2026-11-20", "recorded_at": "2026-11-20T04:30:00Z"},
    ):
        assert await fund_then(api, auditor, paid.fund_id, **at) == now
    assert await fund_then(api, auditor, paid.world.ahead) == {}
    await assert_clean()


async def test_a_charge_is_effective_in_its_month_and_recorded_when_it_was_posted(
    paid: Office, api: ServedApi
) -> None:
    auditor = await auditor_of(api, paid)
    money, charged = 1_000_000_000, 2 * CHARGED

    async def then(**at: str) -> dict[str, int]:
        return await fund_then(api, auditor, paid.fund_id, **at)

    assert await then(recorded_at="2026-08-31T00:00:00Z") == {}
    assert await then(effective_on="2026-09-01") == {"bank": money, "fund": money}
    held = {"bank": money, "fund": money - charged, "allotment": charged}
    assert await then(effective_on="2026-10-30") == held
    assert await then(recorded_at="2026-11-06T08:59:00+05:00") == held
    owed = {"bank": money, "fund": money - charged, "payable": charged}
    assert await then(recorded_at="2026-11-07T00:00:00+05:00") == owed
    claimed = {"receivable": CHARGED // 4, "claimed": CHARGED // 4}
    assert await then(effective_on="2026-10-31") == owed | claimed
    as_then_known = {"effective_on": "2026-10-31", "recorded_at": "2026-11-07T00:00:00+05:00"}
    assert await then(**as_then_known) == owed


async def test_a_wallet_is_read_as_it_was(paid: Office, api: ServedApi, edge: Edge) -> None:
    child_id, guardian = paid.sheets[0].request.child_id, new_id()
    await api.grant(guardian, "guardian", "child", child_id)
    path = f"/v1/wallets/{child_id}/balance"
    (then,) = (await read(api, guardian, path, recorded_at="2026-11-01T00:00:00+05:00"))["purses"]
    assert (then["fund_id"], then["fund_name"], then["until"]) == (str(paid.fund_id), NAME, "2027-05-31")
    assert (then["balance_tiyn"], then["held_tiyn"]) == (PRICE, PRICE)
    (effective,) = (await read(api, guardian, path, effective_on="2026-10-31"))["purses"]
    assert (effective["balance_tiyn"], effective["held_tiyn"]) == (0, 0)
    now = await read(api, guardian, path)
    assert [purse["balance_tiyn"] for purse in now["purses"]] == await allotments_now(edge, child_id)
    assert (await read(api, guardian, path, recorded_at="2026-09-30T00:00:00Z"))["purses"] == []


async def test_what_is_reserved_of_allotted_money_is_not_told_of_the_past(
    office: Office, api: ServedApi, edge: Edge
) -> None:
    child_id = new_id()
    await office.deliver(office.world.entitled(child_id))
    await office.world.pay_in(office.world.ahead, 10_000_000)
    await office.world.run_funding(date(2026, 12, 31))
    await office.deliver(asked(child_id, new_id()))
    (purse,) = (await read(api, await auditor_of(api, office), f"/v1/wallets/{child_id}/balance"))["purses"]
    assert (purse["mode"], purse["held_tiyn"]) == ("ahead", None)
    (now,) = (await read(api, await auditor_of(api, office), f"/v1/wallets/{child_id}"))["purses"]
    assert (now["until"], now["expiring_tiyn"]) == ("2026-12-31", now["free_tiyn"])
    assert (now["held_tiyn"], now["free_tiyn"]) == (PRICE, purse["balance_tiyn"] - PRICE)
    assert [purse["balance_tiyn"]] == await allotments_now(edge, child_id)


async def test_a_refund_by_an_order_that_bounced_is_in_the_wallet(
    *, office: Office, api: ServedApi, edge: Edge, desk: Desk, bank: SandboxBank
) -> None:
    (sheet,) = await office.owe(await office.new_provider())
    await office.run()
    bank.behave("reject")
    await desk.send()
    await office.deliver(sheet.closed(absent=1))
    await desk.ask(times=3)
    assert await office.states() == ["bounced"]
    child_id = sheet.request.child_id
    told = await read(api, await auditor_of(api, office), f"/v1/wallets/{child_id}/balance")
    assert [purse["balance_tiyn"] for purse in told["purses"]] == await allotments_now(edge, child_id) == [0]
    async with signed_in(api.url, api.issuer, await auditor_of(api, office)) as client:
        movements = (await client.get(f"/v1/wallets/{child_id}/movements")).json()["items"]
    assert [(one["kind"], one["amount_tiyn"]) for one in movements] == [
        ("bounce", -CHARGED // 4),
        ("charge", CHARGED),
        ("hold", CHARGED),
    ]
    assert movements[0]["text"] == "Given back: the bank did not pay for it"


@pytest.mark.parametrize(
    "at",
    [
        {"recorded_at": "1"},
        {"recorded_at": "2026-11-01T00:00:00"},
        {"recorded_at": "0001-01-01T00:00:00+14:00"},
        {"effective_on": "2026-02-30"},
        {"effective_on": "1"},
    ],
)
async def test_a_moment_is_written_out(office: Office, api: ServedApi, at: dict[str, str]) -> None:
    async with signed_in(api.url, api.issuer, await auditor_of(api, office)) as client:
        answer = await client.get(f"/v1/funds/{office.fund_id}/trial-balance", params=at)
    assert (answer.status_code, answer.json()["code"]) == (422, "content_invalid")
