"""Events reach their handlers once and in order, whatever fails around them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from aiokafka.record.default_records import DefaultRecordBatch

from shared import dropping, inbox, parked
from shared.consumer import Dropped, NotYet
from shared.database import Transaction, new_id
from shared.events.envelope import Envelope
from shared.intake import RecordsLostError
from shared.kafka import RETENTION_MS, Message
from shared.security import Grant, describe_grant
from shared.testing import eventually
from shared.testing_line import Line, event_type, note_effect


async def _done(line: Line, thing: str | None, wanted: Sequence[int]) -> None:
    async def as_many() -> bool:
        return len(await line.effects(thing)) >= len(wanted)

    await eventually(as_many)
    assert await line.effects(thing) == list(wanted)


async def test_an_event_sent_twice_is_done_once(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    id_ = new_id()
    first = happened(thing="a", number=1)
    async with line.consuming():
        await line.send(first, first, ids=[id_, id_])
        await line.send(first, happened(thing="a", number=2), ids=[id_, new_id()])
        await _done(line, "a", [1, 2])


async def test_a_restarted_consumer_goes_on_where_the_database_says(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send(*(happened(thing=f"{n % 7}", number=n) for n in range(200)))
        await eventually(lambda: _count(line, 200))
    await line.send(*(happened(thing=f"{n % 7}", number=n) for n in range(200, 300)))
    async with line.edge.transaction() as tx:  # even with an inbox that forgot everything
        await tx.execute(sa.text("DELETE FROM inbox"))
    async with line.consuming():
        await eventually(lambda: _count(line, 300))
    for key in range(7):
        assert await line.effects(str(key)) == list(range(key, 300, 7))


async def test_the_offset_moves_in_the_transaction_of_the_effect_or_not_at_all(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    meanwhile = []

    async def offset() -> int:
        query = sa.text("SELECT max(next_offset) FROM consumer_offsets WHERE topic = :topic")
        async with line.edge.engine.connect() as outside:
            return int((await outside.execute(query, {"topic": line.topic})).scalar_one())

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)
        meanwhile.append(await offset())

    async with line.consuming():
        await line.send(happened(thing="a", number=1))
        await _done(line, "a", [1])
        await line.send(happened(thing="a", number=2))
        await _done(line, "a", [1, 2])
    assert meanwhile == [0, 1]
    assert await offset() == 2


async def test_an_event_is_known_for_longer_than_its_topic_keeps_it(line: Line) -> None:
    kept = timedelta(milliseconds=RETENTION_MS).days
    add = sa.text(
        "INSERT INTO inbox (event_id, source, received_at)"
        " VALUES (gen_random_uuid(), :source, clock_timestamp() - make_interval(days => :days))"
    )
    async with line.edge.transaction() as tx:
        for days in (kept - 1, kept + 1, 10 * kept):
            await tx.execute(add, {"source": str(days), "days": days})
        forgotten = await inbox.prune(tx)
        left = (await tx.execute(sa.select(inbox.inbox.c.source))).scalars().all()
    assert (forgotten, set(left)) == (1, {str(kept - 1), str(kept + 1)})


async def _parked(line: Line) -> parked.Summary:
    async def found() -> list[parked.Summary]:
        async with line.edge.transaction() as tx:
            return await parked.summaries(tx)

    await eventually(found)
    (summary,) = await found()
    return summary


async def _count(line: Line, wanted: int) -> bool:
    return len(await line.effects()) == wanted


async def test_an_event_waits_for_its_fact_and_blocks_only_its_key(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    fact = event_type(line.topic, "fact", full_state=True)

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> NotYet | None:
        if envelope.key == "waits" and not await line.effects("fact"):
            return NotYet("fact")
        await note_effect(tx, envelope.event)
        return None

    @line.router.on(fact)
    async def on_fact(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send(*(happened(thing=key, number=n) for n in range(3) for key in ("waits", "goes_on")))
        await _done(line, "goes_on", [0, 1, 2])
        await asyncio.sleep(1)
        assert await line.effects("waits") == []
        await line.send(fact(thing="fact", number=0))
        await _done(line, "waits", [0, 1, 2])
        await line.send(happened(thing="waits", number=3))
        await _done(line, "waits", [0, 1, 2, 3])
    async with line.edge.transaction() as tx:
        assert await parked.summaries(tx) == []


async def test_what_a_handler_wrote_before_it_said_not_yet_is_gone(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    @line.router.on_batch(happened)
    async def on_happened(tx: Transaction, envelopes: Sequence[Envelope]) -> list[NotYet | None]:
        for envelope in envelopes:
            await note_effect(tx, envelope.event)
        return [NotYet("fact") if one.key == "waits" else None for one in envelopes]

    async with line.consuming():
        await line.send(happened(thing="waits", number=1), happened(thing="goes_on", number=1))
        await _done(line, "goes_on", [1])
        await asyncio.sleep(1)
        assert await line.effects("waits") == []


async def test_a_failing_event_parks_its_key_and_the_rest_of_the_chunk_goes_on(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    broken = True

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)
        if broken and envelope.key == "broken":
            raise ZeroDivisionError

    sent = [happened(thing=key, number=n) for n in range(20) for key in ("a", "broken", "b")]
    async with line.consuming():
        await line.send(*sent)
        await _done(line, "a", range(20))
        await _done(line, "b", range(20))
        summary = await _parked(line)
        assert await line.effects("broken") == []
        assert (summary.key, summary.reason, summary.detail) == ("broken", "failed", "ZeroDivisionError")
        broken = False
        async with line.edge.transaction() as tx:
            assert await parked.retry_now(tx, "broken") == 1
        await _done(line, "broken", range(20))


async def test_a_fault_that_passes_parks_nothing(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    faults = [OSError("network"), TimeoutError()]

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)
        if faults:
            raise faults.pop()

    async with line.consuming():
        await line.send(happened(thing="a", number=1), happened(thing="a", number=2))
        await _done(line, "a", [1, 2])
    assert not faults
    async with line.edge.transaction() as tx:
        assert await parked.summaries(tx) == []


async def test_an_unreadable_request_parks_its_key_and_dropping_it_answers(line: Line) -> None:
    request = event_type(line.topic, "request")
    answered: list[Dropped] = []

    @line.router.on(request)
    async def on_request(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    @line.router.on_drop(request)
    async def refuse(tx: Transaction, dropped: Dropped) -> None:
        answered.append(dropped)
        await tx.execute(sa.text("INSERT INTO effects (thing, number) VALUES ('refused', 0)"))

    headers = {"ce_id": str(new_id()), "ce_type": request.type, "ce_subject": "enrollment/-/1"}
    async with line.consuming():
        await line.send_raw(Message(line.topic, "bad", headers, b'{"thing": "bad", "number": "\xff'))
        await line.send(request(thing="bad", number=2), request(thing="good", number=1))
        await _done(line, "good", [1])
        assert await line.effects("bad") == []
        administrator = new_id()
        async with line.edge.transaction() as tx:
            grant = Grant("administrator", "region", new_id())
            await describe_grant(
                tx, id_=new_id(), person_id=administrator, grant=grant, version=1, ended=False
            )
            summary = await _parked(line)
            done = await dropping.drop(
                tx, line.router, summary.first_record, reason="cannot be read", by=administrator
            )
        assert (summary.reason, done) == ("unreadable", "dropped")
        await _done(line, "bad", [2])
    assert answered == [Dropped(request.type, "enrollment/-/1", "bad")]
    assert await line.effects("refused") == [0]


async def test_a_record_without_key_or_type_is_set_aside_alone(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send_raw(
            Message(line.topic, "a", {"ce_id": "1"}, b"no type"),
            Message(line.topic, "a\0", {"ce_type": happened.type}, b"no key that Postgres could store"),
            Message(line.topic, "a", {"ce_type": "somebody.else_did.v1"}, json.dumps({}).encode()),
        )
        await line.send(happened(thing="a", number=1))
        await _done(line, "a", [1])
    async with line.edge.transaction() as tx:
        found = await parked.summaries(tx)
    assert [(one.key, one.reason, one.records) for one in found] == [(None, None, 2)]


async def test_full_state_does_not_wait_behind_a_parked_key(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    described = event_type(line.topic, "described", full_state=True)

    @line.router.on(happened)
    async def on_happened(_: Transaction, __: Envelope) -> NotYet:
        return NotYet("fact")

    @line.router.on(described)
    async def on_described(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send(happened(thing="a", number=1), described(thing="a", number=2))
        await _done(line, "a", [2])


async def test_a_partition_whose_offset_another_process_moved_is_not_done_again(line: Line) -> None:
    happened = event_type(line.topic, "happened")
    moved = False

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send(happened(thing="a", number=1))
        await _done(line, "a", [1])
        async with line.edge.transaction() as tx:
            # What a zombie's successor does: it has taken in the next record already.
            await tx.execute(sa.text("UPDATE consumer_offsets SET next_offset = 2 WHERE next_offset = 1"))
            moved = True
        await line.send(happened(thing="a", number=2), happened(thing="a", number=3))
        await _done(line, "a", [1, 3])
    assert moved


async def test_a_log_that_lost_what_was_next_stops_the_worker_loudly(line: Line) -> None:
    happened = event_type(line.topic, "happened")

    @line.router.on(happened)
    async def on_happened(tx: Transaction, envelope: Envelope) -> None:
        await note_effect(tx, envelope.event)

    async with line.consuming():
        await line.send(happened(thing="a", number=1))
        await _done(line, "a", [1])
    async with line.edge.transaction() as tx:  # as if the topic had been made anew, with fewer records
        await tx.execute(sa.text("UPDATE consumer_offsets SET next_offset = 100 WHERE next_offset = 1"))
    with pytest.raises(RecordsLostError):
        async with line.consuming() as taking_in:
            await asyncio.wait({taking_in}, timeout=20)


def test_the_compiled_parser_of_records_is_in_use() -> None:
    assert DefaultRecordBatch.__module__ == "aiokafka.record._crecords.default_records"
