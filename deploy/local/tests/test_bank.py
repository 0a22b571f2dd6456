"""The sandbox bank over HTTP: how it takes orders, answers, and misbehaves; and that it forgets nothing."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from local.layout import Layout
from local.testing import outside
from shared.clock import civil_date

pytestmark = pytest.mark.servers
IBAN = "KZ64722S000001234567"
ORDER = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>
<GrpHdr><MsgId>{msg_id}</MsgId></GrpHdr>
<PmtInf><ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt><CdtTrfTxInf><PmtId><EndToEndId>{msg_id}</EndToEndId></PmtId>
<Amt><InstdAmt Ccy="KZT">10.50</InstdAmt></Amt><CdtrAcct><Id><IBAN>KZ64722S000001234567</IBAN></Id></CdtrAcct>
</CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with outside(tmp_path_factory.mktemp("bank") / "store.sqlite") as world:
        yield world.http


def behave(bank: httpx.Client, behavior: str, **more: object) -> None:
    bank.put("/bank/behavior", json={"iban": IBAN, "behavior": behavior, **more}).raise_for_status()


def send(bank: httpx.Client, msg_id: str, *, day: str = "2999-01-01") -> httpx.Response:
    return bank.post("/bank/payments", content=ORDER.format(msg_id=msg_id, day=day))


def statuses(bank: httpx.Client, msg_id: str) -> list[str]:
    reports = bank.get(f"/bank/payments/{msg_id}/reports").raise_for_status().json()["reports"]
    return [report.partition("<TxSts>")[2].partition("<")[0] for report in reports]


def times(bank: httpx.Client, msg_id: str) -> int:
    found = bank.get("/bank/payments").json()["items"]
    return sum(payment["times"] for payment in found if payment["msg_id"] == msg_id)


def test_it_goes_on_with_an_order_and_then_has_paid(bank: httpx.Client) -> None:
    behave(bank, "accept")
    assert send(bank, "a").status_code == 202
    assert statuses(bank, "a") == ["ACSP"]
    assert statuses(bank, "a") == ["ACSP", "ACSC"]


def test_an_order_sent_twice_is_refused_and_counted(bank: httpx.Client) -> None:
    behave(bank, "accept")
    assert [send(bank, "b").status_code for _ in range(2)] == [202, 409]
    assert times(bank, "b") == 2


@pytest.mark.parametrize(
    ("behavior", "first", "second"),
    [
        ("reject", ["RJCT"], ["RJCT"]),
        ("twice", ["ACSC", "ACSC"], ["ACSC", "ACSC"]),
        ("late", [], []),
        ("halves", [""], ["ACSC"]),
    ],
)
def test_it_misbehaves_as_told(
    bank: httpx.Client, behavior: str, first: list[str], second: list[str]
) -> None:
    behave(bank, behavior)
    send(bank, behavior).raise_for_status()
    assert statuses(bank, behavior) == first
    assert statuses(bank, behavior) == second


def test_how_it_behaves_is_decided_when_it_takes_an_order(bank: httpx.Client) -> None:
    behave(bank, "reject")
    send(bank, "c")
    behave(bank, "accept")
    assert statuses(bank, "c") == ["RJCT"]


def test_it_can_change_its_mind_about_what_it_has(bank: httpx.Client) -> None:
    behave(bank, "late")
    send(bank, "j")
    behave(bank, "reject", taken=True)
    assert statuses(bank, "j") == ["RJCT"]


def test_it_takes_an_order_and_says_that_it_never_heard_of_it(bank: httpx.Client) -> None:
    behave(bank, "never")
    assert send(bank, "d").status_code == 202
    answer = bank.get("/bank/payments/d/reports")
    assert (answer.status_code, answer.json()["detail"]) == (404, {"code": "msg_id_unknown", "msg_id": "d"})


def test_it_takes_an_order_and_hangs_up(bank: httpx.Client) -> None:
    behave(bank, "cut")
    with pytest.raises(httpx.RemoteProtocolError):
        send(bank, "e")
    assert statuses(bank, "e") == ["ACSP"]


def test_it_takes_an_order_and_answers_slowly(bank: httpx.Client) -> None:
    behave(bank, "slow", seconds=0.5)
    before = time.monotonic()
    send(bank, "f").raise_for_status()
    assert time.monotonic() - before >= 0.5


def test_an_order_of_a_day_that_is_over_is_refused(bank: httpx.Client) -> None:
    behave(bank, "accept")
    send(bank, "g", day="2020-01-01")
    assert statuses(bank, "g") == ["RJCT"]


@pytest.mark.parametrize(
    "document", ["", "<Document", ORDER.replace("pain.001", "pain.008"), "<!DOCTYPE a><a/>"]
)
def test_what_is_no_order_is_refused(bank: httpx.Client, document: str) -> None:
    assert bank.post("/bank/payments", content=document).status_code == 400


def test_a_statement_has_what_was_paid_on_a_day_that_is_over(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    today = civil_date(datetime.now(UTC))
    with outside(store) as world:
        for behavior in ("accept", "reject", "never"):
            behave(world.http, behavior)
            send(world.http, behavior).raise_for_status()
        answer = world.http.get(f"/bank/statements/{today}")
        assert (answer.status_code, answer.json()["detail"]["code"]) == (404, "day_not_over")
    yesterday = (today - timedelta(days=1)).isoformat()
    with sqlite3.connect(store) as database:
        database.execute("UPDATE payments SET taken_on = ?", [yesterday])
    with outside(store) as world:
        told = world.http.get(f"/bank/statements/{yesterday}").raise_for_status().text
    assert re.findall("<EndToEndId>(.*?)</EndToEndId>", told) == ["accept"]
    assert re.findall('<Amt Ccy="KZT">(.*?)</Amt>', told) == ["10.50"]


def test_it_forgets_nothing_when_it_is_started_again(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    with outside(store) as world:
        behave(world.http, "reject")
        send(world.http, "h")
    with outside(store) as world:
        assert statuses(world.http, "h") == ["RJCT"]
        assert [send(world.http, one).status_code for one in "hi"] == [409, 202]
        assert statuses(world.http, "i") == ["RJCT"]


def test_it_forgets_everything_at_a_reset_of_the_system(tmp_path: Path) -> None:
    (program,) = (one for one in Layout().programs() if one.name == "outside")
    with outside(tmp_path / Path(program.environment["SW_STORE"]).name) as world:
        behave(world.http, "reject")
        send(world.http, "k")
    assert list(tmp_path.glob("*.sqlite*"))
    told = {"SW_STATE": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "local.main", "reset"], env=os.environ | told, check=True)
    assert list(tmp_path.glob("*.sqlite*")) == []
