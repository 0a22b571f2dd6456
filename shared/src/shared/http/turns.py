"""How long a request waits for the database: while others get their turn, it waits for its own.

Only the database itself being away, or losing what was begun, ends it soon. A burst of hundreds is no reason
to refuse anybody. And whoever is refused is told when to come again: not all of them at once.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.database import POOL_SIZE

AWAY_SECONDS = 3.0
"""After so long in which nobody got a transaction the database is away."""
WAIT_SECONDS_MAX = 25.0
"""Hundreds who ask at once wait for their turn, in the order in which they came."""
WAITING_MAX = 500
"""Whoever comes behind so many would wait in vain: they are told at once when to come again."""
ENCOURAGED_SECONDS = 0.25
"""Those who wait are not told of each single turn: they may be a thousand."""
TURNS_PER_SECOND = 20
"""What a process can surely give."""
COMING_AGAIN_SECONDS_MAX = 30
_REFUSED_LATELY_SECONDS = 10.0


class Queue:
    """All requests of a process that wait for a transaction.

    As many may have one as the pool has lines, but for one: with it, others ask whether the process is ready.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(POOL_SIZE - 1)
        self._waiting: dict[asyncio.Timeout, float] = {}
        """Each with the moment at which it gives up in any case."""
        self._encouraged_at = -math.inf
        self._troubled_at = -math.inf
        self._refused_at = deque[float](maxlen=TURNS_PER_SECOND * COMING_AGAIN_SECONDS_MAX)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place among those who may use the database, and keep it until the end of the block.

        Raises:
            TimeoutError: the database is away, or there are too many.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise TimeoutError
        async with asyncio.timeout(AWAY_SECONDS) as patience:
            self._waiting[patience] = _now() + WAIT_SECONDS_MAX
            try:
                await self._places.acquire()
            finally:
                del self._waiting[patience]
        try:
            yield
        finally:
            self._places.release()

    def encourage(self) -> None:
        """Somebody got a transaction: the others have cause to wait on, unless there was trouble lately."""
        now = _now()
        if now - self._encouraged_at < ENCOURAGED_SECONDS or now - self._troubled_at < AWAY_SECONDS:
            return
        self._encouraged_at = now
        for patience, at_last in self._waiting.items():
            if not patience.expired():
                patience.reschedule(min(now + AWAY_SECONDS, at_last))

    def note_trouble(self) -> None:
        """The database did not answer on some line."""
        self._troubled_at = _now()

    def coming_again_seconds(self) -> int:
        """When whoever is refused now may ask again: the more were refused lately, the more scattered."""
        now = _now()
        while self._refused_at and self._refused_at[0] < now - _REFUSED_LATELY_SECONDS:
            self._refused_at.popleft()
        seconds = 1 + random.random() * len(self._refused_at) / TURNS_PER_SECOND  # noqa: S311 - no secret
        self._refused_at.append(now)
        return round(seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
