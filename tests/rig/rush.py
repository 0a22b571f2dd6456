"""More children at once than there are seats, and more than there is money for.

Who gets a seat or the money is chance; how many do, and what it costs, is not: the children of one rush are
alike, each has the same money of its own, no priority, and asks for the same. What they are told of their
places in the queue is chance, too: who asked earlier may come later, and a request that comes again is
answered again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from local import client
from local.client import Client
from local.layout import Layout
from local.seeds import district
from local.seeds.programs import ON_HOLD
from rig.system import System

_ON_THE_WAY = frozenset({"requested", "funding"})
FOR_SEATS, FIRST_LESSON = (29, 30, 31, 32, 33, 34, 36, 37, 38), "2026-11-24"
"""Nine children want to play dombyra, where five of ten seats are left; each has money of its own."""
FOR_MONEY, DECEMBER = (11, 12, 13, 15, 16, 17, 18, 19), "2026-12-01"
"""Eight want to program from December on, for which nobody has money yet but the foundation."""
DEPOSIT_TIYN = 5_000_000
"""Together with what it has left it suffices for some of them."""
_TOTALS = """
SELECT 'enrollments ' || state AS what, count(*)::text AS much FROM enrollment.enrollments GROUP BY state
UNION ALL
SELECT format('fund %s, accounts of kind %s', id >> 40, kind),
    format('credited %s, debited %s, held %s', sum(credited), sum(debited), sum(held))
FROM wallet.accounts GROUP BY id >> 40, kind
UNION ALL
SELECT 'seats ' || state, count(*)::text FROM clubs.seats GROUP BY state
UNION ALL
SELECT 'messages ' || kind, count(*)::text
FROM notifications.messages WHERE kind NOT IN ('seat_next', 'seat_queued') GROUP BY kind
"""


async def play(running: System) -> dict[str, Sequence[str]]:
    """Let them all ask at once; what became of each, sorted."""
    async with client.opened(Layout(running.base_port)) as asking:
        administrator = asking.person("administrator-1")
        funds = (await administrator.get("wallet/v1/funds"))["items"]
        (fund_id,) = (fund["id"] for fund in funds if fund["name"]["en"] == ON_HOLD.name.en)
        deposits = f"wallet/v1/funds/{fund_id}/deposits"
        await administrator.post(deposits, {"amount_tiyn": DEPOSIT_TIYN}, key="rush-deposit")
        dombyra, programming = [await _group(asking, one) for one in ("dombyra", "programming")]
        seats, money = await asyncio.gather(
            asyncio.gather(*(_enroll(asking, number, dombyra, FIRST_LESSON) for number in FOR_SEATS)),
            asyncio.gather(*(_enroll(asking, number, programming, DECEMBER) for number in FOR_MONEY)),
        )
    return {"for seats": sorted(seats), "for money": sorted(money)}


async def totals(running: System) -> Mapping[str, str]:
    """How many and how much, of the whole system."""
    async with running.database() as database:
        return {row["what"]: row["much"] for row in await database.fetch(_TOTALS)}


async def _group(asking: Client, direction: str) -> dict[str, Any]:
    found = (await asking.person("administrator-1").get("clubs/v1/groups", direction=direction))["items"]
    wanted = district.group(direction).name.en
    return next(group for group in found if group["name"]["en"] == wanted)


async def _enroll(asking: Client, number: int, group: Mapping[str, Any], starts_on: str) -> str:
    """The state that a child's request came to."""
    guardian = asking.person(f"guardian-{number}")
    child_id = (await guardian.get("enrollment/v1/children"))["items"][0]["id"]
    wanted = {"child_id": child_id, "group_id": group["id"], "starts_on": starts_on}
    told = (await guardian.post("enrollment/v1/enrollments", wanted, key=f"rush-{number}")).content
    while told["state"] in _ON_THE_WAY:
        told = await guardian.get(
            f"enrollment/v1/enrollments/{told['id']}", wait=20.0, version=told["version"]
        )
    return str(told["state"])
