"""What issuer and catchers remember: signing keys and messages."""

import json
import sqlite3
import time
from typing import Any, Literal, NamedTuple

_TABLES = """
CREATE TABLE IF NOT EXISTS signing_keys (id INTEGER PRIMARY KEY, jwk TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at REAL NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    UNIQUE (channel, id, recipient)
);
"""


class Message(NamedTuple):
    """One e-mail or SMS as it arrived. `times` counts repeats of the same id: they are the same message."""

    channel: Literal["mail", "sms"]
    id: str
    recipient: str
    subject: str
    body: str
    received_at: float = 0.0
    times: int = 1


class Store:
    """Short statements on a local file: called from the event loop without a thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(_TABLES)

    def signing_keys(self) -> list[dict[str, Any]]:
        """Private JWKs, oldest first."""
        rows = self._database.execute("SELECT jwk FROM signing_keys ORDER BY id")
        return [json.loads(jwk) for (jwk,) in rows]

    def add_signing_key(self, jwk: dict[str, Any], *, keep: int) -> None:
        """Add the newest key; only the `keep` newest stay."""
        self._database.execute("INSERT INTO signing_keys (jwk) VALUES (?)", [json.dumps(jwk)])
        self._database.execute(
            "DELETE FROM signing_keys WHERE id NOT IN (SELECT id FROM signing_keys ORDER BY id DESC LIMIT ?)",
            [keep],
        )

    def add_message(self, message: Message) -> None:
        self._database.execute(
            "INSERT INTO messages (channel, id, recipient, subject, body, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (channel, id, recipient) DO UPDATE SET times = times + 1",
            [*message[:5], time.time()],
        )

    def messages(self, *, recipient: str | None, limit: int) -> list[Message]:
        """The latest first."""
        rows = self._database.execute(
            "SELECT channel, id, recipient, subject, body, received_at, times FROM messages"
            " WHERE ?1 IS NULL OR recipient = ?1 ORDER BY number DESC LIMIT ?2",
            [recipient, limit],
        )
        return [Message._make(row) for row in rows]
