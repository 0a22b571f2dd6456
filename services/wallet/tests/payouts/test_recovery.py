"""A ledger that was restored elsewhere: it pays nobody before it knows what the bank paid meanwhile."""

from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa

from rig.office import BIN, CHARGED, IBANS, Desk, Office, SandboxBank
from shared import clock
from shared.database import new_id
from shared.edge import Edge
from shared.errors import ConflictError
from shared.events.wallet import PayoutSent, PayoutSettled
from wallet.bank import notice_cluster, recover_once
from wallet.domain.bank_messages import BankOrder, Party, UnreadableError, write_order
from wallet.domain.bank_statements import Line, Purpose, read_statement
from wallet.main import service
from wallet.tables import bank_lines, recoveries
from wallet.testing import Check

PAYER = Party("Social wallet", BIN, IBANS[1])
AFTERWARDS = "2026-11-19T09:00:00+05:00"
"""When the statement of the day of payment is there."""
ENTRY = """<Ntry><Amt Ccy="KZT">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-18</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs>
<RltdPties><CdtrAcct><Id><IBAN>KZ64722S000001234567</IBAN></Id></CdtrAcct></RltdPties>
<RmtInf><Ustrd>anything</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""


@pytest.fixture(autouse=True)
def forgetful(bank: SandboxBank) -> None:
    """The bank's statements have nothing of earlier tests."""
    bank.change_mind("never")
    bank.behave("accept")


@pytest.fixture
async def restored(office: Office, edge: Edge) -> Office:
    """The ledger has lived elsewhere, at first in the real present, as where development begins."""
    await notice_cluster(edge)
    present = clock.civil_moment(date(2030, 1, 1))
    async with edge.transaction() as tx:
        await tx.execute(sa.update(recoveries).values(cluster="elsewhere", began_at=present))
    return office


async def lost_order(office: Office, bank: SandboxBank, *, items: int, amount_tiyn: int) -> UUID:
    """What the bank was sent in a life that nobody here remembers."""
    payout_id = new_id()
    send(office, bank, payout_id, items=items, amount_tiyn=amount_tiyn)
    return payout_id


def send(office: Office, bank: SandboxBank, payout_id: UUID, *, items: int, amount_tiyn: int) -> None:
    order = BankOrder(
        msg_id=payout_id.hex,
        end_to_end_id=payout_id.hex,
        written_at=clock.civil_moment(date(2026, 11, 18)),
        execute_on=date(2026, 11, 18),
        amount_tiyn=amount_tiyn,
        payer=PAYER,
        payee=Party("ТОО «Клуб»", BIN, IBANS[0]),
        purpose=Purpose.written(payout_id, items, office.fund_id),
    )
    bank.http.post("/payments", content=write_order(order)).raise_for_status()


async def recover(office: Office, desk: Desk) -> None:
    """On the day after, when the statements are there."""
    await notice_cluster(office.edge)
    await office.go_to(AFTERWARDS)
    await recover_once(office.edge, desk.client)


async def is_over(edge: Edge) -> bool:
    async with edge.look() as tx:
        return all(row.ended_at for row in await tx.execute(sa.select(recoveries)))


async def troubles(edge: Edge) -> list[str | None]:
    async with edge.look() as tx:
        return list((await tx.execute(sa.select(bank_lines.c.trouble))).scalars())


async def dirty(edge: Edge) -> set[str]:
    async with edge.look() as tx:
        driver = await tx.driver()
        return {name for name, check in service.audit.items() if await driver.fetch(check)}


async def test_a_ledger_that_stays_where_it_is_has_nothing_to_recover(
    owed: Office, desk: Desk, bank: SandboxBank
) -> None:
    for _ in range(2):
        await notice_cluster(owed.edge)
    assert await is_over(owed.edge)
    await desk.send()
    assert len(bank.payments()) == 1


async def test_nothing_leaves_and_nobody_proposes_before_the_statements_are_read(
    restored: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    await restored.owe(await restored.new_provider())
    await restored.run()
    await notice_cluster(restored.edge)
    await recover_once(restored.edge, desk.client)
    await desk.send(times=2)
    assert (await restored.states(), bank.payments()) == (["prepared"], [])
    with pytest.raises(ConflictError, match="ledger_recovering"):
        await restored.start()
    assert await dirty(restored.edge) == {"no_recovery_is_under_way"}
    await recover(restored, desk)
    assert await is_over(restored.edge)
    await desk.send()
    assert len(bank.payments()) == 1
    await assert_clean()


async def test_what_the_bank_paid_meanwhile_is_entered_and_not_paid_again(
    restored: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    await restored.owe(await restored.new_provider(), children=2)
    payout_id = await lost_order(restored, bank, items=2, amount_tiyn=2 * CHARGED)
    for _ in range(2):
        await recover(restored, desk)
    (order,) = await restored.orders()
    assert (order["id"], order["state"], order["items"]) == (payout_id, "settled", 2)
    assert await restored.stages() == ["settled"] * 2
    assert len(await restored.told(PayoutSent, PayoutSettled)) == 2
    assert await is_over(restored.edge)
    with pytest.raises(ConflictError, match="nothing_due"):
        await restored.start()
    await desk.send()
    assert [payment["times"] for payment in bank.payments()] == [1]
    await assert_clean()


@pytest.mark.parametrize("approved", [True, False])
async def test_an_order_that_waits_here_and_was_paid_there_is_not_sent_again(
    restored: Office, desk: Desk, bank: SandboxBank, assert_clean: Check, *, approved: bool
) -> None:
    await restored.owe(await restored.new_provider())
    run = await (restored.run() if approved else restored.start())
    (order,) = await restored.orders()
    send(restored, bank, order["id"], items=1, amount_tiyn=CHARGED)
    await recover(restored, desk)
    assert await restored.states() == ["settled"]
    assert await is_over(restored.edge)
    states = {one["id"]: one["state"] for one in await restored.runs()}
    assert states.pop(run.id) == ("approved" if approved else "given_up")
    assert set(states.values()) == (set() if approved else {"approved"})
    await desk.send()
    assert [payment["times"] for payment in bank.payments()] == [1]
    await assert_clean()


async def test_items_that_wait_in_another_order_are_taken_out_of_it(
    restored: Office, desk: Desk, bank: SandboxBank, assert_clean: Check
) -> None:
    await restored.owe(await restored.new_provider(), children=2)
    await restored.run()
    payout_id = await lost_order(restored, bank, items=2, amount_tiyn=2 * CHARGED)
    await recover(restored, desk)
    assert [(order["id"], order["state"]) for order in await restored.orders()] == [(payout_id, "settled")]
    await assert_clean()


async def test_a_payment_that_nothing_here_explains_keeps_everything_waiting_and_is_seen(
    restored: Office, desk: Desk, bank: SandboxBank
) -> None:
    await restored.owe(await restored.new_provider(), children=2)
    await lost_order(restored, bank, items=2, amount_tiyn=CHARGED)
    await recover(restored, desk)
    assert await troubles(restored.edge) == ["items_do_not_match"]
    assert await dirty(restored.edge) == {"no_recovery_is_under_way", "what_the_bank_paid_is_in_the_books"}
    await desk.send()
    assert (await restored.stages(), len(bank.payments())) == (["due"] * 2, 1)


def test_a_statement_tells_our_payments_and_leaves_out_fees_and_what_came_in() -> None:
    fee = ENTRY.format(amount="150", id="")
    came_in = ENTRY.format(amount="99.00", id="d").replace("DBIT", "CRDT")
    told = statement(ENTRY.format(amount="10.5", id="a"), fee, came_in)
    wanted = Line("a", date(2026, 11, 18), 1050, "KZ64722S000001234567", "anything")
    assert read_statement(told, date(2026, 11, 18)) == [wanted]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Document",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<Document/>",
    ],
)
def test_what_is_no_statement_says_nothing(document: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_statement(document, date(2026, 11, 18))


@pytest.mark.parametrize("amount", ["1,5", "-1", "1.555", "", "NaN"])
def test_an_amount_that_is_none_says_nothing(amount: str) -> None:
    with pytest.raises(UnreadableError):
        read_statement(statement(ENTRY.format(amount=amount, id="a")), date(2026, 11, 18))


def test_a_payment_of_another_day_says_nothing() -> None:
    with pytest.raises(UnreadableError):
        read_statement(statement(ENTRY.format(amount="1", id="a")), date(2026, 11, 17))


def statement(*entries: str) -> bytes:
    root = 'xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"'
    return (
        f"<Document {root}><BkToCstmrStmt><Stmt>{''.join(entries)}</Stmt></BkToCstmrStmt></Document>".encode()
    )
