"""The ledger as a file: whole, harmless in a spreadsheet, read in parts, and not for ever."""

import asyncio
import csv
import io
import tracemalloc
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from rig.office import CHARGED, Office
from shared.audit import audit_entries
from shared.database import new_id
from shared.edge import Edge
from shared.testing_http import ServedApi, signed_in
from wallet.api.ledger import exports
from wallet.api.ledger.exports import Export
from wallet.repository.ledger.postings import Wanted
from wallet.testing import NAME
from wallet.usecases.ledger.exports import COLUMNS, Format, harmless, open_writer

PATH = "/v1/ledger/export"
MANY = 6_000
"""More than are read at once."""
AT_ONCE = 1_000


@pytest.fixture
async def charged(office: Office) -> Office:
    await office.owe(await office.new_provider(), children=2)
    return office


async def fetch(api: ServedApi, office: Office, language: str = "en", **query: str) -> httpx.Response:
    auditor = new_id()
    await api.grant(auditor, "auditor", "region", office.world.region_id)
    async with signed_in(api.url, api.issuer, auditor) as client:
        answer = await client.get(PATH, params=query, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert f"postings.{query.get('format', 'csv')}" in answer.headers["Content-Disposition"]
    return answer


def cells(answer: httpx.Response, delimiter: str) -> list[dict[str, str]]:
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=delimiter))


async def test_csv_says_what_was_posted_in_the_reader_s_language(charged: Office, api: ServedApi) -> None:
    rows = cells(await fetch(api, charged), ",")
    assert [row["movement"] for row in rows] == ["deposited", *["allotted"] * 2, *["captured"] * 2]
    captured = rows[-1]
    assert (captured["amount_tiyn"], captured["amount"]) == (str(CHARGED), "18750.00")
    assert (captured["effective_on"], captured["month"]) == ("2026-10-31", "2026-10")
    assert datetime.fromisoformat(captured["posted_at"]).tzinfo == UTC
    assert captured["text"] == "Owed to the provider for the month's lessons"
    assert captured["fund_name"] == NAME["en"]
    russian = cells(await fetch(api, charged, "ru"), ";")[-1]
    assert (russian["amount"], russian["text"]) == ("18750,00", "Начислено организации за занятия месяца")


async def test_a_month_of_a_fund_is_exported_alone(charged: Office, api: ServedApi) -> None:
    fund_id = str(charged.fund_id)
    october = cells(await fetch(api, charged, fund_id=fund_id, month="2026-10"), ",")
    assert [row["movement"] for row in october] == ["allotted", "allotted", "captured", "captured"]
    september = cells(await fetch(api, charged, fund_id=fund_id, month="2026-09"), ",")
    assert [row["movement"] for row in september] == ["deposited"]


async def test_all_formats_say_the_same(charged: Office, api: ServedApi, edge: Edge) -> None:
    rows = cells(await fetch(api, charged), ",")
    parquet = pq.read_table(io.BytesIO((await fetch(api, charged, format="parquet")).content))
    assert parquet.column_names == list(COLUMNS)
    for name in ("operation_id", "movement", "text", "month"):
        assert [value or "" for value in parquet[name].to_pylist()] == [row[name] for row in rows]
    assert [str(value) for value in parquet["amount"].to_pylist()] == [row["amount"] for row in rows]
    book = zipfile.ZipFile(io.BytesIO((await fetch(api, charged, format="xlsx")).content))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == len(rows) + 1
    assert all(row["operation_id"] in sheet for row in rows)
    async with edge.look() as tx:
        query = sa.select(audit_entries.c.details["format"].astext).filter_by(action="export")
        noted = (await tx.execute(query.order_by(audit_entries.c.id))).scalars().all()
    assert noted == ["csv", "parquet", "xlsx"]


async def test_nobody_exports_what_they_do_not_oversee(charged: Office, api: ServedApi) -> None:
    stranger = new_id()
    await api.grant(stranger, "auditor", "region", new_id())
    async with signed_in(api.url, api.issuer, stranger) as client:
        answer = await client.get(PATH, params={"fund_id": str(charged.fund_id)})
        empty = await client.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert empty.text.count("\n") == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "  =1", "\r=1", "＝1"])
def test_what_looks_like_a_formula_is_none(text: str) -> None:
    assert harmless(text) == f"'{text}"
    values: list[Any] = [text if type_ == "string" else None for type_ in COLUMNS.values()]
    file = io.BytesIO()
    writer = open_writer("csv", file, "en")
    writer.write([values])
    writer.close()
    _, row = csv.reader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline=""))
    assert {cell for cell in row if cell} == {f"'{text}"}


@pytest.mark.parametrize("text", ["Фонд «Балалар»", "Қор", "a=b", "1"])
def test_other_texts_stay_what_they_are(text: str) -> None:
    assert harmless(text) == text


def test_a_text_stays_a_text_in_a_workbook() -> None:
    file = io.BytesIO()
    writer = open_writer("xlsx", file, "en")
    writer.write([["=1+1" if type_ == "string" else None for type_ in COLUMNS.values()]])
    writer.close()
    sheet = zipfile.ZipFile(io.BytesIO(file.getvalue())).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "=1+1" in sheet


async def plant(edge: Edge, office: Office, number: int) -> None:
    """So many deposits more, as rows."""
    async with edge.transaction() as tx:
        driver = await tx.driver()
        fund = await driver.fetchval("SELECT number FROM funds WHERE id = $1", office.fund_id)
        batch = await driver.fetchval(
            "INSERT INTO batches (posted_at, operations, postings) VALUES (now(), $1, $1) RETURNING id",
            number,
        )
        await driver.execute(
            "INSERT INTO operations (id, identity, batch_id, amount_tiyn, digest, kind)"
            " SELECT uuidv7(), gen_random_uuid(), $1, 1, 0, 'deposit' FROM generate_series(1, $2::int)",
            batch,
            number,
        )
        await driver.execute(
            "INSERT INTO postings (operation_id, place, debit_account, credit_account, amount_tiyn)"
            " SELECT id, 0, $1::bigint << 40 | 1, $1::bigint << 40 | 2, 1 FROM operations"
            " WHERE batch_id = $2",
            fund,
            batch,
        )


@dataclass
class Reading:
    """What one export came to."""

    bytes_: int = 0
    peak: int = 0


async def drain(edge: Edge, form: Format) -> Reading:
    read = Reading()
    tracemalloc.start()
    try:
        async for chunk in Export(edge, Wanted(), form, "en").content():
            read.bytes_ += len(chunk)
        read.peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return read


async def test_memory_does_not_grow_with_the_ledger(
    office: Office, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", AT_ONCE)
    await plant(edge, office, 2 * AT_ONCE)
    await drain(edge, "csv")  # plans and caches become warm
    few = await drain(edge, "csv")
    await plant(edge, office, 6 * AT_ONCE)
    many = await drain(edge, "csv")
    assert many.bytes_ > 3.5 * few.bytes_
    assert many.peak < 1.2 * few.peak


async def open_transactions(edge: Edge) -> int:
    async with edge.look() as tx:
        number: int = await (await tx.driver()).fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND query LIKE '%debited_kind%'"
        )
        return number


async def until_none_is_open(edge: Edge) -> None:
    async with asyncio.timeout(60):
        while await open_transactions(edge):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.05)


async def test_a_reader_who_takes_their_time_holds_no_transaction(office: Office, edge: Edge) -> None:
    await plant(edge, office, MANY)
    content = Export(edge, Wanted(), "csv", "en").content()
    first = await anext(content)
    await until_none_is_open(edge)
    rest = b"".join([chunk async for chunk in content])
    assert (first + rest).count(b"\n") == MANY + 2


async def test_a_reader_who_goes_away_ends_the_cursor(
    office: Office, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(edge, office, MANY)
    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 10)
    content: AsyncGenerator[bytes, None] = Export(edge, Wanted(), "csv", "en").content()
    await anext(content)
    assert await open_transactions(edge) == 1
    await content.aclose()
    await until_none_is_open(edge)


async def test_only_so_many_exports_are_made_at_once(
    charged: Office, api: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_places", asyncio.Semaphore(0))
    auditor: UUID = new_id()
    await api.grant(auditor, "auditor", "region", charged.world.region_id)
    async with signed_in(api.url, api.issuer, auditor) as client:
        answer = await client.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (503, "exports_busy")
