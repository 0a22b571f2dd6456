"""Prometheus and promtool, unpacked from Debian's package `prometheus`: nothing is installed.

The package is looked up and verified by apt, as on any Debian; elsewhere this cannot run, and says so.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from local import child, places
from local.servers import free_ports

SETTINGS = places.CLONE / "deploy" / "prometheus"
_START_SECONDS = 60


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON, for looking only
        """What its API says under `/api/v1`."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False, timeout=30)
        return answer.raise_for_status().json()["data"]


def tools() -> Path:
    """The folder of the programs; unpacked if they are not there yet."""
    home = places.TOOLS / "prometheus"
    if not home.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise AssertionError(
                "Prometheus is unpacked from Debian's package: this needs apt-get and dpkg-deb"
            )
        part = places.TOOLS / f"prometheus.{os.getpid()}.part"
        part.mkdir(parents=True)
        try:
            subprocess.run(["apt-get", "download", "prometheus"], cwd=part, check=True)  # noqa: S607 - Debian's
            (package,) = part.glob("prometheus_*.deb")
            subprocess.run(["dpkg-deb", "-x", package, part / "content"], check=True)  # noqa: S603, S607 - Debian's
            (part / "content" / "usr" / "bin").rename(home)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return home


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it beside the settings."""
    return subprocess.run(  # noqa: S603 - see above
        [tools() / "promtool", *arguments],
        cwd=SETTINGS,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@contextlib.contextmanager
def running(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """With the committed settings, but for where each job's process answers; every second, not every 15."""
    settings = yaml.safe_load((SETTINGS / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(SETTINGS / "alerts.yml")]
    for job in settings["scrape_configs"]:
        job["static_configs"][0]["targets"] = [targets[job["job_name"]]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [tools() / "prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    process = child.spawn(command, log=folder / "prometheus.log")
    try:
        _wait_until_ready(url)
        yield Prometheus(url)
    finally:
        child.stop(process, within=30)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready", trust_env=False).is_success:
                return
        if time.monotonic() > deadline:
            raise AssertionError("Prometheus does not start")
        time.sleep(0.2)
