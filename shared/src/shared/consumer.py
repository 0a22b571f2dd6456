"""What a service does about events: its router, and how the events of one transaction reach their handlers.

The loops that bring records here are `shared.intake` (from Kafka) and `shared.replay` (parked ones).
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from prometheus_client import Counter, Histogram

from shared import inbox
from shared.database import Transaction
from shared.deadlines import DeadlineHandler
from shared.events.envelope import Envelope, Event, to_envelope
from shared.kafka import Record
from shared.parked import Why
from shared.telemetry import consumer_span, registry, seconds_since

HANDLED = Counter("events_handled_total", "Events whose handlers ran", ["type"], registry=registry)
SECONDS = Histogram(
    "event_seconds",
    "From the transaction that told an event to the one that handled it",
    ["type"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=registry,
)
REPEATED = Counter("events_repeated_total", "Events that the inbox knew already", registry=registry)


@dataclass(frozen=True, slots=True)
class NotYet:
    """A handler's answer when a fact it needs has not arrived: the event waits for it, nothing is refused.

    Whatever the handler wrote before answering so is rolled back.
    """

    fact: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A request that an operator dropped, by its headers only: its body may be unreadable."""

    type: str
    subject: str
    key: str


Handler = Callable[[Transaction, Envelope], Awaitable[NotYet | None]]
BatchHandler = Callable[[Transaction, Sequence[Envelope]], Awaitable[Sequence[NotYet | None]]]
DropHandler = Callable[[Transaction, Dropped], Awaitable[None]]

SomeHandler = TypeVar("SomeHandler", bound=Handler)
SomeBatchHandler = TypeVar("SomeBatchHandler", bound=BatchHandler)
SomeDropHandler = TypeVar("SomeDropHandler", bound=DropHandler)
SomeDeadlineHandler = TypeVar("SomeDeadlineHandler", bound=DeadlineHandler)


class EventRouter:
    """Which function of a service handles which event, dropped request, or deadline."""

    def __init__(self) -> None:
        self._batches: dict[str, BatchHandler] = {}
        self._topics: set[str] = set()
        self.drops: dict[str, DropHandler] = {}
        self.deadlines: dict[str, DeadlineHandler] = {}

    def on(self, *events: type[Event]) -> Callable[[SomeHandler], SomeHandler]:
        """Handle each event of these types by itself, in the order of its key."""

        def register(handler: SomeHandler) -> SomeHandler:
            self._register(events, _one_by_one(handler))
            return handler

        return register

    def on_batch(self, *events: type[Event]) -> Callable[[SomeBatchHandler], SomeBatchHandler]:
        """Handle each run of consecutive events of these types at once; one answer for each, in order."""

        def register(handler: SomeBatchHandler) -> SomeBatchHandler:
            self._register(events, _together(handler))
            return handler

        return register

    def on_drop(self, event: type[Event]) -> Callable[[SomeDropHandler], SomeDropHandler]:
        """Answer for a request of this type that an operator drops."""

        def register(handler: SomeDropHandler) -> SomeDropHandler:
            self.drops[event.type] = handler
            return handler

        return register

    def on_deadline(self, kind: str) -> Callable[[SomeDeadlineHandler], SomeDeadlineHandler]:
        """Act on a deadline of this kind."""

        def register(handler: SomeDeadlineHandler) -> SomeDeadlineHandler:
            self.deadlines[kind] = handler
            return handler

        return register

    def _register(self, events: Sequence[type[Event]], handler: BatchHandler) -> None:
        for event in events:
            if event.type in self._batches:
                raise ValueError(f"{event.type} has two handlers")
            self._batches[event.type] = handler
            self._topics.add(event.topic)

    @property
    def topics(self) -> frozenset[str]:
        """The topics to read."""
        return frozenset(self._topics)

    @property
    def types(self) -> frozenset[str]:
        """The types that are handled here."""
        return frozenset(self._batches)

    def wants(self, record: Record) -> bool:
        """Whether the record's type is handled here; one without a type is nobody's, and is set aside."""
        type_ = record.text_headers().get("ce_type")
        return type_ is None or type_ in self._batches

    def read(self, record: Record) -> Envelope | Why:
        """The event in a record, or why it cannot be handled now."""
        headers = record.text_headers()
        if "ce_type" not in headers:
            return Why("unreadable", "no_type")
        if headers["ce_type"] not in self._batches:  # a newer version of this service parked it
            return Why("not_yet", "handler")
        try:
            return to_envelope(headers, topic=record.topic, key=record.text_key() or "", value=record.value)
        except ValueError:  # its text may quote the content
            return Why("unreadable", "content")

    def runs(self, envelopes: Sequence[Envelope]) -> Iterator[tuple[BatchHandler, list[Envelope]]]:
        """Consecutive envelopes that one handler takes together."""
        for handler, run in groupby(envelopes, key=lambda one: self._batches[one.type]):
            yield handler, list(run)


def _one_by_one(handler: Handler) -> BatchHandler:
    async def handle_each(tx: Transaction, envelopes: Sequence[Envelope]) -> list[NotYet | None]:
        answers = []
        for envelope in envelopes:
            with _traced([envelope]) as (traced,):
                answers.append(await handler(tx.caused_by(traced), traced))
        return answers

    return handle_each


def _together(handler: BatchHandler) -> BatchHandler:
    async def handle_all(tx: Transaction, envelopes: Sequence[Envelope]) -> Sequence[NotYet | None]:
        with _traced(envelopes) as traced:
            return await handler(tx, traced)

    return handle_all


@contextmanager
def _traced(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """The same events, each within its span: what is caused by them belongs to it."""
    with ExitStack() as spans:
        hops = [spans.enter_context(consumer_span(one)) for one in envelopes]
        yield [replace(one, traceparent=hop.traceparent) for one, hop in zip(envelopes, hops, strict=True)]


async def handle(
    tx: Transaction, router: EventRouter, envelopes: Sequence[Envelope]
) -> list[tuple[Envelope, NotYet]]:
    """Claim these events and hand them on in order; those that must wait are told with what they wait for.

    If any must, the caller rolls back: the inbox must not know an event that is not done.
    """
    first_seen = await inbox.claim(tx, envelopes)
    fresh = []
    for envelope in envelopes:
        identity = (envelope.id, envelope.source)
        if identity in first_seen:
            first_seen.remove(identity)  # the same event twice in one chunk is done once
            fresh.append(envelope)
    REPEATED.inc(len(envelopes) - len(fresh))

    must_wait = []
    for handler, run in router.runs(fresh):
        answers = await handler(tx, run)
        must_wait += [(one, answer) for one, answer in zip(run, answers, strict=True) if answer is not None]
    if not must_wait:
        for envelope in fresh:
            HANDLED.labels(envelope.type).inc()
            SECONDS.labels(envelope.type).observe(seconds_since(envelope.id))
    return must_wait
