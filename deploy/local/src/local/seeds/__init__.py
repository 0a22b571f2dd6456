"""The seeds: a rural district on a fresh database, made as people make it, over the HTTP APIs.

What is planted stands in `district`. Every request has an Idempotency-Key that follows from the thing it
makes, so planting again goes on where it stopped and doubles nothing.
"""

import asyncio

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local import client, clock
from local.layout import Layout
from local.seeds import district
from local.seeds.planting import Planting


def plant(system: Layout, console: Console) -> None:
    """Plant everything, showing how far it is."""
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        asyncio.run(_plant(system, bars))


async def _plant(system: Layout, bars: Progress) -> None:
    await clock.begin(system, district.BEGINS_AT)
    async with client.opened(system) as people:
        await Planting(system, people, bars).everything()
