"""Moving business time forward, as `social-wallet clock` does: from deadline to deadline, waiting for quiet.

So what is due on the way happens in its order and at its time, as it would have in real life.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg

from local import watch
from local.errors import LocalError
from local.layout import Layout

CIVIL = ZoneInfo("Asia/Almaty")
TOGETHER = timedelta(minutes=1)
"""Deadlines this close are reached in one step."""


def parse(text: str) -> datetime:
    """A moment written in civil time, `2026-10-03T09:00` or `2026-10-03`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LocalError(f"{text!r} is no civil time; write 2026-10-03T09:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=CIVIL)).astimezone(UTC)


def next_step(now: datetime, target: datetime, deadlines: Iterable[datetime | None]) -> datetime:
    """Where to stop next: at the earliest deadline and those close after it, or at the target."""
    ahead = sorted(deadline for deadline in deadlines if deadline is not None and now < deadline < target)
    if not ahead:
        return target
    return max(deadline for deadline in ahead if deadline - ahead[0] <= TOGETHER)


def after(now: datetime, text: str) -> datetime:
    """`now` and so much more: 3d, 12h or 30m."""
    units = {"d": "days", "h": "hours", "m": "minutes"}
    if len(text) < 2 or text[-1] not in units or not text[:-1].isdecimal():  # noqa: PLR2004 - a number and a unit
        raise LocalError(f"{text!r} is no duration; write 3d, 12h or 30m")
    return now + timedelta(**{units[text[-1]]: int(text[:-1])})


async def now(system: Layout) -> datetime:
    """Business time, in UTC."""
    async with watch.opened(system) as watching:
        return await watching.business_time()


async def move(system: Layout, target: datetime) -> int:
    """Move business time to `target`; the number of stops on the way."""
    database = await asyncpg.connect(system.system_url)
    stops = 0
    try:
        async with watch.opened(system) as watching:
            if target < await watching.business_time():
                now = (await watching.business_time()).astimezone(CIVIL)
                raise LocalError(f"business time moves forward only, and it is {now:%Y-%m-%dT%H:%M}")
            while (now := await watching.business_time()) < target:
                figures = await watching.until_quiet()
                step = next_step(now, target, (service.next_due for service in figures.values()))
                await database.execute("UPDATE development.clock SET shift = $1 - clock_timestamp()", step)
                stops += 1
            await watching.until_quiet()
    finally:
        await database.close()
    return stops


async def begin(system: Layout, moment: datetime) -> None:
    """Let business time of a fresh system be `moment`, past or future; one that was moved before stays."""
    database = await asyncpg.connect(system.system_url)
    try:
        await database.execute(
            "UPDATE development.clock SET shift = $1 - clock_timestamp() WHERE shift = '0'", moment
        )
    finally:
        await database.close()


async def until_quiet(system: Layout) -> None:
    """Wait until everything that is on its way has arrived."""
    async with watch.opened(system) as watching:
        await watching.until_quiet()
