"""`python -m local.servers`: PostgreSQL and Kafka for as long as somebody holds our stdin open.

Prints one JSON line when both are ready, or serves one command: `python -m local.servers -- pytest -n 2`. For
tests and benchmarks; the supervisor starts the same two itself. With `--containers` they run in containers
where a Docker engine answers.
"""

import argparse
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local import containers, places
from local.errors import LocalError
from local.kafka import Kafka, fetch_jars
from local.postgres import Postgres

Process = subprocess.Popen[bytes]


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _sweep() -> None:
    """Remove temporary folders whose owner died without doing so, and end what still runs there."""
    for folder in places.STATE.glob("servers-*"):
        with contextlib.suppress(OSError), (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)


def _remove(folder: Path) -> None:
    Kafka(folder, 0, 0).end_left_over()
    Postgres(folder, 0).remove()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    places.STATE.mkdir(exist_ok=True)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix="servers-", dir=places.STATE))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            _remove(folder)


@contextlib.contextmanager
def running(folder: Path, options: argparse.Namespace) -> Iterator[tuple[dict[str, str], list[Process]]]:
    """The wanted servers, ready: their addresses and processes. Stopped in the end."""
    free = free_ports(3)
    postgres = Postgres(folder, options.postgres_port or free[0])
    kafka = Kafka(folder, options.kafka_port or free[1], free[2])
    addresses: dict[str, str] = {}
    wanted: list[Postgres | Kafka] = []
    if not options.no_postgres:
        addresses["database_url"] = postgres.url
        wanted.append(postgres)
        if postgres.outside:
            sys.stderr.write(f"user nobody cannot enter the clone: PostgreSQL uses {postgres.outside}\n")
    if not options.no_kafka:
        addresses["kafka_bootstrap"] = kafka.bootstrap
        wanted.append(kafka)
        fetch_jars()
    with ThreadPoolExecutor(2) as pool:
        for prepared in [pool.submit(server.prepare) for server in wanted]:
            prepared.result()
    try:
        processes = [server.start() for server in wanted]
        for server in wanted:
            server.wait_until_ready()
        yield addresses, processes
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # already ending
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for server in reversed(wanted):
            server.stop()


@contextlib.contextmanager
def _running_somewhere(
    folder: Path, options: argparse.Namespace
) -> Iterator[tuple[dict[str, str], list[Process]]]:
    """The wanted servers, in containers if that was said and can be done, else our own."""
    with contextlib.ExitStack() as stack:
        if options.containers and not options.folder and containers.engine_answers():
            free = free_ports(2)
            try:
                addresses = stack.enter_context(
                    containers.running(
                        postgres_port=None if options.no_postgres else options.postgres_port or free[0],
                        kafka_port=None if options.no_kafka else options.kafka_port or free[1],
                    )
                )
            except LocalError as error:
                sys.stderr.write(f"{error}: our own servers instead\n")
            else:
                yield addresses | {"servers": "in containers"}, []
                return
        addresses, processes = stack.enter_context(running(folder, options))
        yield addresses | {"servers": "our own"}, processes


def _end(_number: int, _frame: types.FrameType | None) -> None:
    raise SystemExit(0)


def _serve_until_stdin_closes(servers: Sequence[Process]) -> int:
    while all(server.poll() is None for server in servers):
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            return 0
    sys.stderr.write("a server ended by itself; its log is in the folder of its data\n")
    return 1


def _run(command: Sequence[str], addresses: dict[str, str]) -> int:
    """Run a command that finds the servers in its environment; its exit code."""
    told = {f"SW_{name.upper()}": address for name, address in addresses.items()}
    return subprocess.run(command, env=os.environ | told, check=False).returncode  # noqa: S603 - the caller's own


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.servers", description=__doc__)
    parser.add_argument("--postgres-port", type=int)
    parser.add_argument("--kafka-port", type=int)
    parser.add_argument("--folder", type=Path, help="kept afterwards; without it a temporary one in .local/")
    parser.add_argument(
        "--containers", action="store_true", help="in containers, where a Docker engine answers"
    )
    parser.add_argument("--no-kafka", action="store_true")
    parser.add_argument("--no-postgres", action="store_true")
    parser.add_argument("command", nargs="*", help="after --: serve this command, until it ends")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        with contextlib.ExitStack() as stack:
            folder = options.folder.resolve() if options.folder else stack.enter_context(_temporary_folder())
            addresses, processes = stack.enter_context(_running_somewhere(folder, options))
            if options.command:
                return _run(options.command, addresses)
            sys.stdout.write(json.dumps(addresses) + "\n")
            sys.stdout.flush()
            return _serve_until_stdin_closes(processes)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
