"""The story: what people of the district do, played against the HTTP APIs of a freshly seeded system.

Steps are in `joining`, `later`, `lessons`, `closing` and `paying`, in this order; the amounts they expect in
`amounts`, what happens at the lessons in `happened`; `stage` tells and checks, `observer` and `inboxes` watch
from outside. Nothing here looks into a database.
"""

import asyncio
import contextlib

from rich.console import Console

from local import client
from local.layout import Layout
from local.story import closing, joining, later, lessons, paying
from local.story.asking import find_cast
from local.story.inboxes import Inboxes
from local.story.observer import Observer
from local.story.stage import Stage

STEPS = (
    *joining.STEPS,
    *later.STEPS,
    *lessons.STEPS,
    *closing.STEPS,
    *paying.STEPS,
    later.read_messages,
)


def play(system: Layout, console: Console) -> bool:
    """Tell the story; whether all went as it should."""
    return asyncio.run(_play(system, console))


async def _play(system: Layout, console: Console) -> bool:
    async with contextlib.AsyncExitStack() as stack:
        people = await stack.enter_async_context(client.opened(system))
        observer = await stack.enter_async_context(Observer.watching(system))
        inboxes = await stack.enter_async_context(Inboxes.following(people))
        stage = Stage(console, system, people, observer, inboxes)
        await find_cast(stage)
        console.print("\nThe story. Every step is an HTTP request; events are read from Kafka, from outside.")
        for step in STEPS:
            if not await stage.perform(step):
                break
        return stage.finish(len(STEPS))
