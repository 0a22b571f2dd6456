"""A wallet whose worker and database are killed wherever they are, under everything that is asked of it.

The database is a cluster of its own: others go on. Kafka and the bank stay; what they know is what the wallet
is judged by in the end, with what families and offices (`rig/mixed_load.py`) say must have become of it.
"""

import asyncio
import contextlib
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.postgres import Postgres
from local.servers import free_ports
from rig.mixed_load import Families, Month, Offices
from rig.office import SandboxBank, sandbox_bank
from rig.processes import ServiceProcess
from shared import clock
from shared.database import new_id
from shared.events.envelope import Event, to_headers
from shared.kafka import create_topics
from shared.retrying import until_it_passes
from shared.testing import ISSUER, Database, Databases, set_clock
from wallet.main import service as wallet
from wallet.repository.audits import AUDITS
from wallet.testing import World

STARTED = clock.civil_moment(clock.first_day("2026-11") + timedelta(days=17)) + timedelta(hours=9)
"""October's months are due on this very day."""
LATER = STARTED + timedelta(days=28)
"""Allotments until the end of November are over."""
EVENTS_PER_SECOND = 25.0
ACT_SECONDS = 0.3
NEXT_DAY = 0.05
"""How often an act is to wait for the next day."""
WORK_SECONDS_MAX = 20.0
"""For the victim to be at work: a killed worker's partitions move after its session."""
SETTLE_SECONDS_MAX = 240.0
ONE_ANSWER = ("wallet.funds_held.v1", "wallet.funds_declined.v1", "wallet.month_charged.v1")
_AT_WORK = "SELECT client_port FROM pg_stat_activity WHERE usename = 'wallet' AND backend_xid IS NOT NULL"
_WAITING = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
    (SELECT count(*) FROM parked_records) AS parked,
    (SELECT count(*) FROM funding_runs WHERE state = 'running') AS funding_runs,
    (SELECT count(*) FROM payouts WHERE state NOT IN ('settled', 'bounced')) AS orders,
    (SELECT count(*) FROM payable_items WHERE stage NOT IN ('settled', 'void')) AS items,
    (SELECT count(*) FROM batches) - (SELECT count(*) FROM log_entries) AS unsealed
"""
_MONTHS = "SELECT enrollment_id, state, revision, captured_tiyn FROM enrollment_months"
_DONE = """
SELECT (SELECT count(*) FROM operations WHERE kind = 'hold')::bigint AS holds,
    (SELECT count(*) FROM charges)::bigint AS charges,
    (SELECT coalesce(sum(amount_tiyn), 0) FROM operations WHERE kind = 'deposit' AND code IS NULL)::bigint
        AS deposited_tiyn,
    (SELECT coalesce(sum(amount_tiyn), 0) FROM item_entries WHERE kind = 'settle')::bigint AS settled_tiyn,
    (SELECT count(*) FROM log_entries)::bigint AS sealed
"""


class Cluster:
    """PostgreSQL, to be killed with all its processes."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self._postgres = Postgres(folder, port)
        self._postgres.prepare()
        self._postmaster: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._postgres.url

    def start(self) -> None:
        """Also after a kill: what that left behind is PostgreSQL's to find."""
        self._postmaster = self._postgres.start()
        self._postgres.wait_until_ready()

    def kill(self) -> None:
        """`kill -9` of them all, as a power cut would."""
        if self._postmaster is None:
            raise AssertionError("it was never started")
        backends = psutil.Process(self._postmaster.pid).children(recursive=True)
        self._postmaster.kill()
        for process in backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._postmaster.wait()
        psutil.wait_procs(backends)

    def remove(self) -> None:
        self._postgres.stop()
        self._postgres.remove()


@dataclass
class Ordeal:
    """A wallet at work, and what was done to it."""

    cluster: Cluster
    database: Database
    kafka: str
    worker: ServiceProcess
    bank: SandboxBank
    families: Families
    offices: Offices
    dice: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    at_work: int = 0
    """How many of the kills hit a transaction."""

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Families tell and offices act; at the end of the block all that was begun is told to its end."""
        over = asyncio.Event()
        tasks = [asyncio.create_task(self._tell(over)), asyncio.create_task(self._act(over))]
        try:
            yield
            over.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, until: asyncio.Event) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka, acks="all", enable_idempotence=True
        ) as producer:
            while event := self.families.draw(more=not until.is_set()):
                value, key = event.model_dump_json().encode(), event.key.encode()
                await producer.send_and_wait(event.topic, value, key=key, headers=_headers(event))
                await asyncio.sleep(0 if until.is_set() else 1 / EVENTS_PER_SECOND)

    async def _act(self, until: asyncio.Event) -> None:
        day = STARTED
        while not until.is_set():
            await self.offices.act()
            if day < LATER and self.dice.random() < NEXT_DAY:
                day += timedelta(days=1)
                await until_it_passes(set_clock, self.database, day)
            await asyncio.sleep(ACT_SECONDS)

    async def kill(self, victim: str) -> Mapping[str, Sequence[Any]]:
        """At a random moment at which it is at work; then it is started again. What the audits find."""
        await asyncio.sleep(self.dice.uniform(0, 0.5))
        self.at_work += await self._until_at_work(victim)
        await asyncio.sleep(self.dice.uniform(0, 0.02))
        if victim == "worker":
            await asyncio.to_thread(self.worker.kill)
            await asyncio.to_thread(self.worker.start)
        else:
            self.cluster.kill()
            self.cluster.start()
        self.killed[victim] += 1
        return await self.findings()

    async def _until_at_work(self, victim: str) -> bool:
        """PostgreSQL in anybody's transaction, the worker in one of its own."""
        deadline = time.monotonic() + WORK_SECONDS_MAX
        async with self.looking() as connection:
            while time.monotonic() < deadline:
                ports = {row["client_port"] for row in await connection.fetch(_AT_WORK)}
                if ports and (victim == "postgres" or ports & self._ports_of_worker()):
                    return True
                await asyncio.sleep(0.002)
        return False

    def _ports_of_worker(self) -> set[int]:
        return {one.laddr.port for one in psutil.Process(self.worker.pid).net_connections()}

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[Any]:
        """A connection of somebody who may see everything."""
        connection = await asyncpg.connect(
            self.database.superuser_url, server_settings={"search_path": wallet.name}
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def findings(self) -> Mapping[str, Sequence[Any]]:
        """What the audits find now, if anything."""
        async with self.looking() as connection:
            found = {name: await connection.fetch(query) for name, query in AUDITS.items()}
        return {name: rows for name, rows in found.items() if rows}

    async def settle(self) -> Mapping[str, int]:
        """Until all is known, told, paid and sealed; what still waits when nothing more can be expected."""
        deadline, day = time.monotonic() + SETTLE_SECONDS_MAX, LATER
        while (waiting := await self._waiting())["months"] and time.monotonic() < deadline:  # noqa: ASYNC110 - rows tell it
            await asyncio.sleep(0.2)
        while any(waiting.values()) and time.monotonic() < deadline:
            day += timedelta(days=1)  # the bank gives up what it never heard of when its day is over
            await set_clock(self.database, day)
            for fund_id in (self.offices.world.ahead, self.offices.world.on_hold):
                await self.offices.pay(fund_id)
            await asyncio.sleep(1)
            waiting = await self._waiting()
        return waiting

    async def _waiting(self) -> dict[str, int]:
        async with self.looking() as connection:
            waiting = dict(await connection.fetchrow(_WAITING))
            months = await self._months(connection)
        unknown = [one for one, month in self.families.months.items() if months.get(one) != month]
        return waiting | {"months": len(unknown)}

    async def _months(self, connection: Any) -> dict[UUID, Month]:  # noqa: ANN401 - asyncpg's
        return {one: Month(*known) for one, *known in await connection.fetch(_MONTHS)}

    async def differs(self) -> dict[str, tuple[object, object]]:
        """What is not as it must be, once all has settled: what is, and what must be."""
        async with self.looking() as connection:
            done, months = dict(await connection.fetchrow(_DONE)), await self._months(connection)
            batches = await connection.fetchval("SELECT count(*) FROM batches")
        wanted = self.families.months
        payments, answers = self.bank.payments(), await self._answers()
        paid = sum(Decimal(one["amount"]) * 100 for one in payments if not one["late"])
        charges = sum(month.revision for month in wanted.values())
        compared = {
            "months": (months, wanted),
            "requests decided": (done["holds"], len(wanted)),
            "sheets charged": (done["charges"], charges),
            "answers told once": (Counter(answers.values()), Counter({1: len(wanted) + charges})),
            "deposited": (done["deposited_tiyn"], self.offices.deposited_tiyn),
            "orders that reached the bank more than once": (sum(one["times"] > 1 for one in payments), 0),
            "settled": (done["settled_tiyn"], paid),
            "batches sealed": (done["sealed"], batches),
        }
        return {what: pair for what, pair in compared.items() if pair[0] != pair[1]}

    async def _answers(self) -> Counter[tuple[str, str]]:
        """How many different events there are about each request and each sheet, of what Kafka has."""
        found = set()
        known = {str(one) for one in self.families.months}
        async with AIOKafkaConsumer(
            "wallet.events", bootstrap_servers=self.kafka, group_id=None, auto_offset_reset="earliest"
        ) as log:
            while batch := await log.getmany(timeout_ms=2000):
                for record in (record for records in batch.values() for record in records):
                    headers = {name: value.decode() for name, value in record.headers}
                    if headers["ce_type"] in ONE_ANSWER and headers["ce_subject"].partition("/")[0] in known:
                        about = headers["ce_type"].partition("_")[0], headers["ce_subject"]
                        found.add((about, headers["ce_id"]))
        return Counter(about for about, _ in found)


def _headers(event: Event) -> list[tuple[str, bytes]]:
    told = to_headers(
        event, id_=new_id(), time=STARTED, correlation_id=new_id(), causation_id=None, traceparent=None
    )
    return [(name, value.encode()) for name, value in told.items()]


@contextlib.asynccontextmanager
async def ordeal(folder: Path, kafka: str, dice: random.Random) -> AsyncIterator[Ordeal]:
    """A wallet with its money, its providers and its worker, in the middle of November."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        await create_topics(kafka, sorted(wallet.topics | wallet.events.topics))
        database = await Databases(cluster.url).create(wallet.name)
        await set_clock(database, STARTED)
        with sandbox_bank(folder, database.url("auditor")) as bank:
            worker = ServiceProcess("wallet", "worker", _environment(database, kafka, bank))
            async with database.edge(wallet.name) as edge:
                world = World(edge)
                await world.found()
                offices = Offices(world, edge, dice)
                families = Families(world, await offices.open(), dice)
                worker.start()
                try:
                    yield Ordeal(cluster, database, kafka, worker, bank, families, offices, dice)
                finally:
                    worker.kill()
    finally:
        cluster.remove()


def _environment(database: Database, kafka: str, bank: SandboxBank) -> dict[str, str]:
    return {
        "SW_ENVIRONMENT": "development",
        "SW_DATABASE_URL": database.url(wallet.name),
        "SW_KAFKA_BOOTSTRAP": kafka,
        "SW_ISSUER": ISSUER,
        "SW_BANK_URL": bank.url,
        "SW_BANK_TIMEOUT_SECONDS": "4",
        "SW_BANK_ASK_SECONDS": "0.2",
    }
