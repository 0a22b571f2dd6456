"""Payout runs: what is taken, who agrees on it, and what a dispute changes of it."""

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from rig.office import BIN, IBANS, Desk, Office, SandboxBank
from shared import clock
from shared.approvals import Approvals
from shared.errors import ConflictError, ForbiddenError
from shared.events.wallet import ClaimOpened, ItemFrozen
from shared.security import Principal
from wallet.repository.payout_runs import take_due
from wallet.settings import WalletSettings
from wallet.testing import Check, seal
from wallet.usecases.payouts import PAYOUT_RUN, start_payout_run
from wallet.usecases.submitting import OrderChangedError, let_leave


async def test_what_is_due_becomes_one_order_a_provider(office: Office, assert_clean: Check) -> None:
    first, second = await office.new_provider(), await office.new_provider()
    await office.owe(first, children=2)
    await office.owe(second)
    run = await office.start()
    orders = await office.orders()
    assert {(order["provider_id"], order["items"]) for order in orders} == {(first, 2), (second, 1)}
    assert await office.stages() == ["in_run"] * 3
    assert sum(order["amount_tiyn"] for order in orders) == sum(
        item["amount_tiyn"] for item in await office.items()
    )
    assert run.state == "proposed"
    await office.approve(run.proposal_id)
    (approved,) = await office.runs()
    assert approved["state"] == "approved"
    assert approved["approved_by"] == office.world.people[1].person_id
    await assert_clean()


async def test_nobody_approves_their_own_run(office: Office) -> None:
    await office.owe(await office.new_provider())
    run = await office.start()
    with pytest.raises(ConflictError, match="second_person_required"):
        await office.approve(run.proposal_id, person=0)
    assert [one["state"] for one in await office.runs()] == ["proposed"]


async def test_only_administrators_of_the_funds_region_start_a_run(office: Office) -> None:
    await office.owe(await office.new_provider())
    async with office.edge.look() as tx:
        with pytest.raises(ForbiddenError, match="role_required"):
            await start_payout_run(tx, Principal(office.providers[0], frozenset()), office.fund_id)


async def test_after_a_change_of_account_payments_wait_three_days(office: Office) -> None:
    changed, other = await office.new_provider(), await office.new_provider()
    await office.owe(changed)
    await office.owe(other)
    await office.name_account(changed, IBANS[2])
    await office.start()
    assert {order["provider_id"] for order in await office.orders()} == {other}
    await office.go_to("2026-11-21T08:59:00+05:00")
    with pytest.raises(ConflictError, match="nothing_due"):
        await office.start()
    await office.go_to("2026-11-21T09:01:00+05:00")
    await office.start()
    assert {(order["provider_id"], order["iban"]) for order in await office.orders()} == {
        (changed, IBANS[2]),
        (other, IBANS[1]),
    }


async def test_nothing_is_taken_before_its_day(office: Office) -> None:
    await office.owe(await office.new_provider())
    await office.go_to("2026-11-17T23:59:00+05:00")
    with pytest.raises(ConflictError, match="nothing_due"):
        await office.start()
    await office.go_to("2026-11-18T00:00:01+05:00")
    assert (await office.start()).state == "proposed"


async def test_a_run_takes_nothing_that_a_dispute_has_frozen(office: Office) -> None:
    disputed, _ = await office.owe(await office.new_provider(), children=2)
    await office.deliver(disputed.closed(disputed=1))
    frozen = {item["id"] for item in await office.items() if item["frozen"]}
    await seal(office.edge)
    async with office.edge.transaction() as tx:
        taken = {item.item_id for item in await take_due(tx, office.fund_id, clock.civil_date(tx.now))}
    assert (len(frozen), len(taken), taken & frozen) == (1, 1, set())


async def test_a_provider_without_an_account_waits_and_the_others_are_paid(office: Office) -> None:
    paid = await office.new_provider()
    await office.owe(paid)
    await office.owe(office.fund_id)  # any id will do: nobody has proposed an account for it
    await office.start()
    assert [order["provider_id"] for order in await office.orders()] == [paid]
    assert await office.stages() == ["due", "in_run"]
    with pytest.raises(ConflictError, match="nothing_due"):
        await office.start()


async def test_of_two_runs_at_once_one_takes_everything(office: Office, assert_clean: Check) -> None:
    await office.owe(await office.new_provider(), children=3)
    outcomes = await asyncio.gather(office.start(), office.start(), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert [str(one) for one in refused] == ["nothing_due"]
    assert [order["items"] for order in await office.orders()] == [3]
    await assert_clean()


async def test_a_rejected_run_gives_its_items_back(office: Office, assert_clean: Check) -> None:
    await office.owe(await office.new_provider(), children=2)
    run = await office.start()
    assert not await office.give_up()
    await office.reject(run.proposal_id)
    assert await office.give_up()
    assert not await office.give_up()
    assert await office.stages() == ["due", "due"]
    assert await office.orders() == []
    assert [one["state"] for one in await office.runs()] == ["given_up"]
    assert (await office.run()).state == "proposed"
    await assert_clean()


async def test_a_run_that_nobody_approves_in_time_gives_its_items_back(office: Office) -> None:
    await office.owe(await office.new_provider())
    run = await office.start()
    await office.go_to("2026-11-25T09:00:01+05:00")
    assert await office.give_up()
    assert await office.stages() == ["due"]
    with pytest.raises(ConflictError, match="proposal_not_open"):
        await office.approve(run.proposal_id)


async def test_an_approved_run_is_not_given_up_for_its_age(office: Office) -> None:
    await office.owe(await office.new_provider())
    await office.run()
    await office.go_to("2026-12-25T09:00:00+05:00")
    assert not await office.give_up()


async def test_a_dispute_takes_its_item_out_of_a_proposed_run(office: Office, assert_clean: Check) -> None:
    provider = await office.new_provider()
    disputed, _ = await office.owe(provider, children=2)
    run = await office.start()
    await office.deliver(disputed.closed(disputed=1))
    assert await office.stages() == ["due", "in_run"]
    assert [(item["stage"], item["frozen"]) for item in await office.items() if item["frozen"]] == [
        ("due", True)
    ]
    (order,) = await office.orders()
    assert (order["items"], order["amount_tiyn"]) == (1, (await office.items())[0]["charged_tiyn"])
    with pytest.raises(ConflictError, match="run_changed"):
        await office.approve(run.proposal_id)
    (changed,) = await office.runs()
    assert changed["proposal_id"] != run.proposal_id
    with pytest.raises(ConflictError, match="second_person_required"):
        await office.approve(changed["proposal_id"], person=0)
    await office.approve(changed["proposal_id"])
    assert len(await office.told(ItemFrozen)) == 1
    await assert_clean()


async def test_a_run_that_a_dispute_empties_is_over(office: Office, assert_clean: Check) -> None:
    (disputed,) = await office.owe(await office.new_provider())
    run = await office.start()
    await office.deliver(disputed.closed(disputed=1))
    assert await office.orders() == []
    assert [one["state"] for one in await office.runs()] == ["given_up"]
    with pytest.raises(ConflictError, match="run_changed"):
        await office.approve(run.proposal_id)
    with pytest.raises(ConflictError, match="nothing_due"):
        await office.start()
    await assert_clean()


async def test_a_dispute_in_an_approved_run_holds_up_only_its_own_order(
    office: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    first, second = await office.new_provider(), await office.new_provider()
    disputed, _ = await office.owe(first, children=2)
    await office.owe(second)
    run = await office.run()
    await office.deliver(disputed.closed(disputed=1))
    old, new = await office.runs()
    assert (old["id"], old["state"], new["state"]) == (run.id, "approved", "proposed")
    assert new["proposed_by"] == run.proposed_by
    await desk.send(times=3)
    assert {order["provider_id"]: order["state"] for order in await office.orders()} == {
        first: "prepared",
        second: "sent",
    }
    await office.approve(new["proposal_id"])
    await desk.send(times=2)
    assert await office.states() == ["sent", "sent"]
    assert await office.stages() == ["due", "sent", "sent"]
    assert len(bank.payments()) == 2
    await assert_clean()


async def test_a_month_that_is_lowered_in_an_approved_run_needs_a_new_approval(
    office: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    lowered, _ = await office.owe(await office.new_provider(), children=2)
    await office.run()
    (before,) = await office.orders()
    await office.deliver(lowered.closed(absent=1))
    await desk.send()
    assert bank.payments() == []
    _, run = await office.runs()
    await office.approve(run["proposal_id"])
    await desk.send()
    (order,) = await office.orders()
    (payment,) = bank.payments()
    assert order["amount_tiyn"] < before["amount_tiyn"]
    assert payment["amount"] == f"{order['amount_tiyn'] // 100}.{order['amount_tiyn'] % 100:02}"
    await assert_clean()


async def test_a_dispute_about_what_left_is_a_claim(
    office: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    (disputed,) = await office.owe(await office.new_provider())
    await office.run()
    await desk.send()
    await office.deliver(disputed.closed(disputed=1))
    assert await office.stages() == ["sent"]
    assert len(await office.told(ClaimOpened)) == 1
    assert await office.told(ItemFrozen) == []
    await desk.ask(times=2)
    assert await office.states() == ["settled"]
    assert len(bank.payments()) == 1
    await assert_clean()


async def _waits(task: "asyncio.Future[Any]") -> None:
    """It stands behind a lock of somebody who has not committed."""
    await asyncio.sleep(0.5)
    assert not task.done()


async def test_an_order_does_not_leave_past_a_dispute_that_is_about_to_be_committed(
    office: Office, desk: Desk, assert_clean: Check
) -> None:
    disputed, _ = await office.owe(await office.new_provider(), children=2)
    await office.run()
    (order,) = await office.orders()
    async with office.edge.transaction() as tx:
        await office.handle(tx, disputed.closed(disputed=1))
        leaving = asyncio.create_task(office.leave(order["id"], desk))
        await _waits(leaving)
    with pytest.raises(OrderChangedError):
        await leaving
    assert (await office.states(), await office.stages()) == (["prepared"], ["due", "in_run"])
    assert [run["state"] for run in await office.runs()] == ["approved", "proposed"]
    await assert_clean()


async def test_a_dispute_behind_an_order_that_is_about_to_leave_is_a_claim(
    office: Office, desk: Desk, assert_clean: Check
) -> None:
    disputed, _ = await office.owe(await office.new_provider(), children=2)
    await office.run()
    (order,) = await office.orders()
    async with office.edge.transaction() as tx:
        await let_leave(tx, order["id"], desk.sender.payer)
        disputing = asyncio.ensure_future(office.deliver(disputed.closed(disputed=1)))
        await _waits(disputing)
    await disputing
    assert (await office.states(), await office.stages()) == (["submitting"], ["submitting"] * 2)
    assert len(await office.told(ClaimOpened)) == 1
    await assert_clean()


async def test_an_approval_behind_a_dispute_that_is_about_to_be_committed_is_refused(
    office: Office, assert_clean: Check
) -> None:
    disputed, _ = await office.owe(await office.new_provider(), children=2)
    run = await office.start()
    async with office.edge.transaction() as tx:
        await office.handle(tx, disputed.closed(disputed=1))
        approving = asyncio.create_task(office.approve(run.proposal_id))
        await _waits(approving)
    with pytest.raises(ConflictError, match="run_changed"):
        await approving
    await assert_clean()


async def test_a_dispute_behind_an_approval_that_is_about_to_be_committed_asks_for_another(
    office: Office, assert_clean: Check
) -> None:
    disputed, _ = await office.owe(await office.new_provider(), children=2)
    run = await office.start()
    async with office.edge.transaction() as tx:
        await Approvals([PAYOUT_RUN]).approve(tx, office.world.people[1], run.proposal_id)
        disputing = asyncio.ensure_future(office.deliver(disputed.closed(disputed=1)))
        await _waits(disputing)
    await disputing
    assert [one["state"] for one in await office.runs()] == ["approved", "proposed"]
    assert {order["run_id"] for order in await office.orders()} == {(await office.runs())[1]["id"]}
    await assert_clean()


async def test_a_second_run_behind_one_that_is_about_to_be_committed_finds_nothing(office: Office) -> None:
    await office.owe(await office.new_provider(), children=2)
    await seal(office.edge)
    async with office.edge.transaction() as tx:
        await start_payout_run(tx, office.world.people[0], office.fund_id)
        second = asyncio.create_task(office.start())
        await _waits(second)
    with pytest.raises(ConflictError, match="nothing_due"):
        await second


async def test_nothing_is_paid_before_it_is_sealed(office: Office) -> None:
    await office.owe(await office.new_provider())
    await seal(office.edge)
    (later,) = await office.owe(await office.new_provider())
    async with office.edge.transaction() as tx:
        await start_payout_run(tx, office.world.people[0], office.fund_id)
    waiting = [item for item in await office.items() if item["stage"] == "due"]
    assert [item["enrollment_id"] for item in waiting] == [later.request.enrollment_id]
    assert await office.stages() == ["due", "in_run"]


def test_in_production_the_account_that_pays_is_said() -> None:
    told = {
        "environment": "production",
        "database_url": "postgresql://wallet@db.example/social",
        "issuer": "https://issuer.example",
        "encryption_keys": {1: "bm8ga2V5IHRoYXQgYW55Ym9keSBrbm93cyBhYm91dA=="},
        "pepper": "no pepper that anybody knows",
        "bank_url": "https://bank.example",
    }
    payer = {"payer_iban": "KZ64722S000001234567", "payer_name": "Operator", "payer_bin": BIN}
    assert WalletSettings.model_validate(told | payer).payer_iban == payer["payer_iban"]
    with pytest.raises(ValueError, match="SW_PAYER_IBAN"):
        WalletSettings.model_validate(told)
    with pytest.raises(ValueError, match="SW_BANK_URL"):
        WalletSettings.model_validate(told | payer | {"bank_url": "http://bank.example"})


def test_in_production_nobody_signs_with_a_key_that_anybody_knows() -> None:
    base = {"database_url": "postgresql://", "issuer": "https://issuer.example"}
    told = {
        "log_name": "example.kz/wallet",
        "log_keys": [b64encode(bytes(range(32))).decode()],
        "checkpoints_folder": "checkpoints",
    }
    settings = WalletSettings.model_validate(base | told | {"environment": "development"})
    settings.model_copy(update={"environment": "production"}).require_own_log()
    for name in told:
        default = WalletSettings.model_fields[name].default
        other = settings.model_copy(update={"environment": "production", name: default})
        with pytest.raises(ValueError, match="SW_LOG_KEYS"):
            other.require_own_log()
