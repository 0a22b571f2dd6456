"""Inboxes of guardians and directors, followed live by server-sent events while the story is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import orjson

from local.client import PATIENCE_SECONDS, Client
from local.story import happened

_GUARDIANS = (*range(1, 6), happened.DOUBTED, happened.NOT_THERE)
FOLLOWED = (*(f"guardian-{number}" for number in _GUARDIANS), "director-1", "director-3")
_RECONNECT_SECONDS = 0.2


@dataclass(slots=True)
class Inboxes:
    """What came into each inbox since the story began."""

    client: Client
    told: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {login: [] for login in FOLLOWED})
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def following(cls, client: Client) -> AsyncIterator[Self]:
        """Open streams, one for each person of the story."""
        inboxes = cls(client)
        opened = {login: asyncio.Event() for login in FOLLOWED}
        streams = [asyncio.ensure_future(inboxes._follow(login, event)) for login, event in opened.items()]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(event.wait() for event in opened.values()))
            yield inboxes
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _follow(self, login: str, opened: asyncio.Event) -> None:
        """Read a stream, and go on where it broke off, as a browser does."""
        last = ""
        while True:
            headers = {"Authorization": f"Bearer {await self.client.token(login)}"}
            if last:
                headers["Last-Event-ID"] = last
            url = f"{self.client.system.address('notifications')}/v1/inbox/stream"
            try:
                async with self.client.http.stream("GET", url, headers=headers, timeout=None) as answer:
                    answer.raise_for_status()
                    async for name, id_, data in _events(answer):
                        opened.set()  # the first look, which says from where on, is done
                        if name == "message":
                            last = id_
                            await self._take(login, orjson.loads(data))
            except httpx.HTTPError:
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _take(self, login: str, message: dict[str, Any]) -> None:
        async with self._news:
            self.told[login].append(message)
            self._news.notify_all()

    async def expect(self, login: str, *kinds: str) -> list[dict[str, Any]]:
        """All messages of a person so far, as soon as there are as many as these."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS), self._news:
                await self._news.wait_for(lambda: len(self.told[login]) >= len(kinds))
        return self.told[login]


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, str]]:
    """Name, id and data of each event; comments have no name and no data."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "retry" not in fields:
                yield fields.get("event", ""), fields.get("id", ""), fields.get("data", "")
            fields = {}
