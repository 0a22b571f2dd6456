"""One trace from a request to the handler of the event it led to, read by a real collector."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared import telemetry
from shared.database import new_id
from shared.events.envelope import Envelope, Event
from shared.testing_http import served

INCOMING = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Collector:
    """Takes spans as OpenTelemetry's collector does."""

    provider: TracerProvider | None = None
    spans: list[Span] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        exported = ExportTraceServiceRequest.FromString(await request.body())
        for resource in exported.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return Response(b"", media_type="application/x-protobuf")

    async def receive_all(self) -> None:
        assert self.provider is not None
        await asyncio.to_thread(self.provider.force_flush)


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    monkeypatch.setattr(telemetry, "_tracing", telemetry._Tracing())  # noqa: SLF001 - off again after the test
    async with served(app) as url:
        collector.provider = telemetry.start_tracing("sample", url)
        yield collector
        assert collector.provider is not None
        await asyncio.to_thread(collector.provider.shutdown)


def _envelope(traceparent: str | None) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(
        new_id(),
        "enrollment.canceled.v1",
        "/enrollment",
        "s",
        now,
        "t",
        "k",
        new_id(),
        None,
        traceparent,
        Event(),
    )


async def test_a_request_and_its_consequences_are_one_trace(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    await client.get("/v1/things", headers={"traceparent": INCOMING})
    with telemetry.server_span("POST", INCOMING) as request:
        assert request.traceparent is not None
    with telemetry.consumer_span(_envelope(request.traceparent)) as handling:
        assert handling.traceparent not in (None, request.traceparent)
    await collector.receive_all()
    assert len(collector.spans) == 3
    by_name = {span.name: span for span in collector.spans}
    assert {span.trace_id.hex() for span in collector.spans} == {INCOMING.split("-")[1]}
    assert by_name["GET /v1/things"].parent_span_id.hex() == INCOMING.split("-")[2]
    handler = by_name["handle enrollment.canceled.v1"]
    assert handler.parent_span_id == by_name["POST"].span_id


async def test_without_a_collector_the_callers_trace_is_passed_through() -> None:
    with telemetry.server_span("POST", INCOMING) as request:
        assert request.traceparent == INCOMING
    envelope = replace(_envelope(None), traceparent=INCOMING)
    with telemetry.consumer_span(envelope) as handling:
        assert handling.traceparent == INCOMING
