"""Those who play the story, or a part of it, in a system of ours."""

import contextlib
import io
from collections.abc import AsyncIterator, Iterable

from rich.console import Console

from local import client
from local.layout import Layout
from local.story.asking import find_cast
from local.story.inboxes import Inboxes
from local.story.observer import Observer
from local.story.stage import Stage, Step
from rig.system import System


class Patient(Stage):
    """A stage on which nobody hurries: seconds are told, not judged."""

    def check_within(self, what: str, seconds: float, limit: float) -> None:
        self.say(f"{what} after {seconds:.2f} s; told to be below {limit:.0f} s when nothing is late")


@contextlib.asynccontextmanager
async def on_stage(running: System, told: io.StringIO) -> AsyncIterator[Patient]:
    """A stage with its cast; what is said there is written down."""
    layout = Layout(running.base_port)
    async with contextlib.AsyncExitStack() as stack:
        asking = await stack.enter_async_context(client.opened(layout))
        observer = await stack.enter_async_context(Observer.watching(layout))
        inboxes = await stack.enter_async_context(Inboxes.following(asking))
        stage = Patient(Console(file=told, width=160), layout, asking, observer, inboxes)
        await find_cast(stage)
        yield stage


async def perform(stage: Stage, steps: Iterable[Step]) -> int:
    """Step by step, until one cannot be; how many were."""
    done = 0
    for step in steps:
        if not await stage.perform(step):
            break
        done += 1
    return done
