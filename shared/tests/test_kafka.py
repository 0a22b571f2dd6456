"""What `shared.kafka` promises about aiokafka's clients beyond what the tests of relay and intake see."""

import asyncio
import gc
from collections.abc import Coroutine

import pytest

from shared.kafka import Log, Outlet, create_topics


async def _canceled_after(seconds: float, opening: Coroutine[None, None, Outlet | Log]) -> None:
    task = asyncio.create_task(opening)
    await asyncio.sleep(seconds)
    task.cancel()
    try:
        opened = await task
    except asyncio.CancelledError:
        return
    await opened.close()


@pytest.mark.parametrize("milliseconds", range(0, 40, 4))
async def test_a_client_canceled_while_it_starts_leaves_nothing_open(kafka: str, milliseconds: int) -> None:
    await create_topics(kafka, ["test.canceled"])
    await _canceled_after(milliseconds / 1000, Outlet.open(kafka))
    await _canceled_after(
        milliseconds / 1000, Log.open(kafka, group="canceled", topics=["test.canceled"], positions={})
    )
    gc.collect()  # what was left open warns when it goes, and a warning is an error
