"""The ledger's postings as a file for others' tools: CSV, XLSX or Parquet, some thousand rows at a time.

In CSV a text that a spreadsheet might take for a formula begins with an apostrophe. Excel in Kazakh and
Russian expects semicolons between cells and a comma in numbers; in English it is the other way round. Dates
are ISO.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any, Final, Literal, Protocol
from uuid import UUID

import xlsxwriter

from shared import audit
from shared.database import Transaction
from shared.security import Principal
from shared.texts import LanguageCode, Texts
from wallet.repository.ledger.postings import Wanted
from wallet.repository.numbers import KINDS
from wallet.usecases.ledger.months import movement_of
from wallet.usecases.ledger.postings import narrowed

Format = Literal["csv", "xlsx", "parquet"]

COLUMNS: Final[Mapping[str, str]] = {
    "operation_id": "string",
    "place": "int64",
    "batch_id": "int64",
    "posted_at": "timestamp[us, tz=UTC]",
    "effective_on": "date32[day]",
    "kind": "string",
    "movement": "string",
    "text": "string",
    "amount": "decimal128(21, 2)",
    "amount_tiyn": "int64",
    "fund_id": "string",
    "fund_name": "string",
    "debited": "string",
    "debit_account": "int64",
    "credited": "string",
    "credit_account": "int64",
    "child_id": "string",
    "provider_id": "string",
    "payout_id": "string",
    "enrollment_id": "string",
    "month": "string",
    "corrects_month": "string",
}
"""With their types in Parquet. `amount` is in tenge, with two decimals."""
SHEET_ROWS_MAX: Final = 1_048_575
"""Without the heading: what Excel can open."""
_FORMULA: Final = tuple("=+-@\t\r\n|%＝＋－＠")


class Writer(Protocol):
    """Writes a file, rows after rows. What it wrote is complete once it is closed."""

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more rows, with a value for each column."""

    def close(self) -> None:
        """That was all."""


async def allow(tx: Transaction, principal: Principal, wanted: Wanted, form: Format) -> Wanted:
    """What this person may export of it; that they do is noted."""
    seen = await narrowed(tx, principal, wanted)
    object_kind, object_id = next(
        (kind, id_)
        for kind, id_ in (
            ("fund", wanted.fund_id),
            ("child", wanted.child_id),
            ("provider", wanted.provider_id),
            ("person", principal.person_id),
        )
        if id_ is not None
    )
    await audit.record(tx, principal, "export", object_kind, object_id, format=form)
    return seen


@dataclass(frozen=True, slots=True)
class Lines:
    """Makes rows of the database rows of a file, in one language."""

    language: LanguageCode
    known: dict[str, str] = field(default_factory=dict)

    def of(self, rows: Sequence[Mapping[Any, Any]]) -> list[tuple[Any, ...]]:
        """A value for each column."""
        return [self._line(row) for row in rows]

    def _line(self, row: Mapping[Any, Any]) -> tuple[Any, ...]:
        debited, credited = KINDS[row["debited_kind"]], KINDS[row["credited_kind"]]
        movement = movement_of(row["kind"], debited, credited)
        text = self.known.get(movement)
        if text is None:
            text = self.known[movement] = Texts.of("wallet").translate(self.language, f"movement.{movement}")
        return (
            str(row["operation_id"]),
            row["place"],
            row["batch_id"],
            row["posted_at"],
            row["effective_on"],
            row["kind"],
            movement,
            text,
            Decimal(row["amount_tiyn"]).scaleb(-2),
            row["amount_tiyn"],
            str(row["fund_id"]),
            row["fund_name"][self.language],
            debited.value,
            row["debit_account"],
            credited.value,
            row["credit_account"],
            _id(row["child_id"]),
            _id(row["provider_id"]),
            _id(row["payout_id"]),
            _id(row["enrollment_id"]),
            row["month"],
            row["corrects_month"],
        )


def _id(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def open_writer(form: Format, file: IO[bytes], language: LanguageCode) -> Writer:
    """A writer into this file."""
    match form:
        case "csv":
            return CsvWriter(file, language)
        case "xlsx":
            return XlsxWriter(file)
        case "parquet":
            return ParquetWriter(file)


class CsvWriter:
    """UTF-8 with the mark by which Excel knows it."""

    def __init__(self, file: IO[bytes], language: LanguageCode) -> None:
        self._file = file
        self._comma = "." if language == "en" else ","
        self._text = io.StringIO()
        self._csv = csv.writer(self._text, delimiter="," if language == "en" else ";")
        self._file.write(b"\xef\xbb\xbf")
        self._csv.writerow(COLUMNS)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more rows."""
        self._csv.writerows([self._cell(value) for value in row] for row in rows)
        self._drain()

    def close(self) -> None:
        """That was all."""
        self._drain()

    def _cell(self, value: object) -> object:
        match value:
            case str():
                return harmless(value)
            case Decimal():
                return f"{value:.2f}".replace(".", self._comma)
            case None | int():
                return value
        return value.isoformat()  # type: ignore[attr-defined] # a date or a moment is what is left

    def _drain(self) -> None:
        self._file.write(self._text.getvalue().encode())
        self._file.flush()
        self._text.seek(0)
        self._text.truncate()


def harmless(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


class XlsxWriter:
    """A workbook with as many sheets as it takes. A text stays a text there, whatever it begins with."""

    def __init__(self, file: IO[bytes]) -> None:
        self._book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._money = self._book.add_format({"num_format": "0.00"})
        self._rows = SHEET_ROWS_MAX
        self._sheet: Any = None

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more rows."""
        for row in rows:
            if self._rows == SHEET_ROWS_MAX:
                self._next_sheet()
            self._rows += 1
            for column, value in enumerate(row):
                self._write(column, value)

    def close(self) -> None:
        """That was all; now it is put together. Without it a workbook leaves its parts lying around."""
        if self._sheet is None:
            self._next_sheet()
        self._book.close()

    def _next_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.write_row(0, 0, list(COLUMNS))
        self._rows = 0

    def _write(self, column: int, value: object) -> None:
        match value:
            case None:
                pass
            case str():
                self._sheet.write_string(self._rows, column, value)
            case Decimal():
                self._sheet.write_number(self._rows, column, float(value), self._money)
            case int():
                self._sheet.write_number(self._rows, column, value)
            case _:
                text = value.isoformat()  # type: ignore[attr-defined] # a date or a moment is what is left
                self._sheet.write_string(self._rows, column, text)


class ParquetWriter:
    """A row group for each call."""

    def __init__(self, file: IO[bytes]) -> None:
        # Half a second and 40 MB of memory that no other request of the process needs.
        import pyarrow as pa  # noqa: PLC0415 - see above
        import pyarrow.parquet as pq  # noqa: PLC0415 - see above

        self._pa = pa
        types = {
            "string": pa.string(),
            "int64": pa.int64(),
            "date32[day]": pa.date32(),
            "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
            "decimal128(21, 2)": pa.decimal128(21, 2),
        }
        self._schema = pa.schema([(name, types[type_]) for name, type_ in COLUMNS.items()])
        self._file = file
        self._parquet = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more rows."""
        columns = [
            self._pa.array(column, type=field_.type)
            for column, field_ in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._parquet.write_batch(self._pa.record_batch(columns, schema=self._schema))
        self._file.flush()

    def close(self) -> None:
        """That was all."""
        with suppress(ValueError):  # of a file that was closed because nobody wants it any more
            self._parquet.close()
            self._file.flush()
