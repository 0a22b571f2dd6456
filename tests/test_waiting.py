"""Services over a real broker: a key that cannot go on waits alone, and giving it up answers who asked.

What enters is written to Kafka as the neighbors would write it; what leaves is read in the service's outbox.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from clubs.main import service as clubs
from enrollment.main import service as enrollment
from enrollment.testing import MONTHS, Scene
from shared import dropping, parked
from shared.database import new_id
from shared.events.clubs import SeatEvent, SeatRefused
from shared.events.enrollment import FundingRequested, SeatRequested
from shared.events.envelope import Event
from shared.events.wallet import FundsDeclined, FundsHeld
from shared.kafka import Message
from shared.security import Grant, describe_grant
from shared.service import Service
from shared.testing import Database, Databases, eventually, published, topics_for
from shared.testing_line import Line
from wallet.main import service as wallet
from wallet.testing import World, asked

SECONDS_MAX = 15.0
"""For other keys to go on and one that waited to be served; 5 s is promised, without other tests beside."""
UNREADABLE = b'{"child_id": "\xff'


Serving = Callable[[Service], AbstractAsyncContextManager[tuple[Line, Database]]]


@pytest.fixture
def serving(databases: Databases, kafka: str) -> Serving:
    """A service's own handlers between the broker and a fresh database, and a way to send events."""

    @asynccontextmanager
    async def serve(service: Service) -> AsyncIterator[tuple[Line, Database]]:
        await topics_for(kafka, clubs, enrollment, wallet)
        database = await databases.create(service.package)
        async with database.edge(service.name) as edge:
            line = Line(edge, kafka, topic=f"test.{uuid4().hex}", router=service.events)
            try:
                yield line, database
            finally:
                if line.outlet:
                    await line.outlet.close()
        await databases.drop(database)

    return serve


@asynccontextmanager
async def _taking_in(line: Line) -> AsyncIterator[None]:
    """The consumer at work: it has its partitions, which may take longer than what is measured here."""

    async def placed() -> bool:
        async with line.edge.transaction() as tx:
            return bool((await tx.execute(sa.text("SELECT count(*) FROM consumer_offsets"))).scalar_one())

    async with line.consuming():
        await eventually(placed, seconds=30)
        yield


async def test_a_seat_waits_for_the_plan_of_its_month_while_other_children_go_on(serving: Serving) -> None:
    async with serving(enrollment) as (line, database):
        scene = Scene(line.edge, database)
        await scene.clock("2026-09-10T12:00")
        await scene.take(scene.group(), *(scene.month(month) for month in MONTHS), scene.program())
        waits, *others = [await scene.requested(number=number) for number in range(4)]
        reserved = scene.reserved(waits, starts_on=date(2026, 12, 1))  # of a month nobody has planned yet

        async with _taking_in(line):
            await line.send(reserved, *(scene.reserved(one) for one in others))
            for one in others:
                await _told(line, one.child_id, FundingRequested)
            assert await _waits_for(line, waits.child_id) == ("not_yet", "group_month_planned")
            await asyncio.sleep(1)  # in which it is tried again, in vain
            assert await _events(line, waits.child_id, FundingRequested) == []

            await line.send(scene.month("2026-12"))
            [request] = await _told(line, waits.child_id, FundingRequested)
            await line.send(reserved)
            await asyncio.sleep(1)
            counts = [len(await _events(line, one.child_id, FundingRequested)) for one in (waits, *others)]

        assert isinstance(request, FundingRequested)
        assert (request.enrollment_id, request.month) == (waits.id, "2026-12")
        assert counts == [1, 1, 1, 1]
        assert await _waits_for(line, waits.child_id) is None
        assert await scene.defects() == {}


async def test_an_unreadable_request_for_a_seat_is_dropped_by_command_and_refused(serving: Serving) -> None:
    unreadable, good = _seat_requested(uuid4()), _seat_requested(uuid4())
    behind = _seat_requested(unreadable.child_id)
    async with serving(clubs) as (line, database):
        operator = await _administrator(line)
        async with _taking_in(line):
            await _send_unreadable(line, unreadable)
            await line.send(behind, good)
            await _told(line, good.child_id, SeatEvent)
            assert await _waits_for(line, unreadable.child_id) == ("unreadable", "content")
            assert await _events(line, unreadable.child_id) == []

            listed = (await _command(database, clubs, "list")).splitlines()
            [mine] = [one for one in map(json.loads, listed) if one["key"] == unreadable.key]
            record = str(mine["first_record"])
            assert await _command(database, clubs, "drop", record, "no JSON", str(operator)) == "dropped"
            refused, served = await _told(line, unreadable.child_id, SeatEvent, count=2)

        assert refused == SeatRefused(
            child_id=unreadable.child_id,
            enrollment_id=unreadable.enrollment_id,
            group_id=unreadable.group_id,
            attempt=unreadable.attempt,
            code="request_unreadable",
        )
        assert isinstance(served, SeatEvent)
        assert served.enrollment_id == behind.enrollment_id
        assert await _waits_for(line, unreadable.child_id) is None


async def test_an_unreadable_request_for_money_is_dropped_and_declined(serving: Serving) -> None:
    unreadable, good = asked(uuid4(), uuid4()), asked(uuid4(), uuid4())
    behind = asked(unreadable.child_id, uuid4())
    async with serving(wallet) as (line, _):
        world = World(line.edge)
        await world.found()
        await world.pay_in(world.on_hold, 10**9)
        operator = await _administrator(line)
        async with _taking_in(line):
            await _send_unreadable(line, unreadable)
            await line.send(world.entitled(unreadable.child_id), world.entitled(good.child_id), behind, good)
            await _told(line, good.child_id, FundsHeld)
            assert await _waits_for(line, unreadable.child_id) == ("unreadable", "content")
            assert await _events(line, unreadable.child_id, FundsHeld, FundsDeclined) == []

            async with line.edge.transaction() as tx:
                [mine] = [one for one in await parked.summaries(tx) if one.key == unreadable.key]
                done = await dropping.drop(
                    tx, wallet.events, mine.first_record, reason="no JSON", by=operator
                )
            assert done == "dropped"
            declined, held = await _told(line, unreadable.child_id, FundsDeclined, FundsHeld, count=2)

        assert declined == FundsDeclined(
            child_id=unreadable.child_id,
            enrollment_id=unreadable.enrollment_id,
            month=unreadable.month,
            attempt=unreadable.attempt,
            code="request_unreadable",
            missing_tiyn=0,
        )
        assert isinstance(held, FundsHeld)
        assert held.enrollment_id == behind.enrollment_id
        assert await _waits_for(line, unreadable.child_id) is None


def _seat_requested(child_id: UUID) -> SeatRequested:
    """For a group that clubs does not know: what it answers does not matter here, that it does matters."""
    return SeatRequested(
        child_id=child_id,
        enrollment_id=uuid4(),
        group_id=uuid4(),
        attempt=1,
        starts_on=date(2026, 9, 14),
        priority=5,
        requested_at=datetime(2026, 9, 10, 9, tzinfo=UTC),
    )


async def _send_unreadable(line: Line, event: Event) -> None:
    """The headers of this event, and a body that is nothing."""
    headers = {"ce_id": str(new_id()), "ce_type": event.type, "ce_subject": event.subject}
    await line.send_raw(Message(event.topic, event.key, headers, UNREADABLE))


async def _administrator(line: Line) -> UUID:
    person = new_id()
    async with line.edge.transaction() as tx:
        grant = Grant("administrator", "region", new_id())
        await describe_grant(tx, id_=new_id(), person_id=person, grant=grant, version=1, ended=False)
    return person


async def _events(line: Line, child_id: UUID, *types: type[Event]) -> list[Event]:
    """What was told of this child, in order."""
    about_child = [one for one in await published(line.edge) if one.key == str(child_id)]
    return [one for one in about_child if isinstance(one, types or Event)]


async def _told(line: Line, child_id: UUID, *types: type[Event], count: int = 1) -> list[Event]:
    """The same as soon as there is so much of it, which is soon enough."""

    async def enough() -> bool:
        return len(await _events(line, child_id, *types)) >= count

    await eventually(enough, seconds=SECONDS_MAX)
    return await _events(line, child_id, *types)


async def _waits_for(line: Line, child_id: UUID) -> tuple[str | None, str | None] | None:
    """Why the child's key is parked; None if it is not."""
    async with line.edge.transaction() as tx:
        found = [one for one in await parked.summaries(tx) if one.key == str(child_id)]
    return (found[0].reason, found[0].detail) if found else None


async def _command(database: Database, service: Service, *arguments: str) -> str:
    """What `python -m <service> parked …` prints."""
    settings = database.settings(service.name)
    told = {
        "SW_ENVIRONMENT": settings.environment,
        "SW_DATABASE_URL": settings.database_url,
        "SW_ISSUER": settings.issuer,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", service.package, "parked", *arguments),
        env=os.environ | told,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()
