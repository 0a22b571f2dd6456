"""Children for whom enrollment asks the wallet for money, month by month, and what must be answered.

Only enrollment's outbox is written, as its use cases would; there is no enrollment behind it. Each child has
a script of a few events whose order matters: what is asked after a cancellation is declined, what is asked
before it is held, and a child of whom nobody said yet that it is entitled gets nothing.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from rig.alone import Stand
from shared import outbox
from shared.database import new_id
from shared.edge import Edge
from shared.events.enrollment import Canceled
from shared.events.envelope import Event
from shared.testing import set_clock
from wallet.testing import World, asked

MONEY_TIYN = 100_000_000_000
PRICE_TIYN = 1_000
STARTED = datetime(2026, 9, 1, 9, tzinfo=UTC)
HELD, DECLINED = "wallet.funds_held.v1", "wallet.funds_declined.v1"
MONTHS = ("2026-10", "2026-11", "2026-12")
AT_ONCE = 60
"""Children whose scripts are under way at the same time."""
TICK_SECONDS = 0.05

Answer = tuple[str, str]
"""The request's subject, and the type of the answer."""


async def found_world(stand: Stand, edge: Edge) -> World:
    """A program with money for everybody, on the first of September 2026."""
    await set_clock(stand.database, STARTED)
    world = World(edge)
    await world.found()
    await world.pay_in(world.on_hold, MONEY_TIYN)
    return world


@dataclass
class Askers:
    """All that was told so far, and when; what must become of it."""

    world: World
    dice: random.Random
    told: int = 0
    expected: dict[UUID, list[Answer]] = field(default_factory=dict)
    committed_at: dict[str, float] = field(default_factory=dict)
    """When each request was committed, by its subject."""
    held: int = 0
    """Holds that must be open in the end."""
    _under_way: list[Iterator[Event]] = field(default_factory=list)

    async def tell(self, edge: Edge, *, rate: float, until: asyncio.Event) -> None:
        """Tell so many events a second, each child's in their order; in the end all scripts are complete."""
        started, sent = time.monotonic(), 0
        while self._under_way or not until.is_set():
            due = int((time.monotonic() - started) * rate) - sent
            events = list(self._draw(due, more=not until.is_set()))
            await self._commit(edge, events)
            sent += due
            await asyncio.sleep(TICK_SECONDS)

    def _draw(self, count: int, *, more: bool) -> Iterator[Event]:
        for _ in range(count):
            if more and len(self._under_way) < AT_ONCE:
                self._under_way.append(self._script())
            while self._under_way:
                script = self.dice.choice(self._under_way)
                if event := next(script, None):
                    yield event
                    break
                self._under_way.remove(script)

    async def _commit(self, edge: Edge, events: Sequence[Event]) -> None:
        if not events:
            return
        async with edge.transaction() as tx:
            for event in events:
                outbox.publish(tx, event)
        now = time.monotonic()
        self.committed_at |= {event.subject: now for event in events}
        self.told += len(events)

    def _script(self) -> Iterator[Event]:
        child_id, enrollment_id = new_id(), new_id()
        entitled = self.world.entitled(child_id)
        first, second, third = [
            asked(child_id, enrollment_id, month=month, price=PRICE_TIYN) for month in MONTHS
        ]
        canceled = self.dice.random() < 1 / 3
        self.expected[child_id] = [
            (first.subject, HELD),
            (second.subject, HELD),
            (third.subject, DECLINED if canceled else HELD),
        ]
        self.held += 0 if canceled else len(MONTHS)
        yield entitled
        yield first
        yield entitled.model_copy(update={"version": 2})
        yield second
        if canceled:
            yield Canceled(child_id=child_id, enrollment_id=enrollment_id, group_id=first.group_id)
        yield third

    @property
    def answers(self) -> int:
        """How many there must be."""
        return sum(len(answers) for answers in self.expected.values())


@dataclass
class Observer:
    """What somebody outside reads in the wallet's topic."""

    answers: defaultdict[UUID, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    """Of each child in the order of arrival, without what came again under the same id."""
    heard_at: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    _ids: Counter[bytes] = field(default_factory=Counter)

    async def listen(self, kafka: str) -> None:
        """Until canceled."""
        consumer = AIOKafkaConsumer(
            "wallet.events", bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async for record in consumer:
                self._hear(record.key, dict(record.headers))
        finally:
            await consumer.stop()

    def _hear(self, key: bytes, headers: dict[str, bytes]) -> None:
        if (type_ := headers["ce_type"].decode()) not in (HELD, DECLINED):
            return
        self._ids[headers["ce_id"]] += 1
        if self._ids[headers["ce_id"]] > 1:
            self.repeated += 1
            return
        subject = headers["ce_subject"].decode()
        self.answers[UUID(key.decode())].append((subject, type_))
        self.heard_at.setdefault(subject, time.monotonic())

    @property
    def heard(self) -> int:
        """How many different answers."""
        return sum(len(answers) for answers in self.answers.values())
