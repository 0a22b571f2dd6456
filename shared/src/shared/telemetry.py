"""Figures and traces: Prometheus metrics of the process, OpenTelemetry spans over HTTP and Kafka.

Tracing is off unless an endpoint is set, and then costs one `if`. Spans carry routes and event types, never
contents or ids of people.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from shared.database import Transaction
from shared.events.envelope import Envelope

registry = CollectorRegistry()
ProcessCollector(registry=registry)  # memory, CPU, open files, and since when it runs
requests = Counter(
    "http_requests", "Answers sent", ("service", "method", "route", "status"), registry=registry
)
request_seconds = Histogram(
    "http_request_seconds",
    "From the request's first byte to the answer's last",
    ("service", "method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
outbox_length = Gauge("outbox_length", "Rows not yet acknowledged by Kafka", ("service",), registry=registry)
outbox_age = Gauge("outbox_age_seconds", "Age of the oldest such row", ("service",), registry=registry)
parked_keys = Gauge("parked_keys", "Keys that cannot go on", ("service", "reason"), registry=registry)
deadlines_overdue = Gauge(
    "deadlines_overdue_seconds", "How long the earliest deadline is due", ("service",), registry=registry
)

_OUTBOX = sa.text(
    "SELECT count(*) AS length, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS age"
    " FROM outbox"
)
_PARKED = sa.text(
    "SELECT reason, count(key) AS keys FROM (VALUES ('not_yet'), ('failed'), ('unreadable')) AS known(reason)"
    " LEFT JOIN parked_keys USING (reason) GROUP BY reason"
)
_OVERDUE = sa.text("SELECT extract(epoch FROM :now - min(due_at)) FROM deadlines")
_w3c = TraceContextTextMapPropagator()


async def measure(tx: Transaction, service: str) -> None:
    """Read the gauges that live in the database."""
    row = (await tx.execute(_OUTBOX)).one()
    outbox_length.labels(service).set(row.length)
    outbox_age.labels(service).set(row.age)
    overdue = (await tx.execute(_OVERDUE, {"now": tx.now})).scalar_one()
    deadlines_overdue.labels(service).set(max(overdue or 0, 0))
    for parked in await tx.execute(_PARKED):
        parked_keys.labels(service, parked.reason).set(parked.keys)


def seconds_since(id_: UUID) -> float:
    """How long ago, by the real clock, an id of ours (UUIDv7) was made; 0 if its maker's clock is ahead."""
    return max(time.time() - (id_.int >> 80) / 1000, 0.0)


def render_metrics() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry)


@dataclass(slots=True)
class _Tracing:
    tracer: Tracer | None = None


_tracing = _Tracing()


def start_tracing(service: str, otlp_endpoint: str | None) -> TracerProvider | None:
    """Send spans to a collector from now on. Shutting the provider down sends the last ones."""
    if otlp_endpoint is None:
        return None
    # The exporter takes half a second to import; without an endpoint nobody needs it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    _tracing.tracer = provider.get_tracer("social-wallet")
    return provider


@dataclass(frozen=True, slots=True)
class Hop:
    """A piece of work that may be traced, and what to hand on so that what follows belongs to it."""

    traceparent: str | None
    span: Span | None = None

    def finish(self, method: str, route: str, status: int) -> None:
        """Name the span of a request once its route is known."""
        if self.span is not None:
            self.span.update_name(f"{method} {route}")
            self.span.set_attribute("http.route", route)
            self.span.set_attribute("http.response.status_code", status)


@contextlib.contextmanager
def server_span(method: str, traceparent: str | None) -> Iterator[Hop]:
    """The span of a request, a child of the caller's."""
    with _span(method, SpanKind.SERVER, traceparent) as hop:
        yield hop


@contextlib.contextmanager
def consumer_span(envelope: Envelope) -> Iterator[Hop]:
    """The span of handling one event. What is published meanwhile carries the yielded `traceparent`."""
    with _span(f"handle {envelope.type}", SpanKind.CONSUMER, envelope.traceparent) as hop:
        yield hop


@contextlib.contextmanager
def _span(name: str, kind: SpanKind, traceparent: str | None) -> Iterator[Hop]:
    if _tracing.tracer is None:
        yield Hop(traceparent)
        return
    parent = _w3c.extract({"traceparent": traceparent} if traceparent else {}, getter=default_getter)
    with _tracing.tracer.start_as_current_span(name, context=parent, kind=kind) as span:
        yield Hop(_traceparent(span), span)


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return (
        f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
        f"-{context.trace_flags:02x}"
    )
