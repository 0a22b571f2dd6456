"""Whether two systems that began from one dump ended alike: all tables, without generated ids and times.

An id that is in neither the dump nor a list of people is generated, and so is a digest of a content with
such ids. It is replaced by what it is for: every row that names it, with the other generated ids in these
rows replaced in the same way, and so on until no two ids can be told apart any more that could not before.
So two systems are alike if their rows are the same and refer to each other in the same way. Of moments the
day is left. What else may differ between two right runs is named in `LEFT_OUT`, with its reason.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rig.state import Connection, tables
from rig.system import SERVICES, System

_ENCRYPTED = "encrypted with a random nonce"
_REAL_CLOCK = "by the real clock"
_ASKED = "counts how often was asked"
_SEQUENCE = "counts with gaps, in the order of commits"
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "enrollment.children": {"iin_encrypted": _ENCRYPTED},
    "enrollment.guardian_links": {"iin_encrypted": _ENCRYPTED, "next_ask_at": _REAL_CLOCK, "asks": _ASKED},
    "enrollment.enrollments": {"changed_at": _REAL_CLOCK},
    "clubs.marks": {"number": _SEQUENCE},
    "clubs.reports": {"number": _SEQUENCE},
    "wallet.accounts": {"version": "counts how often it was written, by batches"},
    "wallet.operations": {"batch_id": "says what was done at once", "digest": "of a content with such ids"},
    "wallet.wallets": {"version": "counts locks"},
    "wallet.payouts": {"attempts": _ASKED, "version": _ASKED},
    "notifications.messages": {"number": _SEQUENCE},
    "notifications.deliveries": {"next_at": _REAL_CLOCK, "sent_at": _REAL_CLOCK, "attempts": _ASKED},
}
NOT_COMPARED = frozenset({"wallet.batches"})
"""Which says what was done at once, and nothing else."""
_ACCOUNTS = frozenset({"id", "debit_account", "credit_account", "account_id"})
"""Columns of the wallet with numbers of accounts; those above the fund's own come from a sequence."""
_PLACES = 1 << 40
_FIRST_PLACE = 1024

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::\d\d)?)?")
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(rf"(?<![0-9a-f])(?:{_UUID}|[0-9a-f]{{64}}|[0-9a-f]{{32}}|account-[0-9]+)(?![0-9a-f])")


@dataclass(frozen=True)
class Row:
    """A row as text with a gap for each generated id, and these ids in their order."""

    table: str
    text: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Likeness:
    """All rows of a system, and per table the rows with each id replaced by what it is for."""

    rows: Counter[tuple[str, str]]
    signatures: Mapping[str, Counter[str]]

    @property
    def digest(self) -> str:
        """Of everything."""
        told = sorted((table, sorted(found.items())) for table, found in self.signatures.items())
        return _digest(json.dumps(told))

    def differences(self, other: "Likeness") -> Iterator[str]:
        """Rows that only one of the two has; tables whose rows refer to each other otherwise."""
        for sign, missing in (("-", self.rows - other.rows), ("+", other.rows - self.rows)):
            for (table, text), count in sorted(missing.items()):
                yield f"{sign} {count} × {table} {text}"
        for table, found in self.signatures.items():
            if (count := (found - other.signatures[table]).total()) and self.rows == other.rows:
                yield f"{count} rows of {table} refer to others otherwise"


async def ids_of(system: System) -> set[str]:
    """All that look like one, in all tables: asked of a seeded system, those that are not generated."""
    return {id_ for _, content in await _contents(system) for id_ in _ids(content)}


async def of(system: System, known: Collection[str]) -> Likeness:
    """What two systems have in common if they are alike; known ids stand for themselves."""
    return of_rows(await _contents(system), known)


def of_rows(contents: Iterable[tuple[str, str]], known: Collection[str]) -> Likeness:
    """The same of rows as texts, each with its table."""
    rows = [_row(table, content, known) for table, content in contents]
    names = _names(rows)
    signatures: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        signatures[row.table][_signature(row, names)] += 1
    return Likeness(Counter((row.table, row.text) for row in rows), signatures)


async def _contents(system: System) -> list[tuple[str, str]]:
    """Every row of every table, as text."""
    found = []
    async with system.database() as database:
        await database.execute("SET timezone = 'UTC'")
        for service in SERVICES:
            for table in await tables(database, service):
                name = f"{service}.{table}"
                if name not in NOT_COMPARED:
                    found += [(name, _text(name, row)) for row in await _fetch(database, name)]
    return found


async def _fetch(database: Connection, name: str) -> list[dict[str, Any]]:
    rows = await database.fetch(f"SELECT to_jsonb(t)::text AS content FROM {name} AS t")  # noqa: S608 - ours
    return [json.loads(row["content"]) for row in rows]


def _text(table: str, row: Mapping[str, Any]) -> str:
    """Without what is left out, with accounts marked as ids and messages to the bank as text."""
    left_out = LEFT_OUT.get(table, {})
    told = {
        column: _readable(table, column, value) for column, value in row.items() if column not in left_out
    }
    return _MOMENT.sub(r"\1", json.dumps(told, sort_keys=True, ensure_ascii=False))


def _readable(table: str, column: str, value: object) -> object:
    if isinstance(value, int) and table.startswith("wallet.") and column in _ACCOUNTS:
        return value if value % _PLACES < _FIRST_PLACE else f"account-{value}"
    if isinstance(value, str) and value.startswith("\\x"):
        content = bytes.fromhex(value[2:])
        return content.decode() if content.startswith(b"<?xml") else content.hex()
    return value


def _ids(text: str) -> list[str]:
    return [_plain(found) for found in _ID.findall(text)]


def _plain(id_: str) -> str:
    """An id is the same with and without dashes."""
    return id_ if id_.startswith("account-") else id_.replace("-", "")


def _row(table: str, text: str, known: Collection[str]) -> Row:
    ids: list[str] = []

    def gap(found: re.Match[str]) -> str:
        id_ = _plain(found[0])
        if id_ in known:
            return id_
        ids.append(id_)
        return "?"

    return Row(table, _ID.sub(gap, text), tuple(ids))


def _names(rows: Collection[Row]) -> dict[str, str]:
    """What each generated id is for; told apart further and further, until that tells no more apart."""
    names = dict.fromkeys((id_ for row in rows for id_ in row.ids), "")
    told_apart = 0
    while told_apart < (kinds := len(set(names.values()))):
        told_apart = kinds
        seen: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            signature = _signature(row, names)
            for place, id_ in enumerate(row.ids):
                seen[id_].append(f"{signature} {place}")
        names = {id_: _digest("\n".join(sorted(found))) for id_, found in seen.items()}
    return names


def _signature(row: Row, names: Mapping[str, str]) -> str:
    """The row with names for ids; an id that comes twice is told from two of one name."""
    first = {id_: place for place, id_ in reversed(list(enumerate(row.ids)))}
    told = [row.table, row.text, *(f"{first[id_]} {names[id_]}" for id_ in row.ids)]
    return _digest("\n".join(told))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
