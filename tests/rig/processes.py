"""Processes of a service as they are deployed, to be killed wherever they are.

They are forked from one that has imported the service: an import takes seconds, and a test of kills starts
many of them.
"""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping

_WARM = multiprocessing.get_context("forkserver")


class ServiceProcess:
    """`python -m <service> <command>`, that can be killed and started again."""

    def __init__(self, service: str, command: str, environment: Mapping[str, str]) -> None:
        _WARM.set_forkserver_preload([f"{service}.main", "shared.commands", "shared.migrations", "pytest"])
        self._arguments = service, command, dict(environment)
        self._process = self._new()

    @property
    def pid(self) -> int | None:
        """None before it was started."""
        return self._process.pid

    def start(self) -> None:
        self._process = self._new()
        self._process.start()

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone. Nothing if it was never started."""
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()

    def _new(self) -> multiprocessing.context.ForkServerProcess:
        return _WARM.Process(target=_run, args=self._arguments, daemon=True)


def _run(service: str, command: str, environment: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("SW_")]:
        del os.environ[name]
    os.environ.update(environment)
    sys.argv = [service, command]
    importlib.import_module(f"{service}.__main__")
