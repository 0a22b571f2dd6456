"""`python -m local.outside`: run the outside world on the ports of the environment."""

import os
import sys
from pathlib import Path

import uvicorn

from local.outside.app import create
from local.outside.store import Store
from local.outside.vault import Vault


def main() -> None:
    if os.environ.get("SW_ENVIRONMENT") != "development":
        sys.exit("local.outside gives tokens to whoever asks: it runs with SW_ENVIRONMENT=development only")
    port = int(os.environ["SW_PORT"])
    place = Path(os.environ["SW_STORE"])
    app = create(
        Store(place),
        Vault(place.with_name("bank.sqlite")),
        url=f"http://127.0.0.1:{port}",
        smtp_port=int(os.environ["SW_SMTP_PORT"]),
        clock_url=os.environ.get("SW_CLOCK_URL"),
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
