"""The inbox, live: server-sent events that go on where `Last-Event-ID` says.

A message's event id is its number in the person's inbox, and numbers are given in the order of commits: who
goes on after number n misses nothing. Nothing is held in the database between two looks.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy.exc import SQLAlchemyError

from notifications.api.inbox import MessageView, ReaderLanguage
from notifications.repository import messages
from shared.database import Transaction
from shared.http import Person, Router
from shared.http.access import open_transaction
from shared.http.wiring import wiring_of
from shared.retrying import is_passing
from shared.texts import LanguageCode

OPEN_SECONDS = 15 * 60
"""Then the client comes again, with a token that is still good."""
RECONNECT_MILLISECONDS = 1000
AT_ONCE = 100
_NUMBER_MAX = 2**53 - 1

router = Router()


@router.get(
    "/v1/inbox/stream",
    tags=["inbox"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "`message` events with a message each, `unread` events with their number",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: unread\ndata: {"unread":1}\n\n',
                }
            },
        }
    },
)
async def follow_inbox(
    request: Request,
    person_id: Person,
    language: ReaderLanguage,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=_NUMBER_MAX, description="Go on after this one; else from now on")
    ] = None,
) -> StreamingResponse:
    """What I am told, as it comes."""
    request.scope["state"]["deadline"].reschedule(None)
    follower = _Follower(request, person_id, language, last_event_id)
    return StreamingResponse(follower.events(), media_type="text/event-stream")


@dataclass(slots=True)
class _Follower:
    """One open stream, and what it has told so far."""

    request: Request
    person_id: UUID
    language: LanguageCode
    number: int | None
    unread: int | None = None

    async def events(self) -> AsyncIterator[bytes]:
        yield format_sse_event(retry=RECONNECT_MILLISECONDS)
        try:
            async for _ in self._looks():
                async with open_transaction(self.request) as tx:
                    news = await self._look(tx)
                yield b"".join(news) or format_sse_event(comment="nothing new")
        except (SQLAlchemyError, OSError) as error:
            if not is_passing(error):
                raise
            # The database is away: the client reconnects, and goes on where it was.

    async def _looks(self) -> AsyncIterator[None]:
        """Whenever somebody rang or it is time again, until the time is over or the server stops.

        Also the heartbeat that proxies need.
        """
        doorbell = wiring_of(self.request.scope).edge.doorbell
        stopping = asyncio.ensure_future(self.request.app.state.stopping.wait())
        looks = doorbell.touches(self.person_id, seconds=OPEN_SECONDS)
        try:
            while True:
                look = asyncio.ensure_future(_next(looks))
                try:
                    await asyncio.wait({look, stopping}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not look.done():
                        look.cancel()
                if stopping.done() or not look.result():
                    return
                yield
        finally:
            stopping.cancel()

    async def _look(self, tx: Transaction) -> list[bytes]:
        events = []
        if self.number is None:
            self.number = await messages.last_number(tx, self.person_id)
        while True:
            found = await messages.since(tx, self.person_id, number=self.number, limit=AT_ONCE)
            for one in found:
                self.number = one.number
                view = MessageView.of(one, self.language).model_dump_json()
                events.append(format_sse_event(event="message", id=str(one.number), data_str=view))
            if len(found) < AT_ONCE:
                break
        unread = await messages.count_unread(tx, self.person_id)
        if unread != self.unread:
            self.unread = unread
            events.append(format_sse_event(event="unread", data_str=f'{{"unread":{unread}}}'))
        return events


async def _next(looks: AsyncIterator[None]) -> bool:
    """Whether there is another look to take."""
    async for _ in looks:
        return True
    return False
