"""10,000 enrollment-months closed by their deadlines and charged, while people go on enrolling.

11,000 children are planted (how: `rig/months.py`) in 110 groups of 10 providers. The months of 1,000 of them
close when the 4th of October begins, of groups whose last day was the 29th; those of 10,000 a day later. Both
times the workers of clubs and wallet were started afresh and business time is moved to the very moment; both
times 2.5 enrollments a second are asked for in other groups, open loop, by a generator on the same cores.

Memory is the PSS of each of the two workers, and of the PostgreSQL backends of both services together without
the shared buffers: these have a fixed size, and every backend seems to grow while it first touches them.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import load, months, system
from rig.figures import memory, percentile, tell, tell_below

SEATS = 100
SMALL, LARGE = 10, 100
"""Groups, of a hundred children each."""
LAST_DAYS = {SMALL: date(2026, 9, 29), LARGE: date(2026, 9, 30)}
CLOSES_AT = {SMALL: "2026-10-04T00:00:00+05:00", LARGE: "2026-10-05T00:00:00+05:00"}
BEFORE = "2026-10-03T12:00"
STARTS_ON = "2026-10-12"
RATE = 2.5
BURST = 10
WARM = 25
SECONDS_MAX = 600
GROWTH_MAX = 1.2
P99_SECONDS_MAX = 0.5
MEMORIES = ("clubs_worker", "wallet_worker", "postgres")


@dataclass
class Closing:
    """What was measured of one closing; memory in MB, times in seconds from the move of the clock."""

    closed: float = 0
    charged: float = 0
    quiet: float = 0
    peaks: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MEMORIES, 0.0))
    meanwhile: list[load.Outcome] = field(default_factory=list)


@dataclass
class Applicants:
    """People who ask for seats; each request is made once."""

    running: system.System
    requests: Iterator[tuple[load.Applicant, str]]

    async def ask(self, count: int) -> list[load.Outcome]:
        """So many of them, at the rate."""
        requests = [next(self.requests) for _ in range(count)]
        return await load.enroll(self.running, requests, rate=RATE, starts_on=STARTS_ON)

    async def go_on(self, over: asyncio.Event) -> list[load.Outcome]:
        """Ask, whatever becomes of the earlier ones, until it is over; what began before then is followed."""
        bursts = []
        while not over.is_set():
            bursts.append(asyncio.create_task(self.ask(BURST)))
            await asyncio.sleep(BURST / RATE)
        return [outcome for burst in bursts for outcome in await burst]


async def plant(running: system.System) -> dict[int, months.Planted]:
    """Both sets of groups, with children who have their seats, their money and their marks."""
    pupils = {}
    for count, ends_on in LAST_DAYS.items():
        group_ids = await months.open_groups(running, count, seats=SEATS, ends_on=ends_on)
        await running.settled(seconds=30)
        pupils[count] = await months.ask_for_seats(running, group_ids, seats=SEATS)
    started = time.monotonic()
    asked = [one.enrollment_id for some in pupils.values() for one in some]
    await running.settled(seconds=300)
    async with running.database() as database:
        query = "SELECT count(*) FROM enrollment.enrollments WHERE id = ANY($1) AND state = 'confirmed'"
        confirmed = await database.fetchval(query, asked)
    if confirmed != len(asked):
        raise AssertionError(f"only {confirmed} of {len(asked)} confirmed")
    tell("month_planted_confirmed", confirmed / (time.monotonic() - started), "per_s")
    return {count: await months.hold_lessons(running, some) for count, some in pupils.items()}


async def start_afresh(running: system.System) -> None:
    """New processes, in which nothing is left of what was planted."""
    for process in ("clubs-worker", "wallet-worker"):
        pid_file = running.state / "run" / f"{process}.pid"
        before = pid_file.read_text()
        running.kill(process)
        while pid_file.read_text() in {"", before}:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.1)


async def close(running: system.System, count: int, planted: months.Planted, people: Applicants) -> Closing:
    """Move the clock to the end of the windows, and wait until everything is charged."""
    await start_afresh(running)
    await people.ask(WARM)
    await running.settled(seconds=60)
    measured, over = Closing(), asyncio.Event()
    async with watching(running, measured), running.database() as database:
        going_on = asyncio.create_task(people.go_on(over))
        move = "UPDATE development.clock SET shift = $1 - clock_timestamp()"
        await database.execute(move, datetime.fromisoformat(CLOSES_AT[count]))
        started = time.monotonic()
        for name, table in (("closed", "clubs.sheets"), ("charged", "wallet.charges")):
            query = f"SELECT count(*) FROM {table} WHERE group_id = ANY($1)"  # noqa: S608 - ours
            while await database.fetchval(query, planted.group_ids) < len(planted.pupils):  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.2)
            setattr(measured, name, time.monotonic() - started)
        over.set()
        measured.meanwhile = await going_on
        await running.settled(seconds=120)
        measured.quiet = time.monotonic() - started
    return measured


@asynccontextmanager
async def watching(running: system.System, measured: Closing) -> AsyncIterator[None]:
    """Keep the highest memory seen."""

    async def watch() -> None:
        async with running.database() as database:
            while True:
                backends = await database.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE usename IN ('clubs', 'wallet')"
                )
                now = {
                    "clubs_worker": memory(running.pid("clubs-worker")),
                    "wallet_worker": memory(running.pid("wallet-worker")),
                    "postgres": sum(memory(one["pid"], shared=False) for one in backends),
                }
                measured.peaks = {name: max(measured.peaks[name], now[name]) for name in MEMORIES}
                await asyncio.sleep(0.2)

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def tell_closings(small: Closing, large: Closing) -> Iterator[bool]:
    """Times, memory, and how enrollments fared meanwhile."""
    for count, one in ((SMALL * SEATS, small), (LARGE * SEATS, large)):
        yield tell(f"month_closed_{count}", one.closed, "s")
        yield tell(f"month_charged_{count}", one.charged, "s")
        yield tell(f"month_quiet_{count}", one.quiet, "s")
    for name in MEMORIES:
        growth = large.peaks[name] / small.peaks[name]
        yield tell(f"month_{name}_peak_1000", small.peaks[name], "MB")
        yield tell(f"month_{name}_peak_10000", large.peaks[name], "MB")
        yield tell_below(f"month_{name}_growth", growth, "x", GROWTH_MAX)
    yield from tell_enrollments("month_enrollment", large.meanwhile)


def tell_enrollments(name: str, outcomes: Sequence[load.Outcome]) -> Iterator[bool]:
    """Of those asked for during the closing."""
    confirmed = [one.seconds for one in outcomes if one.state == "confirmed"]
    all_of_them = len(confirmed) == len(outcomes)
    yield tell(f"{name}_confirmed", len(confirmed), f"of_{len(outcomes)}", "all", reached=all_of_them)
    yield tell(f"{name}_p50", percentile(confirmed, 50), "s")
    yield tell_below(f"{name}_p99", percentile(confirmed, 99), "s", P99_SECONDS_MAX)


async def tell_money(running: system.System, planted: Sequence[months.Planted]) -> bool:
    """What was captured, against the naive sum; and whether the books are right."""
    query = "SELECT sum(captured_tiyn)::bigint FROM wallet.charges WHERE group_id = ANY($1)"
    naive = sum(one.cost_tiyn for one in planted)
    async with running.database() as database:
        captured = await database.fetchval(query, [id_ for one in planted for id_ in one.group_ids])
    audit = running.command("audit", check=False)
    if audit.returncode:
        sys.stdout.write(audit.stdout)
    sys.stdout.write(f"captured {captured} tiyn, by the naive sum {naive}\n")
    exact = tell_below("month_captured_beside_naive", abs(captured - naive), "tiyn", 0)
    clean = tell_below("month_audit", audit.returncode, "exit", 0)
    return exact and clean


async def measure(running: system.System) -> bool:
    """Print the figures; whether the aims were reached."""
    ground = await load.prepare(running, groups=5, children=150)
    people = Applicants(running, iter(ground.requests()))
    planted = await plant(running)
    running.command("clock", "--to", BEFORE)
    small, large = [await close(running, count, planted[count], people) for count in (SMALL, LARGE)]
    reached = list(tell_closings(small, large))
    return await tell_money(running, list(planted.values())) and all(reached)


async def main() -> int:
    with system.running() as running:
        async with asyncio.timeout(SECONDS_MAX):
            return 0 if await measure(running) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
