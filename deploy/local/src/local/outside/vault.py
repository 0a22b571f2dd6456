"""What the sandbox bank remembers: orders that reached it, and how it is to behave."""

import sqlite3
from typing import NamedTuple

_TABLES = """
CREATE TABLE IF NOT EXISTS payments (
    number INTEGER PRIMARY KEY,
    msg_id TEXT NOT NULL UNIQUE,
    end_to_end_id TEXT NOT NULL,
    iban TEXT NOT NULL,
    amount TEXT NOT NULL,
    taken_on TEXT NOT NULL,
    late INTEGER NOT NULL,
    behavior TEXT NOT NULL,
    document BLOB NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    asked INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS behaviors (iban TEXT PRIMARY KEY, behavior TEXT NOT NULL, seconds REAL NOT NULL);
"""
_COLUMNS = "msg_id, end_to_end_id, iban, amount, taken_on, late, behavior, document, times, asked"


class Payment(NamedTuple):
    """An order as it was taken; how often it was sent (`times`) and asked about (`asked`)."""

    msg_id: str
    end_to_end_id: str
    iban: str
    amount: str
    taken_on: str
    late: bool
    """It was to be executed on a day before."""
    behavior: str
    document: bytes
    times: int = 1
    asked: int = 0


class Vault:
    """Short statements on a local file: called from the event loop without a thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(_TABLES)

    def take(self, payment: Payment) -> bool:
        """Keep it for good; False if an order of this id has been taken before."""
        taken = self._database.execute(
            f"INSERT INTO payments ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
            " ON CONFLICT (msg_id) DO UPDATE SET times = times + 1 RETURNING times",
            payment,
        )
        return bool(taken.fetchone()[0] == 1)

    def ask(self, msg_id: str) -> Payment | None:
        """The payment, with this question counted."""
        rows = self._database.execute(
            f"UPDATE payments SET asked = asked + 1 WHERE msg_id = ? RETURNING {_COLUMNS}",  # noqa: S608 - our own names
            [msg_id],
        )
        row = rows.fetchone()
        return Payment(*row) if row else None

    def payments(self) -> list[Payment]:
        """All of them, in the order in which they came."""
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM payments ORDER BY number")  # noqa: S608 - our own names
        return [Payment(*row) for row in rows]

    def behave(self, iban: str | None, behavior: str, seconds: float) -> None:
        """From now on treat orders for this account so; None: all that nothing else is said about."""
        self._database.execute(
            "INSERT INTO behaviors VALUES (?, ?, ?) ON CONFLICT (iban)"
            " DO UPDATE SET behavior = excluded.behavior, seconds = excluded.seconds",
            [iban or "", behavior, seconds],
        )

    def change_mind(self, iban: str | None, behavior: str) -> None:
        """Treat so what was taken already, for this account or for all."""
        self._database.execute(
            "UPDATE payments SET behavior = ?1 WHERE ?2 IS NULL OR iban = ?2", [behavior, iban]
        )

    def behavior(self, iban: str) -> tuple[str, float]:
        """How an order for this account is treated, and how long it takes to answer."""
        rows = self._database.execute(
            "SELECT behavior, seconds FROM behaviors WHERE iban IN (?, '') ORDER BY iban DESC LIMIT 1", [iban]
        )
        behavior, seconds = rows.fetchone() or ("accept", 0.0)
        return str(behavior), float(seconds)
