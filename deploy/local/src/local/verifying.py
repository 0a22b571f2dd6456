"""Runs the wallet's own verification on the local system: as the auditor, with the development's log key."""

import subprocess
import sys
from pathlib import Path

from local import places
from local.layout import Layout

_COMMAND = (sys.executable, "-m", "wallet.verifying")


def ledger(system: Layout) -> int:
    """Check every sealed row; the exit code says whether nothing was found."""
    given = [
        "--database",
        system.role_url("auditor"),
        "--checkpoints",
        str(places.CHECKPOINTS),
        *_key(system),
    ]
    return _run("ledger", *given)


def receipt(system: Layout, file: Path) -> int:
    """Check a receipt; the exit code says whether it is proven. Nothing has to run for it."""
    return _run("receipt", str(file), *_key(system))


def _run(*arguments: str) -> int:
    return subprocess.run([*_COMMAND, *arguments], check=False).returncode  # noqa: S603 - our own


def _key(system: Layout) -> list[str]:
    asked = subprocess.run(  # noqa: S603 - our own
        [*_COMMAND, "key"], env=system.environment("wallet"), check=True, capture_output=True, text=True
    )
    return [part for key in asked.stdout.split() for part in ("--key", key)]
