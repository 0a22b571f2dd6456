"""What whoever watches is shown of the money: the same as the books say."""

from rig.office import CHARGED, Desk, Office
from shared.telemetry import registry
from wallet.jobs import show_money_once


def money(at: str) -> float | None:
    return registry.get_sample_value("money_tiyn", {"at": at})


def orders(state: str) -> float | None:
    return registry.get_sample_value("payouts", {"state": state})


async def test_what_is_owed_is_shown_and_then_what_was_paid(owed: Office, desk: Desk) -> None:
    await show_money_once(owed.edge)
    received = money("bank")
    assert (money("payout"), money("payable"), money("paid")) == (0, 2 * CHARGED, 0)
    assert (orders("prepared"), orders("settled")) == (1, 0)
    await desk.send()
    await desk.ask(times=2)
    await show_money_once(owed.edge)
    assert (money("payout"), money("payable"), money("paid")) == (0, 0, 2 * CHARGED)
    assert (orders("prepared"), orders("settled")) == (0, 1)
    assert received == (money("bank") or 0) + 2 * CHARGED
