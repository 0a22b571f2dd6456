"""Programs as children of ours: they end when we end; what an earlier life left is found and ended.

Knows nothing about what they serve.
"""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Account(NamedTuple):
    """The user and group a program runs as."""

    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    end_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own (Ctrl-C is ours to handle), with its output in `log`.

    On Linux the kernel sends it `end_signal` when we die, even by kill -9. Call from the main thread: the
    kernel watches the thread that forked. Elsewhere `end_left_over` cleans up at the next start.
    """

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, end_signal)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the callers name the programs, nothing comes from outside
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/" if account else None,
            env=environment,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one C call that takes no lock
        )


def run(command: Sequence[str | Path], *, account: Account | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its output is in the answer."""
    return subprocess.run(  # noqa: S603 - the callers name the programs, nothing comes from outside
        command,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        cwd="/" if account else None,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def stop(process: subprocess.Popen[bytes], *, by: int = signal.SIGTERM, within: float) -> None:
    """Ask a child to end; kill it after `within` seconds."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_left_over(pid_file: Path, *, mark: str, by: int = signal.SIGTERM, within: float = 30) -> None:
    """End the process an earlier life left behind, and remove its pid file.

    A pid is reused sooner or later: only a process whose command line contains `mark` is ours.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
        process = psutil.Process(pid)
        if any(mark in part for part in process.cmdline()):
            process.send_signal(by)
            for stubborn in psutil.wait_procs([process], timeout=within)[1]:
                stubborn.kill()
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        pass
    pid_file.unlink(missing_ok=True)
