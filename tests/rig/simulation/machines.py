"""Services as processes: their own intake, replay and timekeeper on stand-in storage, topics between them.

A relay that dies before it deletes what it sent sends it again. A worker that lost a partition to another one
goes on with what it had read. A partition may be read again from an earlier offset, as after a restore.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, cast
from zlib import crc32

from clubs.consumers import router as clubs
from enrollment.consumers import router as enrollment
from notifications.consumers import router as notifications
from rig.simulation.store import CrashError, Edge, OutboxRow, Store
from shared.consumer import EventRouter
from shared.intake import Intake
from shared.kafka import Record
from shared.offsets import Partition
from shared.replay import Replay
from shared.timekeeper import Timekeeper
from wallet.consumers import router as wallet

ROUTERS = {"enrollment": enrollment, "clubs": clubs, "wallet": wallet, "notifications": notifications}
PARTITIONS = 3
WORKERS = 2


@dataclass(frozen=True)
class Rates:
    """How likely each fault is, each time it could happen."""

    crash: float = 0.02
    relay_repeats: float = 0.08
    rewind: float = 0.01
    idle: float = 0.25
    """A worker stands still for a while."""


NO_FAULTS = Rates(0, 0, 0, 0)


def finish(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - of any work
    """Run to the end what waits for nothing but itself."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the simulation has nothing to wait for")


class Sent(Record):
    """A record that reads its headers once, however often it is handed out."""

    __slots__ = ("_texts",)
    _texts: dict[str, str]

    def text_headers(self) -> dict[str, str]:
        if not hasattr(self, "_texts"):
            object.__setattr__(self, "_texts", Record.text_headers(self))
        return self._texts


class Topics:
    """All topics: the order of a partition is kept, as Kafka keeps it."""

    def __init__(self) -> None:
        self.logs: dict[Partition, list[Sent]] = {}

    def append(self, row: OutboxRow) -> None:
        """What the relay does with a row."""
        number = crc32(row.key.encode()) % PARTITIONS
        log = self.logs.setdefault((row.topic, number), [])
        headers = tuple((name, value.encode()) for name, value in row.headers.items())
        log.append(Sent(row.topic, number, len(log), row.key.encode(), headers, row.value))


@dataclass
class Machine:
    """One service with its workers."""

    name: str
    topics: Topics
    dice: Random
    now: Callable[[], datetime]
    committed: Callable[["Machine", set[str]], None]
    rates: Rates = NO_FAULTS
    paused: int = 0
    crashes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store()
        edge = Edge(self.store, self.now, self._may_die, lambda tables: self.committed(self, tables))
        self.edge = cast("Any", edge)
        self.router: EventRouter = ROUTERS[self.name]
        self._wanted: dict[str, bool] = {}
        self.intakes = [self._intake() for _ in range(WORKERS)]
        self.replay = Replay(self.edge, self.router)
        self.timekeeper = Timekeeper(self.edge, self.router)

    def _intake(self) -> Intake:
        return Intake(self.edge, self.router, group=self.name, kafka_bootstrap="")

    def _may_die(self, place: str) -> None:
        if self.dice.random() < self.rates.crash:
            self.crashes[place] = self.crashes.get(place, 0) + 1
            raise CrashError(place)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - of any work
        """Run it; None if the process dies."""
        try:
            return finish(work)
        except CrashError:
            return None

    def relay(self) -> int:
        """Send a batch of the outbox, the oldest first; die before deleting it now and then."""
        rows = self.store.rows("outbox")
        batch = sorted(rows)[: self.dice.randint(1, 20) if self.rates is not NO_FAULTS else None]
        for number in batch:
            self.topics.append(rows[number])
        if batch and self.dice.random() >= self.rates.relay_repeats:
            for number in batch:
                self.store.drop("outbox", number)
            self.store.commit()
        return len(batch)

    def read_again(self) -> None:
        """Somebody put an offset back: all from there comes once more."""
        offsets = self.store.rows("offsets")
        if offsets:
            partition = self.dice.choice(sorted(offsets))
            self.store.put("offsets", partition, self.dice.randrange(offsets[partition] + 1))
            self.store.commit()

    def take_in(self) -> int:
        """One worker takes in what it has read of some partitions; how many records."""
        if self.dice.random() < self.rates.rewind:
            self.read_again()
        place = self.dice.randrange(WORKERS)
        subscribed = sorted(one for one in self.topics.logs if one[0] in self.router.topics)
        if self.rates is not NO_FAULTS and subscribed:
            subscribed = self.dice.sample(subscribed, self.dice.randint(1, len(subscribed)))
        batches = self._read(self.intakes[place], subscribed)
        if batches:
            deaths = sum(self.crashes.values())
            self.do(self.intakes[place]._take_in(batches))  # noqa: SLF001 - all of `run` but Kafka
            if sum(self.crashes.values()) > deaths:
                self.intakes[place] = self._intake()  # it begins anew from what is stored
        return sum(map(len, batches.values()))

    def _read(self, intake: Intake, partitions: list[Partition]) -> dict[Partition, list[Sent]]:
        positions, stored = intake._next, intake._stored  # noqa: SLF001 - as `_place` does
        batches = {}
        for one in partitions:
            if one not in positions or self.rates is NO_FAULTS:
                positions[one] = stored[one] = self.store.rows("offsets").get(one, 0)
            since = positions[one]
            many = self.dice.choice((1, 2, 5, 50)) if self.rates is not NO_FAULTS else 500
            records = self.topics.logs[one][since : since + many]
            if records:
                batches[one] = records
        return batches

    def replay_parked(self) -> int:
        """Try what is parked."""
        return self.do(self.replay.once()) or 0 if self.store.rows("parked_keys") else 0

    def act_on_deadlines(self) -> int:
        """Act on what is due."""
        now = self.now()
        if not any(at <= now for at in self.store.rows("deadlines").values()):
            return 0
        return self.do(self.timekeeper.once()) or 0

    def next_deadline(self) -> datetime | None:
        """The earliest there is."""
        return min(self.store.rows("deadlines").values(), default=None)

    def behind(self) -> bool:
        """Whether there is something to send, to take in or to replay."""
        offsets = self.store.rows("offsets")
        return bool(self.store.rows("outbox")) or any(
            self._wanted_after(one, offsets.get(one, 0)) for one in self.topics.logs
        )

    def _wanted_after(self, partition: Partition, offset: int) -> bool:
        if partition[0] not in self.router.topics:
            return False
        return any(self._is_wanted(one) for one in self.topics.logs[partition][offset:])

    def _is_wanted(self, record: Sent) -> bool:
        type_ = record.text_headers()["ce_type"]
        if type_ not in self._wanted:
            self._wanted[type_] = self.router.wants(record)
        return self._wanted[type_]
