"""A collector of traces, as small as one can be: OTLP over HTTP comes in, spans can be asked for."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One piece of work of one service. The ids are hexadecimal; the first span has a foreign parent."""

    trace_id: str
    id: str
    parent_id: str
    service: str
    name: str


@dataclass(frozen=True)
class Collector:
    """Where spans come together."""

    endpoint: str
    attributes: set[str] = field(default_factory=set)
    """All that spans say of themselves, of whatever trace."""
    _spans: list[Span] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """One export of one process."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for one in scope.spans:
                    self.attributes.update(str(said) for said in (*one.attributes, *one.events, one.status))
                self._spans.extend(
                    Span(
                        one.trace_id.hex(),
                        one.span_id.hex(),
                        one.parent_span_id.hex(),
                        told["service.name"],
                        one.name,
                    )
                    for one in scope.spans
                )

    def spans(self, trace_id: str) -> dict[str, Span]:
        """What has come of a trace so far, by id."""
        return {one.id: one for one in list(self._spans) if one.trace_id == trace_id}


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port, in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name is http.server's
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True, name="collector").start()
        try:
            yield collector
        finally:
            server.shutdown()
