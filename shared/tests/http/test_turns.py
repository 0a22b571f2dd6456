"""How long requests wait for the database: without it shortly, behind each other while it goes on."""

import asyncio

import pytest

from shared.http import turns
from shared.http.turns import Queue


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "POOL_SIZE", 2)
    monkeypatch.setattr(turns, "AWAY_SECONDS", 1.0)
    monkeypatch.setattr(turns, "ENCOURAGED_SECONDS", 0.05)


async def ask(queue: Queue) -> None:
    async with queue.place():
        queue.encourage()
        await asyncio.sleep(0.05)


async def ask_at_once(queue: Queue, count: int = 30) -> set[type | None]:
    """What became of all of them."""
    found = await asyncio.gather(*(ask(queue) for _ in range(count)), return_exceptions=True)
    return {type(one) for one in found}


async def test_whoever_waits_goes_on_waiting_while_others_get_their_turn() -> None:
    assert await ask_at_once(Queue()) == {type(None)}


async def test_when_nobody_gets_a_turn_all_give_up_soon() -> None:
    queue = Queue()
    async with asyncio.timeout(10), queue.place():
        assert await ask_at_once(queue) == {TimeoutError}


async def test_nobody_waits_for_ever_behind_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS_MAX", 0.4)
    assert await ask_at_once(Queue()) == {type(None), TimeoutError}


async def test_whoever_comes_behind_too_many_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURNS_PER_SECOND_MIN", 3 / turns.WAIT_SECONDS_MAX)
    queue = Queue()
    async with queue.place():
        waits = [asyncio.create_task(ask(queue)) for _ in range(5)]
        await asyncio.sleep(0)
        async with asyncio.timeout(0.1):
            with pytest.raises(TimeoutError):
                await ask(queue)
    assert [type(one) for one in await asyncio.gather(*waits, return_exceptions=True)] == [
        *(type(None),) * 3,
        *(TimeoutError,) * 2,
    ]


async def test_the_more_turns_there_were_lately_the_more_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURNS_PER_SECOND_MIN", 3 / turns.WAIT_SECONDS_MAX)
    queue = Queue()
    for _ in range(3):
        async with queue.place():
            pass
    assert await ask_at_once(queue, count=5) == {type(None)}


async def test_while_the_database_loses_what_was_begun_turns_of_others_keep_nobody_waiting() -> None:
    queue = Queue()
    queue.note_trouble()
    async with asyncio.timeout(10):
        assert await ask_at_once(queue) == {type(None), TimeoutError}


async def test_whoever_is_refused_alone_may_come_again_soon_and_hundreds_are_scattered() -> None:
    queue = Queue()
    assert queue.coming_again_seconds() == 1
    advised = [queue.coming_again_seconds() for _ in range(1_000)]
    assert max(advised) <= 1 + turns.COMING_AGAIN_SECONDS_MAX
    assert all(advised[-500:].count(seconds) < 50 for seconds in set(advised))
