"""`python -m local.outside`: run the outside world on the ports of the environment."""

import os
import sqlite3
import sys
from pathlib import Path

import uvicorn

from local.outside.app import create
from local.outside.store import Store
from local.outside.vault import Vault
from shared.http.server import KEEP_ALIVE_SECONDS


def main() -> None:
    if os.environ.get("SW_ENVIRONMENT") != "development":
        sys.exit("local.outside gives tokens to whoever asks: it runs with SW_ENVIRONMENT=development only")
    port = int(os.environ["SW_PORT"])
    database = _opened(Path(os.environ["SW_STORE"]))
    app = create(
        Store(database),
        Vault(database),
        url=f"http://127.0.0.1:{port}",
        smtp_port=int(os.environ["SW_SMTP_PORT"]),
        clock_url=os.environ.get("SW_CLOCK_URL"),
    )
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _opened(path: Path) -> sqlite3.Connection:
    """One file for all that the outside world remembers; each statement is a transaction of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    return database


if __name__ == "__main__":
    main()
