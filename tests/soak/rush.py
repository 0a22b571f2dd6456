"""Two hundred requests at once for one seat, then for money for ten: exactly 1 and 10, round after round.

A round ends with everything given back, and nothing may be held then: the next one finds one seat and money
for ten only if that is so. `ROUNDS=20` and `CROWD=200` unless said.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import crowd, load, system
from rig.crowd import MONEY_FOR, Asked, Crowd, Ground
from rig.state import Connection
from rig.system import System

SETTLE_SECONDS = 120
LOOKS_AT_QUEUE = 3
_PUBLISHED_ORDER = """
SELECT e.id::text FROM enrollment.enrollments e JOIN enrollment.children c ON c.id = e.child_id
WHERE e.group_id = $1 AND e.state = 'queued' AND e.offer_id IS NULL
ORDER BY c.priority DESC, e.requested_at, e.id
"""
"""By what enrollment accepted, and when: clubs has its own memory of it."""
_KEPT = """
SELECT (SELECT count(*) FROM clubs.seats WHERE group_id = $1 AND state IN ('reserved', 'offered', 'freed')
            AND ends_before > starts_on) AS seats,
    (SELECT count(*) FROM clubs.seats WHERE group_id = $1 AND state = 'waiting') AS waiting,
    (SELECT count(*) FROM wallet.holds h JOIN enrollment.enrollments e ON e.id = h.enrollment_id
        WHERE e.group_id = $1 AND h.open) AS holds,
    (SELECT coalesce(sum(l.amount_tiyn - l.released_tiyn - l.captured_tiyn), 0)::bigint
        FROM wallet.hold_layers l JOIN wallet.holds h ON h.id = l.hold_id
        JOIN enrollment.enrollments e ON e.id = h.enrollment_id WHERE e.group_id = $1) AS held_tiyn
"""
_FREE = """
SELECT sum(a.credited - a.debited - a.held)::bigint FROM wallet.accounts a JOIN wallet.funds f
    ON f.number = a.id >> 40 WHERE f.id = $1 AND a.kind = 2
"""


class WrongError(AssertionError):
    """Something was not as it must be; the run ends with it."""


def check(what: str, found: object, wanted: object) -> None:
    """Go on only if it is so."""
    if found != wanted:
        raise WrongError(f"{what}: {found}, not {wanted}")


async def for_the_seat(ground: Ground, asking: Crowd, database: Connection) -> str:
    """One gets it, the others wait in the published order, and the first of them is the next to get it."""
    group_id = ground.seat_group
    asked = await asking.enroll(ground.applicants, group_id)
    await asking.system.settled(seconds=SETTLE_SECONDS)
    states = Counter(one.state for one in asked)
    check("a seat for one", states, Counter(confirmed=1, queued=len(asked) - 1))
    await _check_kept(database, group_id, seats=1, waiting=len(asked) - 1, held_tiyn=load.PRICE_TIYN)
    order = await _check_queue(asking, database, group_id)
    by_id = {one.id: one for one in asked}

    (confirmed,) = (one for one in asked if one.state == "confirmed")
    await asking.give_back([confirmed])
    next_ = await asking.accept(by_id[order[0]])
    await asking.system.settled(seconds=SETTLE_SECONDS)
    check("the order of those who still wait", await _check_queue(asking, database, group_id), order[1:])

    await asking.give_back([next_, *(by_id[id_] for id_ in order[1:])])
    await _check_nothing_left(asking, database, group_id)
    return f"{dict(states)}, then the first of the queue"


async def for_the_money(ground: Ground, asking: Crowd, database: Connection) -> str:
    """Ten are paid for, the others are told how much was missing, and keep no seat."""
    asked = await asking.enroll(ground.applicants, ground.money_group)
    await asking.system.settled(seconds=SETTLE_SECONDS)
    outcomes = Counter(_outcome(one) for one in asked)
    declined = f"rejected no_money {load.PRICE_TIYN}"
    check("money for ten", outcomes, Counter({"confirmed": MONEY_FOR, declined: len(asked) - MONEY_FOR}))
    check("what the fund has left", await database.fetchval(_FREE, ground.fund_id), 0)
    held_tiyn = MONEY_FOR * load.PRICE_TIYN
    await _check_kept(database, ground.money_group, seats=MONEY_FOR, waiting=0, held_tiyn=held_tiyn)

    await asking.give_back(asked)
    await _check_nothing_left(asking, database, ground.money_group)
    check("what the fund has again", await database.fetchval(_FREE, ground.fund_id), held_tiyn)
    return str(dict(outcomes))


def _outcome(asked: Asked) -> str:
    reason = asked.view["reason"]
    return asked.state if reason is None else f"{asked.state} {reason['code']} {reason['missing_tiyn']}"


async def _check_queue(asking: Crowd, database: Connection, group_id: str) -> Sequence[str]:
    """It is shown in the order in which enrollment accepted the requests, whenever somebody looks."""
    shown = [await asking.queue(group_id) for _ in range(LOOKS_AT_QUEUE)]
    published = [row["id"] for row in await database.fetch(_PUBLISHED_ORDER, group_id)]
    for one in shown:
        check("the queue", one, published)
    return published


async def _check_kept(
    database: Connection, group_id: str, *, seats: int, waiting: int, held_tiyn: int
) -> None:
    kept = dict(await database.fetchrow(_KEPT, group_id))
    wanted = {"seats": seats, "waiting": waiting, "holds": seats, "held_tiyn": held_tiyn}
    check("what is kept", kept, wanted)


async def _check_nothing_left(asking: Crowd, database: Connection, group_id: str) -> None:
    await asking.system.settled(seconds=SETTLE_SECONDS)
    await _check_kept(database, group_id, seats=0, waiting=0, held_tiyn=0)


async def rush(running: System, rounds: Iterable[int], size: int) -> None:
    ground = await crowd.prepare(running, size)
    async with crowd.connections(size) as http, running.database() as database:
        for number in rounds:
            asking = Crowd(http, running)
            started = time.monotonic()
            seat = await for_the_seat(ground, asking, database)
            money = await for_the_money(ground, asking, database)
            took = time.monotonic() - started
            answers = f"{dict(asking.answers)}, within {asking.longest_seconds:.1f} s"
            _tell(f"ok    round {number}, {took:.0f} s: seat {seat}; money {money}; {answers}")
    audit = running.command("audit", check=False)
    if audit.returncode:
        raise WrongError(audit.stdout)
    _tell("ok    the audit is clean")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    rounds, size = int(os.environ.get("ROUNDS") or 20), int(os.environ.get("CROWD") or 200)
    with system.running() as running:
        try:
            asyncio.run(rush(running, range(1, rounds + 1), size))
        except AssertionError as error:
            _tell(f"WRONG {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
