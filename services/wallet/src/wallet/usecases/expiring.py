"""Allotments run out: their day is over, or nobody uses them. Each day the worker looks through all of them.

It goes fund by fund, in pages, and notes how far it came in the transaction that takes the money back: who
dies goes on where he committed last, and what was taken back is not free a second time.
"""

import asyncio
from datetime import timedelta

from shared import clock
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.retrying import until_it_passes
from shared.settings import Settings
from wallet.domain.operations import Expire, Identity
from wallet.repository import recoveries, sweeps
from wallet.repository.sweeps import Allotment, Sweep
from wallet.usecases.post import post

ORIGIN = "allotment_sweep"
ALLOTMENTS_AT_ONCE = 500
AFTER_MIDNIGHT = timedelta(hours=1)
"""By then nobody writes any more who read the clock before midnight, for whom the day was not over."""
IDLE_SECONDS = 2.0


async def sweep_page(tx: Transaction) -> bool:
    """Take back what runs out of the next page of allotments; whether there was a page.

    A ledger that recovers waits: what it has forgotten may have been held.
    """
    if await recoveries.is_recovering(tx):
        return False
    sweep = await sweeps.lock_next(tx, clock.civil_date(tx.now - AFTER_MIDNIGHT))
    if sweep is None:
        return False
    unused_since = sweep.day - timedelta(await sweeps.restore_days(tx, sweep))
    found, last = await sweeps.next_page(tx, sweep, unused_since=unused_since, limit=ALLOTMENTS_AT_ONCE)
    await post(tx, [_expire(sweep, one) for one in found])
    await sweeps.note(tx, sweep, last)
    return True


def _expire(sweep: Sweep, found: Allotment) -> Expire:
    """Asked once for each day: what was in use when it was decided may not be tomorrow."""
    key = f"{sweep.fund_id}/{found.child_id}/{found.expires_on}/{sweep.day}"
    identity = Identity(ORIGIN, "expire", key)
    return Expire(new_id(), identity, sweep.fund_id, found.child_id, found.expires_on)


async def expire_allotments(edge: Edge, _: Settings) -> None:
    """The worker's job."""

    async def once() -> bool:
        async with edge.transaction() as tx:
            return await sweep_page(tx)

    while True:
        if not await until_it_passes(once):
            await asyncio.sleep(IDLE_SECONDS)
