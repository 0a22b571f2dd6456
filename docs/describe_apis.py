"""Writes `docs/openapi/<service>.json`, as each API describes itself; `--check` only says if one differs."""

import json
import sys
from pathlib import Path

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from notifications.main import service as notifications
from shared.service import Service
from wallet.main import service as wallet

FOLDER = Path(__file__).parent / "openapi"
SERVICES = (clubs, enrollment, notifications, wallet)
NOWHERE = {"environment": "development", "database_url": "postgresql://", "issuer": "http://issuer.invalid"}
"""Settings of an app that answers nobody."""


def render(service: Service) -> str:
    """The API of one service, in an order that does not change by itself."""
    settings = service.settings.model_validate(NOWHERE)
    app = service.app(settings, None)  # type: ignore[arg-type] # no database is asked
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(*, only_check: bool) -> int:
    """The exit status: 0 if the files are, or now are, what the code says."""
    wanted = {FOLDER / f"{service.name}.json": render(service) for service in SERVICES}
    if only_check:
        found = {path: path.read_text() for path in FOLDER.glob("*.json")}
        return 0 if found == wanted else 1
    FOLDER.mkdir(exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
