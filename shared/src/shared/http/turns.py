"""How long a request waits for the database: while others get their turn, it waits for its own.

Only the database itself being away ends it soon. A burst of hundreds is no reason to refuse anybody.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.database import POOL_WAIT_SECONDS

AWAY_SECONDS = 5.0
"""After so long in which nobody got a transaction the database is away."""
ENCOURAGED_SECONDS = 0.25
"""Those who wait are not told of each single turn: they may be a thousand."""


class Queue:
    """All requests of a process that wait for a transaction."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Timeout, float] = {}
        """Each with the moment at which it gives up in any case."""
        self._encouraged_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For as long as it takes to get a transaction; then the others have cause to wait on.

        Raises:
            TimeoutError: the database is away, or there are too many.
        """
        now = asyncio.get_running_loop().time()
        async with asyncio.timeout(AWAY_SECONDS) as patience:
            self._waiting[patience] = now + POOL_WAIT_SECONDS
            try:
                yield
            finally:
                del self._waiting[patience]
        self._encourage()

    def _encourage(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._encouraged_at < ENCOURAGED_SECONDS:
            return
        self._encouraged_at = now
        for patience, at_last in self._waiting.items():
            if not patience.expired():
                patience.reschedule(min(now + AWAY_SECONDS, at_last))
