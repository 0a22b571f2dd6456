"""A funding run from the terminal: asks for it, or lets one rest or go on, and follows it until it ends.

What it looks like is told in `local.shown`.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from local import client
from local.client import Person
from local.errors import LocalError
from local.layout import Layout

_ADMINISTRATOR = "administrator-1"
_RUNS = "wallet/v1/funding-runs"
_LOOK_SECONDS = 0.25
"""A run has a newer version after every chunk; nobody sees as many."""
_WAIT_SECONDS = 20.0

Run = dict[str, Any]


class Wanted(NamedTuple):
    """What to do: start a run of a fund until a day, or pause or resume one there is."""

    fund_id: str = ""
    until: str = ""
    dry_run: bool = False
    per_second: int | None = None
    pause: str = ""
    resume: str = ""


async def follow(system: Layout, wanted: Wanted) -> AsyncIterator[Run]:
    """The run as it goes on; the last one is done, or rests."""
    try:
        async with client.opened(system) as people:
            administrator = people.person(_ADMINISTRATOR)
            run = await _begin(administrator, wanted)
            yield run
            while run["state"] == "running":
                await asyncio.sleep(_LOOK_SECONDS)
                known = {"wait": _WAIT_SECONDS, "version": run["version"]}
                run = await administrator.get(f"{_RUNS}/{run['id']}", language="en", **known)
                yield run
    except httpx.HTTPError as error:
        raise LocalError(f"the system does not answer ({type(error).__name__}); is it up?") from error


async def _begin(administrator: Person, wanted: Wanted) -> Run:
    for id_, action in ((wanted.pause, "pause"), (wanted.resume, "resume")):
        if id_:
            return (await administrator.post(f"{_RUNS}/{id_}/{action}", key=str(uuid4()))).content
    if not (wanted.fund_id and wanted.until):
        raise LocalError("name a fund and a last day, or a run to --pause or --resume")
    asked = {"fund_id": wanted.fund_id, "until": wanted.until, "dry_run": wanted.dry_run}
    pace = {"children_per_second": wanted.per_second} if wanted.per_second else {}
    return (await administrator.post(_RUNS, asked | pace, key=str(uuid4()))).content
