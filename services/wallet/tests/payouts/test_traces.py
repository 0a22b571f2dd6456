"""Walking the money, over a real server: what was done by the real use cases, and answered by a real bank."""

from collections import defaultdict
from typing import Any, TypeAlias
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.database import new_id
from shared.edge import Edge
from shared.security import Role, ScopeKind
from shared.testing_http import ServedApi, signed_in
from wallet.repository.numbers import KIND_NUMBERS
from wallet.tables import FUND_SHIFT, accounts, funds, postings
from wallet.testing import NAME, PRICE, Check, Deliver, World, asked

Office: TypeAlias = Any
Desk: TypeAlias = Any
SandboxBank: TypeAlias = Any
"""Of the fixtures of this folder, which cannot be imported."""

KINDS = ("payouts", "enrollments", "funds")


async def overseer(api: ServedApi, world: World, role: Role = "auditor", scope: ScopeKind = "region") -> UUID:
    person_id = new_id()
    scope_id = world.region_id if scope == "region" else world.program_id
    await api.grant(person_id, role, scope, scope_id)
    return person_id


async def read(api: ServedApi, person_id: UUID, kind: str, id_: object, **query: object) -> dict[str, Any]:
    async with signed_in(api.url, api.issuer, person_id) as client:
        answer = await client.get(f"/v1/trace/{kind}/{id_}", params={k: str(v) for k, v in query.items()})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def by_postings(edge: Edge, fund_id: UUID) -> dict[str, int]:
    """What each kind of the fund's accounts was credited, less what it was debited: posting by posting."""
    names = {number: kind.value for kind, number in KIND_NUMBERS.items()}
    async with edge.look() as tx:
        number = (await tx.execute(sa.select(funds.c.number).filter_by(id=fund_id))).scalar_one()
        kinds = {row.id: names[row.kind] for row in await tx.execute(sa.select(accounts))}
        rows = (await tx.execute(sa.select(postings))).all()
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.debit_account >> FUND_SHIFT == number:
            found[kinds[row.debit_account]] -= row.amount_tiyn
            found[kinds[row.credit_account]] += row.amount_tiyn
    return found


async def check_totals(api: ServedApi, edge: Edge, person_id: UUID, fund_id: UUID) -> dict[str, int]:
    """A fund's totals are what its postings come to, and nothing is lost between them."""
    trace = await read(api, person_id, "funds", fund_id)
    totals = {name.removesuffix("_tiyn"): amount for name, amount in trace["totals"].items()}
    ledger = await by_postings(edge, fund_id)
    assert {
        "fund": totals["free"],
        "returned": totals["returned"],
        "claimed": totals["claimed"],
        "payable": totals["payable"],
        "receivable": -totals["receivable"],
        "payout": totals["in_payout"],
        "allotment": totals["allotted_free"] + totals["allotted_held"],
        "bank": totals["paid"] - totals["received"],
    } == {name: ledger[name] for name in (*(kind.value for kind in KIND_NUMBERS),)}
    parts = ("free", "allotted_free", "allotted_held", "payable", "in_payout", "paid", "returned")
    assert totals["received"] == sum(totals[part] for part in parts)
    assert totals["receivable"] == totals["claimed"]
    assert sum(deposit["amount_tiyn"] for deposit in trace["deposits"]) == totals["received"]
    return totals


async def test_a_bank_order_is_walked_back_to_the_deposit(api: ServedApi, office: Office, desk: Desk) -> None:
    provider_id = await office.new_provider()
    sheets = await office.owe(provider_id, children=2)
    run = await office.run()
    await desk.send()
    await desk.ask(times=2)
    (order,) = await office.orders()
    auditor = await overseer(api, office.world)
    trace = await read(api, auditor, "payouts", order["id"])

    assert (trace["payout"]["msg_id"], trace["payout"]["state"]) == (order["msg_id"], "settled")
    assert (trace["payout"]["amount_tiyn"], trace["payout"]["items"]) == (2 * PRICE, 2)
    assert trace["payout"]["payee"]["iban"] == order["iban"]
    one, other = (str(person.person_id) for person in office.world.people)
    assert (trace["payout"]["payee"]["approved_by"], trace["run"]["id"]) == (other, str(run.id))
    assert (trace["run"]["proposed_by"], trace["run"]["approved_by"]) == (one, other)
    assert [report["status"] for report in trace["reports"]] == ["ACSP", "ACSC"]
    fund = trace["fund"]
    assert (fund["id"], fund["name"], fund["approved_by"]) == (str(office.fund_id), NAME, other)
    (deposit,) = trace["deposits"]
    assert (deposit["amount_tiyn"], deposit["entered_by"]) == (1_000_000_000, one)

    assert {item["enrollment_id"] for item in trace["items"]} == {
        str(sheet.request.enrollment_id) for sheet in sheets
    }
    for item in trace["items"]:
        (sheet,) = (one for one in sheets if str(one.request.enrollment_id) == item["enrollment_id"])
        assert (item["amount_tiyn"], item["stage"], item["month"]) == (PRICE, "settled", "2026-10")
        assert [entry["kind"] for entry in item["entries"]] == ["capture", "pay_out", "settle"]
        (capture,), (hold,) = item["captures"], item["holds"]
        assert (capture["amount_tiyn"], capture["hold_id"]) == (PRICE, hold["hold_id"])
        assert capture["allotment"] == {
            "account_id": hold["layers"][0]["account_id"],
            "expires_on": "2027-05-31",
        }
        assert hold["rules"] == [{"program_id": str(office.world.program_id), "version": 1}]
        assert hold["layers"][0]["captured_tiyn"] == PRICE
        assert (item["charge"]["revision"], item["charge"]["digest"]) == (1, sheet.digest)
        assert [(lesson["on"], lesson["verdict"]) for lesson in item["charge"]["lessons"]] == [
            (str(lesson.on), "counts") for lesson in sheet.request.lessons
        ]
        assert item["latest_charge"] is None
        assert item["signature"]["revision"] == 1


async def test_an_enrollment_is_walked_forward_through_a_bounce_to_the_second_order(
    *, api: ServedApi, office: Office, desk: Desk, bank: SandboxBank
) -> None:
    (sheet,) = await office.owe(await office.new_provider())
    bank.behave("reject")
    for behavior in ("reject", "accept"):
        bank.behave(behavior)
        await office.run()
        await desk.send()
        await desk.ask(times=2)
    first, second = await office.orders()
    administrator = await overseer(api, office.world, "administrator", "program")
    trace = await read(api, administrator, "enrollments", sheet.request.enrollment_id)

    assert trace["enrollment"]["child_id"] == str(sheet.request.child_id)
    assert [fund["id"] for fund in trace["funds"]] == [str(office.fund_id)]
    (month,) = trace["months"]
    assert (month["month"], month["state"], month["captured_tiyn"]) == ("2026-10", "charged", PRICE)
    assert [charge["revision"] for charge in month["charges"]] == [1]
    (item,) = month["items"]
    steps = [(entry["kind"], entry["payout_id"]) for entry in item["entries"]]
    one, other = str(first["id"]), str(second["id"])
    assert steps == [
        ("capture", None),
        ("pay_out", one),
        ("bounce", one),
        ("pay_out", other),
        ("settle", other),
    ]
    orders = [(order["id"], order["state"], order["code"]) for order in month["payouts"]]
    assert orders == [(one, "bounced", "account_closed"), (other, "settled", None)]
    assert month["payouts"][0]["reports"][-1]["status"] == "RJCT"
    for order_id in (one, other):
        back = await read(api, administrator, "payouts", order_id)
        assert [line["item_id"] for line in back["items"]] == [item["item_id"]]
    of_fund = await read(api, administrator, "funds", office.fund_id)
    assert [order["id"] for order in of_fund["payouts"]] == [one, other]


async def test_what_is_given_back_and_claimed_back_stands_in_the_trace(
    *, api: ServedApi, office: Office, desk: Desk, assert_clean: Check
) -> None:
    unpaid, paid = await office.owe(await office.new_provider(), children=2)
    auditor = await overseer(api, office.world)
    await office.deliver(unpaid.closed(decided="do_not_count"))
    await office.run()
    await desk.send()
    await desk.ask(times=2)
    await office.deliver(paid.closed(decided="do_not_count"))

    entries = []
    for sheet in (unpaid, paid):
        trace = await read(api, auditor, "enrollments", sheet.request.enrollment_id)
        (month,) = trace["months"]
        (item,) = month["items"]
        entries.append([(entry["kind"], entry["amount_tiyn"]) for entry in item["entries"]])
        assert [charge["revision"] for charge in month["charges"]] == [1, 2]
        assert month["charges"][-1]["lessons"][0]["code"] == "decided_not_to_count"
    lesson = PRICE - PRICE * 3 // 4
    assert entries[0][:2] == [("capture", PRICE), ("refund", lesson)]
    assert entries[1][-1] == ("claw_back", lesson)
    totals = await check_totals(api, office.edge, auditor, office.fund_id)
    assert totals["claimed"] == lesson
    await assert_clean()


async def test_a_late_raise_comes_out_of_a_hold_of_its_own(api: ServedApi, office: Office) -> None:
    (sheet,) = await office.owe(await office.new_provider())
    missed = (await office.owe(await office.new_provider()))[0]
    await office.deliver(sheet.closed(decided="do_not_count"))
    await office.deliver(missed.closed(decided="count", absent=4))
    await office.deliver(sheet.closed(decided="count"))
    trace = await read(api, await overseer(api, office.world), "enrollments", sheet.request.enrollment_id)
    (month,) = trace["months"]
    first, raised = month["items"]
    (captured,), (later,) = first["captures"], raised["captures"]
    assert captured["hold_id"] == month["holds"][0]["hold_id"]
    assert later["hold_id"] == later["operation_id"] == month["holds"][1]["hold_id"]
    assert not month["holds"][1]["open"]


@pytest.mark.parametrize("behavior", ["accept", "reject"])
async def test_the_totals_of_a_fund_are_its_ledger_at_every_step(
    *, api: ServedApi, office: Office, desk: Desk, bank: SandboxBank, behavior: str
) -> None:
    auditor = await overseer(api, office.world)
    bank.behave(behavior)

    async def totals() -> dict[str, int]:
        return await check_totals(api, office.edge, auditor, office.fund_id)

    assert (await totals())["free"] == 1_000_000_000
    (sheet,) = await office.owe(await office.new_provider())
    assert (await totals())["payable"] == PRICE
    await office.deliver(asked(sheet.request.child_id, new_id(), month="2026-12"))
    assert (await totals())["allotted_held"] == PRICE
    await office.run()
    await desk.send()
    assert (await totals())["in_payout"] == PRICE
    await desk.ask(times=2)
    ended = await totals()
    assert (ended["paid"], ended["payable"]) == ((PRICE, 0) if behavior == "accept" else (0, PRICE))
    untouched = await check_totals(api, office.edge, auditor, office.world.ahead)
    assert not any(untouched.values())


async def test_a_long_order_is_read_in_pages(api: ServedApi, office: Office) -> None:
    await office.owe(await office.new_provider(), children=3)
    await office.run()
    (order,) = await office.orders()
    auditor = await overseer(api, office.world)
    whole = await read(api, auditor, "payouts", order["id"])
    assert (whole["next"], len(whole["items"]), whole["payout"]["state"]) == (None, 3, "prepared")
    first = await read(api, auditor, "payouts", order["id"], limit=2)
    rest = await read(api, auditor, "payouts", order["id"], limit=2, cursor=first["next"])
    assert first["items"] + rest["items"] == whole["items"]
    assert rest["next"] is None


async def test_a_long_order_takes_as_many_statements_as_a_short_one(api: ServedApi, office: Office) -> None:
    for children in (1, 6):
        await office.owe(await office.new_provider(), children=children)
    await office.run()
    auditor = await overseer(api, office.world)
    said: list[str] = []

    def listen(*told: object) -> None:
        said.append(str(told[2]))

    engine = office.edge.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        counts = []
        for order in await office.orders():
            said.clear()
            trace = await read(api, auditor, "payouts", order["id"])
            counts.append((len(trace["items"]), len(said)))
    finally:
        sa.event.remove(engine, "before_cursor_execute", listen)
    (short, statements), (long, more) = sorted(counts)
    assert (short, long) == (1, 6)
    assert more == statements < 25


async def test_a_month_that_nobody_pays_is_seen_by_who_oversees_the_program(
    api: ServedApi, world: World, deliver: Deliver
) -> None:
    child_id, enrollment_id = new_id(), new_id()
    await deliver(world.entitled(child_id))
    await deliver(asked(child_id, enrollment_id))
    trace = await read(api, await overseer(api, world), "enrollments", enrollment_id)
    (month,) = trace["months"]
    assert (month["state"], month["code"], month["missing_tiyn"]) == ("declined", "no_money", PRICE)
    found = (*month["holds"], *month["charges"], *month["items"], *month["payouts"], *trace["funds"])
    assert found == ()


async def test_a_trace_is_for_administrators_and_auditors_of_the_fund_alone(
    api: ServedApi, office: Office
) -> None:
    (sheet,) = await office.owe(await office.new_provider())
    await office.run()
    (order,) = await office.orders()
    ids = dict(zip(KINDS, (order["id"], sheet.request.enrollment_id, office.fund_id), strict=True))

    async def status(person_id: UUID, kind: str, id_: object) -> tuple[int, str]:
        async with signed_in(api.url, api.issuer, person_id) as client:
            answer = await client.get(f"/v1/trace/{kind}/{id_}")
            return answer.status_code, answer.json().get("code", "")

    near: list[tuple[Role, ScopeKind, UUID]] = [
        ("guardian", "child", sheet.request.child_id),
        ("director", "provider", sheet.request.provider_id),
        ("coach", "provider", sheet.request.provider_id),
        ("device", "provider", sheet.request.provider_id),
    ]
    for role, scope_kind, scope_id in near:
        person_id = new_id()
        await api.grant(person_id, role, scope_kind, scope_id)
        for kind, id_ in ids.items():
            assert await status(person_id, kind, id_) == (403, "role_required")
    allowed: list[tuple[Role, ScopeKind]] = [
        ("administrator", "region"),
        ("administrator", "program"),
        ("auditor", "region"),
        ("auditor", "program"),
    ]
    for role, scope in allowed:
        entitled = await overseer(api, office.world, role, scope)
        stranger = new_id()
        await api.grant(stranger, role, scope, new_id())
        for kind, id_ in ids.items():
            assert await status(entitled, kind, id_) == (200, "")
            assert await status(stranger, kind, id_) == await status(entitled, kind, new_id())
            assert await status(stranger, kind, id_) == (404, "not_found")
