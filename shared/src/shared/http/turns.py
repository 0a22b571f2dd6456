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
ENCOURAGED_SECONDS = 0.25
"""Those who wait are not told of each single turn: they may be a thousand."""
TURNS_PER_SECOND_MIN = 20
"""What a process can surely give."""
COMING_AGAIN_SECONDS_MAX = 30
LATELY_SECONDS = 10.0


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
        self._turns_at = deque[float]()
        self._refused_at = deque[float]()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place among those who may use the database, and keep it until the end of the block.

        Raises:
            TimeoutError: the database is away, or there are so many that one would wait in vain.
        """
        if len(self._waiting) >= WAIT_SECONDS_MAX * self._turns_per_second():
            raise TimeoutError
        async with asyncio.timeout(AWAY_SECONDS) as patience:
            self._waiting[patience] = _now() + WAIT_SECONDS_MAX
            try:
                await self._places.acquire()
            finally:
                del self._waiting[patience]
        self._turns_at.append(_now())
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
        """When whoever is refused now may ask again: the more were refused lately, the more scattered.

        So scattered that half of the turns are enough for them: others come for the first time.
        """
        among = len(_lately(self._refused_at))
        self._refused_at.append(_now())
        longest = min(2 * among / self._turns_per_second(), COMING_AGAIN_SECONDS_MAX)
        return round(1 + random.random() * longest)  # noqa: S311 - no secret

    def _turns_per_second(self) -> float:
        return max(len(_lately(self._turns_at)) / LATELY_SECONDS, TURNS_PER_SECOND_MIN)


def _lately(moments: deque[float]) -> deque[float]:
    """Without those that are too long ago."""
    since = _now() - LATELY_SECONDS
    while moments and moments[0] < since:
        moments.popleft()
    return moments


def _now() -> float:
    return asyncio.get_running_loop().time()
