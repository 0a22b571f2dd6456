"""`deploy/pin_images.py` against a registry that speaks as public ones do: challenge, token, manifest."""

import contextlib
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from local import places

MANIFESTS = {
    "/v2/library/postgres/manifests/18.6": b'{"schemaVersion": 2, "manifests": []}',
    "/v2/keycloak/keycloak/manifests/26.7.3": b'{"schemaVersion": 2, "layers": []}',
    "/v2/library/python/manifests/3.13.14-slim": b'{"schemaVersion": 2}',
}
COMPOSE = """\
services:
  postgres:
    image: postgres:18.6 # the database
  keycloak:
    image: quay.io/keycloak/keycloak:26.7.3
  gone:
    image: prom/prometheus:v0
  wallet:
    image: social-wallet/wallet
"""


@contextlib.contextmanager
def registry(*, lying: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the scopes that it gave tokens for."""
    scopes: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, address = urlsplit(self.path), f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined] # of HTTPServer
            if path.path == "/token":
                (scope,) = parse_qs(path.query)["scope"]
                scopes.append(scope)
                self.answer(200, json.dumps({"token": scope}).encode())
            elif self.headers["Authorization"] != f"Bearer {self.scope(path.path)}":
                scope = self.scope(path.path)
                challenge = f'Bearer realm="{address}/token",service="registry",scope="{scope}"'
                self.answer(401, b"{}", challenge=challenge)
            elif path.path in MANIFESTS and "oci.image.index" in self.headers["Accept"]:
                self.answer(200, MANIFESTS[path.path], digest=True)
            else:
                self.answer(404, b"{}")

        def scope(self, path: str) -> str:
            return f"repository:{path.removeprefix('/v2/').partition('/manifests/')[0]}:pull"

        def answer(self, status: int, content: bytes, *, challenge: str = "", digest: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            if digest:
                self.send_header(
                    "Docker-Content-Digest", f"sha256:{'0' * 64}" if lying else digest_of(content)
                )
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", scopes
        finally:
            server.shutdown()
            thread.join()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def pin(mirror: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        places.CLONE / "deploy" / "pin_images.py",
        "--mirror",
        mirror,
        *files,
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - ours


def test_digests_are_what_the_registry_sends_and_the_rest_stays(tmp_path: Path) -> None:
    compose, dockerfile = tmp_path / "docker-compose.yml", tmp_path / "Dockerfile"
    compose.write_text(COMPOSE)
    dockerfile.write_text("ARG PYTHON=python:3.13.14-slim\nFROM ${PYTHON} AS build\n")
    with registry() as (mirror, scopes):
        done = pin(mirror, compose, dockerfile)
        again = pin(mirror, compose, dockerfile)
    postgres, keycloak, python = map(digest_of, MANIFESTS.values())
    assert compose.read_text() == COMPOSE.replace("postgres:18.6", f"postgres:18.6@{postgres}").replace(
        "keycloak:26.7.3", f"keycloak:26.7.3@{keycloak}"
    )
    assert dockerfile.read_text().splitlines()[0] == f"ARG PYTHON=python:3.13.14-slim@{python}"
    assert "repository:library/postgres:pull" in scopes
    assert (done.returncode, again.returncode) == (1, 1)  # one image is not there
    assert "prom/prometheus:v0 stays as it is: HTTP Error 404" in done.stdout


def test_what_is_not_what_it_is_called_is_not_written(tmp_path: Path) -> None:
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(COMPOSE)
    with registry(lying=True) as (mirror, _):
        done = pin(mirror, compose)
    assert compose.read_text() == COMPOSE
    assert done.returncode == 1
    assert "is not what it names" in done.stdout


def test_where_nobody_answers_nothing_changes(tmp_path: Path) -> None:
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(COMPOSE)
    done = pin("http://127.0.0.1:1", compose)
    assert (compose.read_text(), done.returncode) == (COMPOSE, 1)
