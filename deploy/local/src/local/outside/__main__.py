"""`python -m local.outside`: run the outside world on the ports of the environment."""

import os
import sys
from pathlib import Path

import uvicorn

from local.outside.app import create
from local.outside.store import Store


def main() -> None:
    if os.environ.get("SW_ENVIRONMENT") != "development":
        sys.exit("local.outside gives tokens to whoever asks: it runs with SW_ENVIRONMENT=development only")
    port = int(os.environ["SW_PORT"])
    store = Store(Path(os.environ["SW_STORE"]))
    app = create(store, url=f"http://127.0.0.1:{port}", smtp_port=int(os.environ["SW_SMTP_PORT"]))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
