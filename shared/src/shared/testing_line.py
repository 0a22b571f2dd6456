"""For tests of event handling over a real broker: a topic and a consumer of the test's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import create_model

from shared.consumer import EventRouter
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from shared.events.envelope import Event, to_headers
from shared.intake import Intake
from shared.kafka import Message, Outlet
from shared.replay import Replay


class Happened(Event):
    """Something that happened to a thing; `number` counts per key."""

    thing: str
    number: int

    @property
    def key(self) -> str:
        return self.thing


def event_type(topic: str, name: str, *, full_state: bool = False) -> type[Happened]:
    """A new type of event in this topic."""
    return create_model(
        name.title(),
        __base__=Happened,
        type=(ClassVar[str], f"{topic}.{name}.v1"),
        topic=(ClassVar[str], topic),
        full_state=(ClassVar[bool], full_state),
    )


@dataclass
class Line:
    """A topic of the test's own, what is sent there, and the consumer under test."""

    edge: Edge
    kafka: str
    topic: str
    router: EventRouter = field(default_factory=EventRouter)
    outlet: Outlet | None = None

    async def send(self, *events: Event, ids: Sequence[UUID] = ()) -> None:
        """Write these events to Kafka, with these ids if given."""
        cause = Cause(new_id())
        messages = []
        for place, event in enumerate(events):
            headers = to_headers(
                event,
                id_=ids[place] if ids else new_id(),
                time=await self.now(),
                correlation_id=cause.correlation_id,
                causation_id=None,
                traceparent=None,
            )
            messages.append(Message(event.topic, event.key, headers, event.model_dump_json().encode()))
        await self.send_raw(*messages)

    async def send_raw(self, *messages: Message) -> None:
        if self.outlet is None:
            self.outlet = await Outlet.open(self.kafka)
        await self.outlet.send(messages)

    async def now(self) -> datetime:
        async with self.edge.transaction() as tx:
            return tx.now

    @contextlib.asynccontextmanager
    async def consuming(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run intake (the task) and replay meanwhile, as a worker does."""
        stopping = asyncio.Event()
        intake = Intake(self.edge, self.router, group=self.topic, kafka_bootstrap=self.kafka)
        taking_in = asyncio.create_task(intake.run(stopping))
        replaying = asyncio.create_task(Replay(self.edge, self.router).run())
        try:
            yield taking_in
        finally:
            stopping.set()
            replaying.cancel()
            await asyncio.wait_for(taking_in, 20)

    async def effects(self, thing: str | None = None) -> list[int]:
        """What the handlers did, in the order in which they did it."""
        query = "SELECT number FROM effects WHERE CAST(:thing AS text) IS NULL OR thing = :thing ORDER BY id"
        async with self.edge.engine.connect() as connection:
            rows = await connection.execute(sa.text(query), {"thing": thing})
            return list(rows.scalars())


async def note_effect(tx: Transaction, event: Event) -> None:
    """What the tests' handlers do."""
    await tx.execute(
        sa.text("INSERT INTO effects (thing, number) VALUES (:thing, :number)"),
        {"thing": event.key, "number": getattr(event, "number", 0)},
    )
