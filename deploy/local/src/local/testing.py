"""For tests of the local system: its outside world, run as a process on ports of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from local.servers import free_ports
from shared.tls import tls

_START_SECONDS = 30


class World(NamedTuple):
    """Where it answers."""

    url: str
    smtp_port: int
    http: httpx.Client


@contextmanager
def outside(store: Path) -> Iterator[World]:
    """The outside world that remembers in this file, for as long as the context is open."""
    port, smtp_port = free_ports(2)
    told = {
        "SW_ENVIRONMENT": "development",
        "SW_PORT": str(port),
        "SW_SMTP_PORT": str(smtp_port),
        "SW_STORE": str(store),
    }
    url = f"http://127.0.0.1:{port}"
    with (
        subprocess.Popen([sys.executable, "-m", "local.outside"], env=os.environ | told) as process,
        httpx.Client(base_url=url, trust_env=False, verify=tls()) as http,
    ):
        try:
            _wait_until_ready(http)
            yield World(url, smtp_port, http)
        finally:
            process.terminate()


def _wait_until_ready(http: httpx.Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            http.get("/readyz").raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
