"""`GET …/{id}?wait=&version=`: answers as soon as the resource is newer than the version already known.

Nothing of the database is held while waiting; each look is made with the grants of that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request

from shared.database import Transaction
from shared.errors import NotFoundError
from shared.http.access import Person, open_transaction
from shared.http.wiring import wiring_of
from shared.security import Principal, principal_of

WAIT_SECONDS_MAX = 30


class Versioned(Protocol):
    """A view that says which state of the resource it shows."""

    @property
    def version(self) -> int: ...


View = TypeVar("View", bound=Versioned)


def stay_open(request: Request) -> None:
    """Lift the deadline of a request whose answer goes on for as long as somebody listens."""
    deadline: asyncio.Timeout = request.scope["state"]["deadline"]
    deadline.reschedule(None)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the caller is ready to wait for something newer than what they know."""

    request: Request
    person_id: UUID
    seconds: float
    version: int

    async def newer(self, id_: UUID, read: Callable[[Transaction, Principal], Awaitable[View]]) -> View:
        """Read until the view is newer than `version`, or found at all; at the end, whatever there is."""
        view: View | None = None
        missing = NotFoundError()
        deadline: asyncio.Timeout = self.request.scope["state"]["deadline"]
        deadline_at = deadline.when()
        if deadline_at is not None:
            deadline.reschedule(deadline_at + self.seconds)
        async for _ in wiring_of(self.request.scope).edge.doorbell.touches(id_, seconds=self.seconds):
            try:
                async with open_transaction(self.request, look=True) as tx:
                    view = await read(tx, await principal_of(tx, self.person_id))
            except NotFoundError as error:
                view, missing = None, error
            if view is not None and view.version > self.version:
                return view
            if await self.request.is_disconnected():
                break
        if view is None:
            raise missing
        return view


async def _wait(
    request: Request,
    person_id: Person,
    wait: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait for it")] = 0,
    version: Annotated[int, Query(ge=0, le=2**53 - 1, description="The version already known")] = 0,
) -> Wait:
    return Wait(request, person_id, wait, version)


WaitQuery = Annotated[Wait, Depends(_wait)]
"""`?wait=&version=`. An endpoint with this takes neither `Tx` nor `Signed`: they come with each look."""
