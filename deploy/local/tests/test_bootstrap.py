"""`deploy/bootstrap.py`: what goes wrong is said, and nothing stays half done."""

import http.server
import os
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import places

pytestmark = pytest.mark.servers
SCRIPT = runpy.run_path(str(places.CLONE / "deploy" / "bootstrap.py"))
WHEELS = [f"uv-{SCRIPT['UV']}-py3-none-{tag}.whl" for _, tag, _ in SCRIPT["WHEELS"].values()]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As little of a clone as the script reads."""
    for name in ("pyproject.toml", "uv.lock", "shared/pyproject.toml", "deploy/bootstrap.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(places.CLONE / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def false_index() -> Iterator[str]:
    """A package index that lists uv's wheels and gives something else for each."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = "".join(f'<a href="/files/{name}">{name}</a>' for name in WHEELS)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(listed.encode() if self.path == "/simple/uv/" else b"not the wheel")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def run(clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.environ["PATH"], "HOME": str(clone), **environment}
    command = [sys.executable, "deploy/bootstrap.py"]
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=clone, env=told, capture_output=True, text=True, check=False
    )


def test_a_wheel_with_another_sha256_is_refused_and_not_kept(clone: Path, false_index: str) -> None:
    done = run(clone, PIP_INDEX_URL=false_index)
    assert done.returncode == 1
    assert "SHA-256 differs" in done.stderr
    assert list((clone / ".tools").iterdir()) == []


def test_an_unreachable_registry_is_named(clone: Path) -> None:
    done = run(clone, UV_INDEX_URL="http://127.0.0.1:1/simple")
    assert done.returncode == 1
    assert "127.0.0.1 is not reachable" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_without_the_release_is_told(clone: Path, false_index: str) -> None:
    done = run(clone, UV_DEFAULT_INDEX=f"{false_index}/elsewhere")
    assert done.returncode == 1
    assert "does not have uv-" in done.stderr
