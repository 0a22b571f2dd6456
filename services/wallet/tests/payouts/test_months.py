"""A fund's month adds up, and once two persons have locked it, it stays what it was."""

import asyncio
import itertools
from typing import Any
from uuid import UUID

import httpx
import pytest

from rig.office import CHARGED, Desk, Office
from shared.approvals import Approvals
from shared.database import new_id
from shared.edge import Edge
from shared.testing_http import ServedApi, signed_in
from wallet.repository.traces import orders
from wallet.testing import Check
from wallet.usecases.ledger.months import MONTH_LOCK, MonthToLock, derive, propose_lock, settled_batch

MONEY = 1_000_000_000


async def overseer(api: ServedApi, office: Office) -> UUID:
    person_id = new_id()
    await api.grant(person_id, "auditor", "region", office.world.region_id)
    return person_id


async def report(api: ServedApi, person_id: UUID, fund_id: UUID, month: str) -> dict[str, Any]:
    async with signed_in(api.url, api.issuer, person_id) as client:
        answer = await client.get(f"/v1/funds/{fund_id}/report", params={"month": month})
        assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    check_sums(told)
    return told


def check_sums(told: dict[str, Any]) -> None:
    """Opening and what came in less what went out is closing, and movements are what came in and went out."""
    for place in told["places"]:
        came = place["opening_tiyn"] + place["in_tiyn"] - place["out_tiyn"]
        assert came == place["closing_tiyn"]
        debited, credited = (
            sum(one["amount_tiyn"] for one in told["movements"] if one[side] == place["kind"])
            for side in ("debited", "credited")
        )
        ours = place["kind"] in {"bank", "receivable"}
        assert (place["in_tiyn"], place["out_tiyn"]) == ((debited, credited) if ours else (credited, debited))


def closing(told: dict[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["closing_tiyn"] for one in told["places"] if one["closing_tiyn"]}


def opening(told: dict[str, Any]) -> dict[str, int]:
    return {one["kind"]: one["opening_tiyn"] for one in told["places"] if one["opening_tiyn"]}


def moved(told: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["name"]: (one["operations"], one["amount_tiyn"]) for one in told["movements"]}


@pytest.fixture
async def charged(office: Office) -> Office:
    """October of two children, held on the 1st of October and charged on the 6th of November."""
    await office.owe(await office.new_provider(), children=2)
    return office


async def ask_for_lock(api: ServedApi, person_id: UUID, fund_id: UUID, month: str) -> httpx.Response:
    async with signed_in(api.url, api.issuer, person_id) as client:
        return await client.post(f"/v1/funds/{fund_id}/month-locks", json={"month": month})


async def approve(api: ServedApi, person_id: UUID, proposal_id: str) -> httpx.Response:
    async with signed_in(api.url, api.issuer, person_id) as client:
        return await client.post(f"/v1/approvals/{proposal_id}/approve")


async def lock(api: ServedApi, office: Office, month: str) -> None:
    one, other = await overseer(api, office), await overseer(api, office)
    proposal = await ask_for_lock(api, one, office.fund_id, month)
    assert proposal.status_code == 202, proposal.text
    itself = await approve(api, one, proposal.json()["id"])
    assert itself.json()["code"] == "second_person_required"
    assert (await approve(api, other, proposal.json()["id"])).status_code == 200


async def test_months_follow_each_other_and_their_movements_add_up(
    charged: Office, desk: Desk, api: ServedApi, assert_clean: Check
) -> None:
    await charged.run()
    await desk.send()
    await desk.ask(times=2)
    auditor = await overseer(api, charged)
    months = [await report(api, auditor, charged.fund_id, f"2026-{month:02}") for month in (8, 9, 10, 11)]
    august, september, october, november = months
    for before, after in itertools.pairwise(months):
        assert opening(after) == closing(before)
    assert (opening(august), moved(august), august["holds"]) == ({}, {}, 0)
    assert moved(september) == {"deposited": (1, MONEY)}
    assert moved(october) == {"allotted": (2, 2 * CHARGED), "captured": (2, 2 * CHARGED)}
    assert (october["holds"], october["held_tiyn"]) == (2, 2 * CHARGED)
    assert closing(october) == {"bank": MONEY, "fund": MONEY - 2 * CHARGED, "payable": 2 * CHARGED}
    assert moved(november) == {"sent": (1, 2 * CHARGED), "paid": (1, 2 * CHARGED)}
    assert closing(november) == {"bank": MONEY - 2 * CHARGED, "fund": MONEY - 2 * CHARGED}
    assert [one["text"] for one in september["movements"]] == ["Money of the funder arrived"]
    await assert_clean()


async def test_a_locked_month_stays_what_it_was_and_what_comes_later_is_told_in_its_own_month(
    charged: Office, edge: Edge, api: ServedApi, assert_clean: Check
) -> None:
    auditor = await overseer(api, charged)
    before = await report(api, auditor, charged.fund_id, "2026-10")
    assert before["lock"] is None
    await lock(api, charged, "2026-10")
    locked = await report(api, auditor, charged.fund_id, "2026-10")
    assert locked["lock"]["month"] == "2026-10"
    assert {**locked, "lock": None} == before

    await charged.deliver(charged.sheets[0].closed(absent=1))
    assert await report(api, auditor, charged.fund_id, "2026-10") == locked
    november = await report(api, auditor, charged.fund_id, "2026-11")
    assert opening(november) == closing(locked)
    lowered = {one["name"]: one for one in november["movements"]}
    assert {name: one["corrects_month"] for name, one in lowered.items()} == {
        "refunded": "2026-10",
        "given_back": "2026-10",
    }
    assert lowered["refunded"]["amount_tiyn"] == CHARGED // 4
    # What was written down at the lock is what postings still come to.
    async with edge.look() as tx:
        fund = await orders.find_fund(tx, charged.fund_id, [charged.world.region_id])
        assert fund is not None
        derived = await derive(tx, fund["number"], "2026-10")
    assert [one.closing_tiyn for one in derived.places] == [one["closing_tiyn"] for one in locked["places"]]
    assert len(derived.movements) == len(locked["movements"])
    await assert_clean()


async def test_without_a_lock_a_late_revision_is_told_in_the_month_of_its_lessons(
    charged: Office, api: ServedApi
) -> None:
    auditor = await overseer(api, charged)
    await charged.deliver(charged.sheets[0].closed(absent=1))
    october = await report(api, auditor, charged.fund_id, "2026-10")
    assert moved(october)["refunded"] == (1, CHARGED // 4)
    assert moved(await report(api, auditor, charged.fund_id, "2026-11")) == {}


async def test_a_month_is_locked_once_and_with_all_before_it(charged: Office, api: ServedApi) -> None:
    auditor = await overseer(api, charged)
    too_early = await ask_for_lock(api, auditor, charged.fund_id, "2026-11")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "month_not_over")
    waiting = await ask_for_lock(api, auditor, charged.fund_id, "2026-09")
    await lock(api, charged, "2026-10")
    for month in ("2026-10", "2026-09"):
        again = await ask_for_lock(api, auditor, charged.fund_id, month)
        assert (again.status_code, again.json()["code"]) == (409, "month_locked")
    late = await approve(api, await overseer(api, charged), waiting.json()["id"])
    assert (late.status_code, late.json()["code"]) == (409, "month_locked")
    september = await report(api, auditor, charged.fund_id, "2026-09")
    assert september["lock"]["month"] == "2026-10"
    await charged.go_to("2026-12-01T23:59:00+05:00")
    first_day = await ask_for_lock(api, auditor, charged.fund_id, "2026-11")
    assert first_day.json()["code"] == "month_not_over"
    await charged.go_to("2026-12-02T00:01:00+05:00")
    assert (await ask_for_lock(api, auditor, charged.fund_id, "2026-11")).status_code == 202


async def test_a_charge_that_is_being_written_is_in_the_locked_month(
    charged: Office, edge: Edge, api: ServedApi
) -> None:
    wanted = MonthToLock(fund_id=charged.fund_id, month="2026-10")
    one, other = charged.world.people
    async with edge.transaction() as tx:
        proposal = await propose_lock(tx, one, wanted)

    async def approve_it() -> None:
        async with edge.transaction() as tx:
            await Approvals([MONTH_LOCK]).approve(tx, other, proposal.id)

    async def settle() -> int:
        async with edge.transaction() as tx:
            return await settled_batch(tx)

    async with edge.transaction() as tx:
        await charged.handle(tx, charged.sheets[0].closed(absent=1))
        settling = asyncio.create_task(settle())
        done, _ = await asyncio.wait([settling], timeout=1)
        assert not done
    await settling
    await approve_it()
    auditor = await overseer(api, charged)
    locked = await report(api, auditor, charged.fund_id, "2026-10")
    assert moved(locked)["refunded"] == (1, CHARGED // 4)
    assert moved(await report(api, auditor, charged.fund_id, "2026-11")) == {}
