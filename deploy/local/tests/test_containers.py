"""Servers in containers, by a Docker engine of the test's own: what is asked of it, and what if it cannot."""

import contextlib
import gc
import http.server
import json
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from local import containers, places
from local.errors import LocalError
from local.servers import free_ports

# The Docker client leaves sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Engine:
    """Speaks as much of Docker's API as is needed; a container is a line from its port to a server."""

    def __init__(self, server: str | None) -> None:
        self.server = server
        self.created: list[dict[str, Any]] = []
        self.removed = 0
        self._ports: dict[str, int] = {}
        self._lines = contextlib.ExitStack()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, object]:
        """The status and the content."""
        path = re.sub(r"^/v[\d.]+", "", urlsplit(path).path)
        content: object
        status, content = 500, {"message": "no space left on device"}
        match method, path.strip("/").split("/"):
            case "GET", ["_ping"]:
                status, content = 200, "OK"
            case "GET", ["version"]:
                status, content = 200, {"ApiVersion": "1.44", "Version": "27"}
            case "GET", ["images", name, "json"] if self.server:
                status, content = 200, {"Id": name}
            case "POST", ["containers", "create"] if self.server:
                status, content = 201, self._create(body)
            case "GET", ["containers", id_, "json"]:
                status, content = 200, {"Id": id_, "State": {"Status": "running"}, "Config": {}}
            case "POST", ["containers", id_, "start"]:
                self._lines.enter_context(line(self._ports[id_], str(self.server)))
                status, content = 204, {}
            case "DELETE", ["containers", _]:
                self.removed += 1
                self._lines.close()
                status, content = 204, {}
        return status, content

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        self.created.append(body)
        id_ = f"container{len(self.created)}"
        (bound,) = body["HostConfig"]["PortBindings"].values()
        self._ports[id_] = int(bound[0]["HostPort"])
        return {"Id": id_, "Warnings": []}


@contextlib.contextmanager
def line(port: int, server: str) -> Iterator[None]:
    """What comes to the port is brought to the server."""
    host = urlsplit(server)
    listening = socket.create_server(("127.0.0.1", port))

    def bring(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                behind = socket.create_connection((host.hostname, host.port))
                for pair in ((client, behind), (behind, client)):
                    threading.Thread(target=bring, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@contextlib.contextmanager
def serving(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, content = engine.answer(self.command, self.path, body)
            sent = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            if status == 204:
                sent = b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        monkeypatch.setattr("testcontainers.core.config.testcontainers_config.ryuk_disabled", True)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _nothing_is_left_to_other_tests() -> Iterator[None]:
    yield
    gc.collect()


def test_the_images_are_those_of_the_compose_file() -> None:
    services = yaml.safe_load((places.CLONE / "docker-compose.yml").read_text())["services"]
    named = {services[name]["image"].partition("@")[0] for name in ("postgres", "kafka")}
    assert named == {containers.POSTGRES, containers.KAFKA}


def test_no_engine_on_this_machine_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert not containers.engine_answers()
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # elsewhere: its ports are not ours
    assert not containers.engine_answers()


def test_an_engine_that_cannot_start_a_container_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Engine(None), monkeypatch):
        assert containers.engine_answers()
        with (
            pytest.raises(LocalError, match="no space left on device"),
            containers.running(postgres_port=1, kafka_port=None),
        ):
            raise AssertionError


def test_a_server_in_a_container_is_there_and_then_gone(
    monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    engine = Engine(postgres)
    (port,) = free_ports(1)
    with serving(engine, monkeypatch):
        with containers.running(postgres_port=port, kafka_port=None) as addresses:
            assert addresses == {"database_url": f"postgresql://postgres@127.0.0.1:{port}/postgres"}
            assert engine.removed == 0
        assert engine.removed == 1
    (created,) = engine.created
    assert created["Image"] == containers.POSTGRES
    assert "fsync=on" in created["Cmd"]
    assert "POSTGRES_HOST_AUTH_METHOD=trust" in created["Env"]
