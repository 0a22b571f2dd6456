"""The worker's own loop for figures: how much money lies where, as of every few minutes.

The sums go over all accounts: too much for each question of a monitoring system, and nobody watches money by
the second.
"""

import asyncio

from prometheus_client import Gauge

from shared.edge import Edge
from shared.retrying import until_it_passes
from shared.settings import Settings
from shared.telemetry import registry
from wallet.domain.accounts import Kind
from wallet.domain.payouts import State
from wallet.repository import totals

FIRST_AFTER_SECONDS = 30.0
EVERY_SECONDS = 5 * 60.0
PLACES = (*(kind.value for kind in Kind), "held", "paid")

MONEY = Gauge("money_tiyn", "How much lies where", ["at"], registry=registry)
ORDERS = Gauge("payouts", "Bank orders", ["state"], registry=registry)


async def show_money(edge: Edge, _: Settings) -> None:
    """Show it now and again, for ever."""

    async def once() -> None:
        await show_money_once(edge)

    await asyncio.sleep(FIRST_AFTER_SECONDS)
    while True:
        await until_it_passes(once)
        await asyncio.sleep(EVERY_SECONDS)


async def show_money_once(edge: Edge) -> None:
    """Show where it is now."""
    async with edge.transaction() as tx:
        found, orders = await totals.money(tx), await totals.orders(tx)
    for place in PLACES:
        MONEY.labels(place).set(found.get(place, 0))
    for state in State:
        ORDERS.labels(state).set(orders.get(state, 0))
