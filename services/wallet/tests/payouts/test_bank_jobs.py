"""Orders and the bank, over HTTP: each way in which it behaves has its end, and no order is sent twice."""

import asyncio
from collections import Counter

import asyncpg
import pytest
import sqlalchemy as sa

from rig.office import Desk, Office, SandboxBank
from shared.events.wallet import ItemFrozen, PayoutBounced, PayoutSent, PayoutSettled
from shared.telemetry import registry
from shared.testing import Database, eventually
from wallet.bank import Sender, ask_bank, open_bank, submit_payouts
from wallet.domain.payouts import State
from wallet.repository.payouts import only_sender
from wallet.settings import WalletSettings
from wallet.tables import bank_reports, payouts
from wallet.testing import Check
from wallet.usecases import answers, submitting
from wallet.usecases.answers import note_report

ACTS = (PayoutSent, PayoutSettled, PayoutBounced)


async def told(office: Office) -> list[str]:
    return [type(event).__name__ for event in await office.told(*ACTS)]


def assert_sent_once(bank: SandboxBank) -> None:
    assert {payment["times"] for payment in bank.payments()} <= {1}
    assert all(count == 1 for count in Counter(one["end_to_end_id"] for one in bank.payments()).values())


async def test_an_order_is_sent_accepted_and_settled(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    await desk.send()
    assert (await owed.states(), await owed.stages()) == (["sent"], ["sent"] * 2)
    await assert_clean()
    await desk.ask()
    assert (await owed.states(), await owed.stages()) == (["accepted"], ["sent"] * 2)
    await desk.ask()
    assert (await owed.states(), await owed.stages()) == (["settled"], ["settled"] * 2)
    await desk.ask(times=2)
    assert await told(owed) == ["PayoutSent", "PayoutSettled"]
    assert [event.model_dump()["months"] for event in await owed.told(*ACTS)] == [("2026-10",)] * 2
    (order,) = await owed.orders()
    (payment,) = bank.payments()
    assert payment["document"].encode() == order["content"]
    assert payment["msg_id"] == order["msg_id"]
    assert_sent_once(bank)
    await assert_clean()


async def test_what_nobody_approved_is_not_sent(office: Office, desk: Desk, bank: SandboxBank) -> None:
    await office.owe(await office.new_provider())
    await office.start()
    await desk.send(times=2)
    assert (await office.states(), bank.payments()) == (["prepared"], [])


async def test_a_rejected_order_is_owed_again_and_paid_by_the_next_run(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("reject")
    await desk.send()
    await desk.ask(times=2)
    (order,) = await owed.orders()
    assert (order["state"], order["code"]) == ("bounced", "account_closed")
    assert await owed.stages() == ["due"] * 2
    assert await told(owed) == ["PayoutSent", "PayoutBounced"]
    assert [event.model_dump()["months"] for event in await owed.told(*ACTS)] == [("2026-10",)] * 2
    await assert_clean()
    bank.behave("accept")
    await owed.run()
    await desk.send()
    await desk.ask(times=2)
    assert await owed.states() == ["bounced", "settled"]
    assert len({payment["msg_id"] for payment in bank.payments()}) == 2
    assert_sent_once(bank)
    await assert_clean()


async def test_an_answer_that_comes_twice_counts_once(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("twice")
    await desk.send()
    await desk.ask(times=3)
    assert await owed.states() == ["settled"]
    assert await told(owed) == ["PayoutSent", "PayoutSettled"]
    await assert_clean()


async def test_an_answer_that_comes_late_is_waited_for(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("late")
    await desk.send()
    await desk.ask(times=3)
    assert await owed.states() == ["sent"]
    await owed.go_to("2026-11-19T09:00:00+05:00")
    await desk.ask(times=2)
    assert await owed.states() == ["settled"]
    await assert_clean()


async def test_an_order_that_the_bank_forgot_bounces_when_the_day_is_over(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("never")
    await desk.send()
    await desk.ask(times=3)
    assert (await owed.states(), await owed.stages()) == (["unknown"], ["sent"] * 2)
    await owed.go_to("2026-11-18T23:59:50+05:00")
    await desk.ask()
    assert await owed.states() == ["unknown"]
    await owed.go_to("2026-11-19T00:00:00+05:00")
    await desk.ask()
    (order,) = await owed.orders()
    assert (order["state"], order["code"]) == ("bounced", "not_known_to_bank")
    assert await owed.stages() == ["due"] * 2
    await desk.send(times=2)
    assert_sent_once(bank)
    await assert_clean()


async def test_half_an_answer_is_none(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("halves")
    await desk.send()
    await desk.ask()
    assert await owed.states() == ["sent"]
    await desk.ask()
    assert await owed.states() == ["settled"]
    await assert_clean()


@pytest.mark.parametrize("behavior", ["slow", "cut"])
async def test_an_order_without_a_clear_answer_is_unknown_until_the_bank_is_asked(
    *,
    owed: Office,
    desk: Desk,
    bank: SandboxBank,
    settings: WalletSettings,
    assert_clean: Check,
    behavior: str,
) -> None:
    bank.behave(behavior, seconds=3)
    async with open_bank(settings.model_copy(update={"bank_timeout_seconds": 1.0})) as impatient:
        await Sender(owed.edge, impatient, desk.sender.payer).send_next()
    assert (await owed.states(), await owed.stages()) == (["unknown"], ["submitting"] * 2)
    assert await told(owed) == []
    await desk.send()
    await assert_clean()
    await desk.ask()
    assert (await owed.states(), await owed.stages()) == (["accepted"], ["sent"] * 2)
    assert registry.get_sample_value("payouts_unknown") == 1
    await desk.ask()
    assert registry.get_sample_value("payouts_unknown") == 0
    assert await told(owed) == ["PayoutSent", "PayoutSettled"]
    assert_sent_once(bank)
    await assert_clean()


async def test_an_order_that_never_reached_the_bank_bounces_when_the_day_is_over(
    *, owed: Office, desk: Desk, bank: SandboxBank, settings: WalletSettings, assert_clean: Check
) -> None:
    async with open_bank(settings.model_copy(update={"bank_url": "http://127.0.0.1:9"})) as nowhere:
        await Sender(owed.edge, nowhere, desk.sender.payer).send_next()
    assert await owed.states() == ["unknown"]
    await desk.ask()
    await owed.go_to("2026-11-19T09:00:00+05:00")
    await desk.ask()
    assert (await owed.states(), await owed.stages()) == (["bounced"], ["due"] * 2)
    assert bank.payments() == []
    await assert_clean()


async def test_a_404_of_somebody_else_does_not_bounce_an_order(
    owed: Office, desk: Desk, bank: SandboxBank, settings: WalletSettings
) -> None:
    bank.behave("cut")
    await desk.send()
    await owed.go_to("2026-11-19T09:00:00+05:00")
    elsewhere = settings.model_copy(update={"bank_url": bank.url.removesuffix("/bank") + "/elsewhere"})
    asking = asyncio.create_task(ask_bank(owed.edge, elsewhere))
    await asyncio.sleep(0.5)
    asking.cancel()
    assert await owed.states() == ["unknown"]


async def test_a_word_against_what_is_final_changes_nothing_and_is_kept(
    owed: Office, desk: Desk, bank: SandboxBank
) -> None:
    bank.behave("reject")
    await desk.send()
    (rejected,) = bank.http.get(f"/payments/{bank.payments()[0]['msg_id']}/reports").json()["reports"]
    await desk.ask()
    (order,) = await owed.orders()
    settled = rejected.replace("RJCT", "ACSC")
    for document in (settled, settled, rejected):
        async with owed.edge.transaction() as tx:
            await note_report(tx, order["id"], document)
    assert (await owed.states(), await owed.stages()) == (["bounced"], ["due"] * 2)
    assert await told(owed) == ["PayoutSent", "PayoutBounced"]
    async with owed.edge.look() as tx:
        rows = await tx.execute(sa.select(bank_reports.c.status, bank_reports.c.contradicts))
        assert sorted(map(tuple, rows)) == [("ACSC", True), ("RJCT", False)]


async def test_a_report_on_another_order_says_nothing(owed: Office, desk: Desk, bank: SandboxBank) -> None:
    await desk.send()
    (order,) = await owed.orders()
    (document,) = bank.http.get(f"/payments/{order['msg_id']}/reports").json()["reports"]
    async with owed.edge.transaction() as tx:
        await note_report(tx, order["id"], document.replace(order["msg_id"], "f" * 32))
    assert await owed.states() == ["sent"]


async def test_both_at_once_who_read_the_same_answer_settle_once(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("twice")
    await desk.send()
    await asyncio.gather(*(desk.ask() for _ in range(4)))
    assert await owed.states() == ["settled"]
    assert await told(owed) == ["PayoutSent", "PayoutSettled"]
    await assert_clean()


async def test_the_jobs_of_two_workers_send_each_order_once(
    office: Office, bank: SandboxBank, settings: WalletSettings, assert_clean: Check
) -> None:
    for _ in range(3):
        await office.owe(await office.new_provider())
    jobs = [
        asyncio.create_task(job(office.edge, settings))
        for job in (submit_payouts, submit_payouts, ask_bank, ask_bank)
    ]
    await office.run()

    async def all_settled() -> bool:
        return await office.states() == ["settled"] * 3

    await eventually(all_settled)
    for job in jobs:
        job.cancel()
    await asyncio.wait(jobs)
    assert_sent_once(bank)
    assert len(bank.payments()) == 3
    await assert_clean()


async def test_of_two_workers_one_sends(settings: WalletSettings) -> None:
    async with only_sender(settings.database_url) as first, only_sender(settings.database_url) as second:
        assert (first is None, second is None) == (False, True)
    async with only_sender(settings.database_url) as third:
        assert third is not None


async def test_an_order_whose_sender_died_before_the_call_is_never_sent_again(
    owed: Office, desk: Desk, bank: SandboxBank, settings: WalletSettings, assert_clean: Check
) -> None:
    (order,) = await owed.orders()
    async with owed.edge.transaction() as tx:
        leaving = await submitting.let_leave(tx, order["id"], desk.sender.payer)
    assert (await owed.states(), leaving.content[:5]) == (["submitting"], b"<?xml")
    sending = asyncio.create_task(submit_payouts(owed.edge, settings))

    async def unknown() -> bool:
        return await owed.states() == ["unknown"]

    await eventually(unknown)
    await asyncio.sleep(0.5)
    sending.cancel()
    await desk.ask()
    assert (await owed.states(), bank.payments()) == (["unknown"], [])
    await assert_clean()


async def test_an_order_whose_sender_dies_during_the_call_is_asked_about(
    owed: Office, desk: Desk, bank: SandboxBank, settings: WalletSettings, assert_clean: Check
) -> None:
    bank.behave("slow", seconds=0.8)
    sending = asyncio.create_task(submit_payouts(owed.edge, settings))

    async def at_the_bank() -> bool:
        return len(await asyncio.to_thread(bank.payments)) == 1

    await eventually(at_the_bank)
    sending.cancel()
    await asyncio.wait([sending])
    assert await owed.states() == ["submitting"]
    await desk.send()
    assert await owed.states() == ["unknown"]
    await desk.ask(times=2)
    assert await owed.states() == ["settled"]
    assert_sent_once(bank)
    await assert_clean()


async def test_an_answer_to_an_order_that_was_given_up_meanwhile_is_ignored(
    owed: Office, desk: Desk, bank: SandboxBank
) -> None:
    (order,) = await owed.orders()
    async with owed.edge.transaction() as tx:
        await submitting.let_leave(tx, order["id"], desk.sender.payer)
    async with owed.edge.transaction() as tx:
        await submitting.abandon_orders(tx)
    async with owed.edge.transaction() as tx:
        await submitting.note_sent(tx, order["id"])
    assert (await owed.states(), bank.payments()) == (["unknown"], [])


async def test_an_order_leaves_once_however_many_try(owed: Office, desk: Desk, assert_clean: Check) -> None:
    (order,) = await owed.orders()

    async def leave() -> object:
        async with owed.edge.transaction() as tx:
            return await submitting.let_leave(tx, order["id"], desk.sender.payer)

    outcomes = await asyncio.gather(*(leave() for _ in range(4)), return_exceptions=True)
    assert Counter(type(one).__name__ for one in outcomes) == {"Leaving": 1, "OrderChangedError": 3}
    await assert_clean()


async def test_a_dispute_against_an_order_that_leaves_is_a_freeze_or_a_claim_never_both(
    office: Office, desk: Desk, assert_clean: Check
) -> None:
    provider = await office.new_provider()
    sheets = await office.owe(provider, children=2)
    await office.run()
    (order,) = await office.orders()

    async def leave() -> object:
        async with office.edge.transaction() as tx:
            return await submitting.let_leave(tx, order["id"], desk.sender.payer)

    outcome, _ = await asyncio.gather(
        leave(), office.deliver(sheets[0].closed(disputed=1)), return_exceptions=True
    )
    left = isinstance(outcome, submitting.Leaving)
    assert await office.stages() == (["submitting"] * 2 if left else ["due", "in_run"])
    assert any(item["frozen"] for item in await office.items()) is not left
    await assert_clean()


async def test_the_order_says_who_pays_and_when(owed: Office, desk: Desk, settings: WalletSettings) -> None:
    await desk.send()
    async with owed.edge.look() as tx:
        content = (await tx.execute(sa.select(payouts.c.content))).scalar_one().decode()
    assert settings.payer_iban in content
    assert "<Dt>2026-11-18</Dt>" in content
    assert {order["state"] for order in await owed.orders()} == {State.SENT}


async def test_orders_to_ask_about_are_those_on_their_way(owed: Office, desk: Desk) -> None:
    async with owed.edge.look() as tx:
        assert await answers.orders_to_ask_about(tx) == []
    await desk.send()
    async with owed.edge.look() as tx:
        assert len(await answers.orders_to_ask_about(tx)) == 1


async def test_what_comes_back_while_its_month_is_disputed_is_frozen(
    owed: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    bank.behave("reject")
    await desk.send()
    await owed.deliver(owed.sheets[0].closed(disputed=1))
    assert await owed.told(ItemFrozen) == []
    await desk.ask()
    assert await owed.stages() == ["due"] * 2
    assert sorted(item["frozen"] for item in await owed.items()) == [False, True]
    assert len(await owed.told(ItemFrozen)) == 1
    await owed.run()
    assert [order["items"] for order in await owed.orders()] == [2, 1]
    await assert_clean()


async def test_an_order_that_does_not_add_up_stays_and_its_neighbors_go(
    office: Office, desk: Desk, bank: SandboxBank, database: Database
) -> None:
    for _ in range(2):
        await office.owe(await office.new_provider())
    await office.run()
    first, _ = await office.orders()
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(
        "UPDATE wallet.payouts SET amount_tiyn = amount_tiyn + 1 WHERE id = $1", first["id"]
    )
    await connection.close()
    await desk.send(times=4)
    assert await office.states() == ["prepared", "sent"]
    assert len(bank.payments()) == 1


async def test_a_bank_that_is_away_keeps_no_order_from_its_answer(
    owed: Office, desk: Desk, bank: SandboxBank
) -> None:
    await desk.send()
    bank.stand_still()
    await desk.ask()
    assert await owed.states() == ["sent"]
    bank.go_on()
    await desk.ask(times=2)
    assert await owed.states() == ["settled"]
