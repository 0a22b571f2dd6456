"""How long requests wait for the database: without it shortly, behind each other while it goes on."""

import asyncio

import pytest

from shared.http import turns
from shared.http.turns import Queue


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AWAY_SECONDS", 0.3)
    monkeypatch.setattr(turns, "ENCOURAGED_SECONDS", 0.05)


async def ask(queue: Queue, connections: asyncio.Semaphore, seconds: float) -> None:
    async with queue.turn():
        await connections.acquire()
    await asyncio.sleep(seconds)
    connections.release()


async def test_whoever_waits_goes_on_waiting_while_others_get_their_turn() -> None:
    queue, connections = Queue(), asyncio.Semaphore(1)
    await asyncio.gather(*(ask(queue, connections, 0.1) for _ in range(10)))


async def test_when_nobody_gets_a_turn_all_give_up_soon() -> None:
    queue, connections = Queue(), asyncio.Semaphore(0)
    async with asyncio.timeout(2):
        found = await asyncio.gather(*(ask(queue, connections, 0) for _ in range(10)), return_exceptions=True)
    assert {type(one) for one in found} == {TimeoutError}


async def test_nobody_waits_for_ever_behind_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "POOL_WAIT_SECONDS", 0.4)
    queue, connections = Queue(), asyncio.Semaphore(1)
    asking = (ask(queue, connections, 0.1) for _ in range(10))
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(one) for one in found} == {type(None), TimeoutError}
