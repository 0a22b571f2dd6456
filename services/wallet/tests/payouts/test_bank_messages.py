"""Bank orders are valid and stay the same; what the bank says is read strictly, whatever it is."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files

import pytest
import xmlschema
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped] # ships no types
from hypothesis import given
from hypothesis import strategies as st

from shared.database import new_id
from wallet.domain.bank_messages import (
    BankOrder,
    Outcome,
    Party,
    UnreadableError,
    UnwritableError,
    read_report,
    write_order,
)
from wallet.domain.payouts import (
    Move,
    Ordered,
    OrderedItem,
    State,
    account_trouble,
    bounce_code,
    move,
    never_arrived,
    run_digest,
)

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
IBAN = "KZ64722S000001234567"
ORDER = BankOrder(
    msg_id="0198c0de00007000800000000000000a",
    end_to_end_id="0198c0de00007000800000000000000a",
    written_at=datetime(2026, 10, 18, 4, 30, tzinfo=UTC),
    execute_on=date(2026, 10, 18),
    amount_tiyn=1_442_307,
    payer=Party("Social wallet", "100140000003", "KZ41070S000000000001"),
    payee=Party("ТОО «Шаңырақ» & Ко <дети>", "100140000003", IBAN),
    purpose="Order 1",
)


def text_of(document: bytes, name: str) -> list[str | None]:
    return [found.text for found in fromstring(document).iter() if found.tag.endswith(f"}}{name}")]


def test_an_order_is_valid_against_the_schema_and_says_what_is_meant() -> None:
    written = write_order(ORDER)
    schema = xmlschema.XMLSchema(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd"))
    schema.validate(written)
    assert text_of(written, "MsgId") == [ORDER.msg_id]
    assert text_of(written, "EndToEndId") == [ORDER.end_to_end_id]
    assert text_of(written, "InstdAmt") == ["14423.07"]
    assert text_of(written, "CtrlSum") == ["14423.07"] * 2
    assert text_of(written, "IBAN") == [ORDER.payer.iban, IBAN]
    assert text_of(written, "BICFI") == ["KKMFKZ2A", "CASPKZKA"]
    assert text_of(written, "Dt") == ["2026-10-18"]
    assert ORDER.payee.name in text_of(written, "Nm")
    assert b'Ccy="KZT"' in written


def test_the_same_order_is_the_same_bytes() -> None:
    assert write_order(ORDER) == write_order(replace(ORDER))


@given(st.integers(1, 10**13))
def test_every_amount_is_written_to_the_tiyn(amount: int) -> None:
    (told,) = text_of(write_order(replace(ORDER, amount_tiyn=amount)), "InstdAmt")
    assert Decimal(told or "") * 100 == amount


@pytest.mark.parametrize(
    "broken",
    [
        {"msg_id": "x" * 36},
        {"payee": Party("", "100140000003", IBAN)},
        {"payee": Party("x" * 141, "100140000003", IBAN)},
        {"payee": Party("Club", "100140000003", "KZ619990000001234567")},
        {"purpose": "x" * 141},
        {"amount_tiyn": -1},
    ],
)
def test_what_would_be_invalid_is_not_written(broken: dict[str, object]) -> None:
    with pytest.raises(UnwritableError):
        write_order(replace(ORDER, **broken))  # type: ignore[arg-type] # deliberately broken


def report(
    status: str = "ACSC",
    *,
    reason: str = "",
    msg_id: str = "a",
    transfer: str = "b",
    namespace: str = NAMESPACE,
    group_status: str = "",
    more: str = "",
) -> str:
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    group = f"<GrpSts>{group_status}</GrpSts>" if group_status else ""
    one = f"<OrgnlEndToEndId>{transfer}</OrgnlEndToEndId><TxSts>{status}</TxSts>{why}" if transfer else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{namespace}"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>bank-1</MsgId></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{msg_id}</OrgnlMsgId>{group}</OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><TxInfAndSts>{one}</TxInfAndSts>{more}</OrgnlPmtInfAndSts>"
        f"</CstmrPmtStsRpt></Document>"
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, Outcome.ACCEPTED) for status in ("ACTC", "ACCP", "ACSP", "PDNG")),
        *((status, Outcome.SETTLED) for status in ("ACSC", "ACCC")),
        ("RJCT", Outcome.REJECTED),
    ],
)
def test_each_status_that_we_know_has_one_outcome(status: str, outcome: Outcome) -> None:
    assert read_report(report(status)).outcome is outcome


@pytest.mark.parametrize("version", ["03", "10", "14"])
def test_every_version_of_the_report_is_read(version: str) -> None:
    found = read_report(report("RJCT", reason="AC04", namespace=NAMESPACE.replace("10", version)))
    assert (found.msg_id, found.end_to_end_id, found.status, found.reason) == ("a", "b", "RJCT", "AC04")


def test_the_word_about_the_transfer_is_worth_more_than_that_about_the_group() -> None:
    assert read_report(report("RJCT", group_status="ACCP")).outcome is Outcome.REJECTED
    assert read_report(report(transfer="", group_status="RJCT")).outcome is Outcome.REJECTED


BOMB = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no XML",
        report()[: len(report()) // 2],
        report().replace("?>", f"?>{BOMB}", 1),
        report().replace("?>", '?><!DOCTYPE a SYSTEM "file:///etc/passwd">', 1),
        report(namespace="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"),
        report(namespace=NAMESPACE + "x"),
        report(namespace=""),
        report("HELD"),
        report(""),
        report(msg_id=""),
        report(msg_id="x" * 36),
        report(more="<TxInfAndSts><TxSts>RJCT</TxSts></TxInfAndSts>"),
        report() + report(),
        report(reason="x" * 300_000),
        "\ud800",
    ],
    ids=str.__len__,
)
def test_what_is_no_report_on_one_order_says_nothing(document: str) -> None:
    with pytest.raises(UnreadableError):
        read_report(document)


def test_a_reason_that_does_not_look_like_one_is_left_out() -> None:
    assert read_report(report("RJCT", reason="Мария Иванова")).reason is None


@given(st.text())
def test_no_text_at_all_is_read_as_a_report(text: str) -> None:
    with pytest.raises(UnreadableError):
        read_report(text)


@given(st.integers(0, len(report()) - 1))
def test_no_part_of_a_report_is_read_as_one(end: int) -> None:
    with pytest.raises(UnreadableError):
        read_report(report()[:end])


def test_what_is_final_stays_and_a_word_against_it_is_a_contradiction() -> None:
    expected = {
        (State.PREPARED, Outcome.ACCEPTED): Move.CONTRADICTION,
        (State.PREPARED, Outcome.SETTLED): Move.CONTRADICTION,
        (State.PREPARED, Outcome.REJECTED): Move.CONTRADICTION,
        **{
            (state, outcome): done
            for state in (State.SUBMITTING, State.SENT, State.UNKNOWN)
            for outcome, done in (
                (Outcome.ACCEPTED, Move.ACCEPT),
                (Outcome.SETTLED, Move.SETTLE),
                (Outcome.REJECTED, Move.BOUNCE),
            )
        },
        (State.ACCEPTED, Outcome.ACCEPTED): Move.NONE,
        (State.ACCEPTED, Outcome.SETTLED): Move.SETTLE,
        (State.ACCEPTED, Outcome.REJECTED): Move.BOUNCE,
        (State.SETTLED, Outcome.ACCEPTED): Move.NONE,
        (State.SETTLED, Outcome.SETTLED): Move.NONE,
        (State.SETTLED, Outcome.REJECTED): Move.CONTRADICTION,
        (State.BOUNCED, Outcome.ACCEPTED): Move.NONE,
        (State.BOUNCED, Outcome.SETTLED): Move.CONTRADICTION,
        (State.BOUNCED, Outcome.REJECTED): Move.NONE,
    }
    assert {(state, word): move(state, word) for state in State for word in Outcome} == expected


@pytest.mark.parametrize(
    ("submitted", "now", "never"),
    [
        ("2026-11-18T09:00+05:00", "2026-11-18T23:59+05:00", False),
        ("2026-11-18T09:00+05:00", "2026-11-19T00:00+05:00", True),
        ("2026-11-18T23:59+05:00", "2026-11-19T00:01+05:00", False),
        ("2026-11-18T23:59+05:00", "2026-11-19T00:14+05:00", True),
        ("2026-11-18T01:00+05:00", "2026-11-18T06:00+05:00", False),
    ],
)
def test_an_order_will_not_arrive_any_more_when_its_day_is_over(
    submitted: str, now: str, *, never: bool
) -> None:
    assert never_arrived(datetime.fromisoformat(submitted), datetime.fromisoformat(now)) is never


def test_reasons_of_the_bank_have_codes_of_ours() -> None:
    assert [bounce_code(reason) for reason in ("AC04", "DT01", "ZZ99", None)] == [
        "account_closed",
        "sent_too_late",
        "refused_by_bank",
        "refused_by_bank",
    ]


@pytest.mark.parametrize(
    ("iban", "trouble"),
    [
        (IBAN, None),
        ("KZ65722S000001234567", "iban_invalid"),
        ("KZ64722S00000123456", "iban_invalid"),
        ("DE89370400440532013000", "iban_invalid"),
        (IBAN.lower(), "iban_invalid"),
        ("KZ619990000001234567", "bank_unknown"),
    ],
)
def test_money_is_sent_to_accounts_of_banks_of_kazakhstan_only(iban: str, trouble: str | None) -> None:
    assert account_trouble(iban) == trouble


def test_a_run_has_another_fingerprint_once_anything_of_it_changes() -> None:
    run_id, payee = new_id(), Party("Club", "100140000003", IBAN)
    items = [OrderedItem(new_id(), amount) for amount in (5, 7, 9)]
    order = Ordered(new_id(), payee, items)
    first = run_digest(run_id, [order])
    shuffled = random.Random(1).sample(items, 3)  # noqa: S311 - no secret
    assert run_digest(run_id, [replace(order, items=shuffled)]) == first
    others = [
        run_digest(new_id(), [order]),
        run_digest(run_id, [replace(order, items=items[:2])]),
        run_digest(run_id, [replace(order, items=[*items[:2], OrderedItem(items[2].item_id, 8)])]),
        run_digest(run_id, [replace(order, payee=Party("Club", "100140000003", "KZ41070S000000000001"))]),
        run_digest(run_id, [order, replace(order, payout_id=new_id())]),
    ]
    assert len({first, *others}) == 6
