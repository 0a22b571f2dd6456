"""A dispute at each stage of a line's way: what it stops or can only claim; no other line is touched."""

from typing import Any
from uuid import UUID

import pytest

from rig.office import Desk, Office, SandboxBank, Sheet
from shared.events.wallet import ClaimOpened, ItemFrozen, ItemUnfrozen
from wallet.testing import PRICE, Check

STOPPED = ("charged", "due", "proposed", "approved")
CLAIMED = ("submitting", "sent", "settled")


async def bring_to(office: Office, desk: Desk, stage: str) -> tuple[Sheet, Sheet]:
    """Two lines of one provider, as far on their way."""
    provider_id = await office.new_provider()
    disputed, other = await office.owe(provider_id, children=2, signed=stage != "charged")
    if stage in ("charged", "due"):
        return disputed, other
    run = await office.start()
    if stage == "proposed":
        return disputed, other
    await office.approve(run.proposal_id)
    (order,) = await office.orders()
    if stage == "submitting":
        await office.leave(order["id"], desk)
    elif stage in ("sent", "settled"):
        await desk.send()
    if stage == "settled":
        await desk.ask(2)
    return disputed, other


async def line_of(office: Office, sheet: Sheet) -> dict[str, Any]:
    """The one item of a sheet."""
    (found,) = [one for one in await office.items() if one["enrollment_id"] == sheet.request.enrollment_id]
    return found


async def told_about(office: Office, *kinds: Any) -> list[UUID]:  # noqa: ANN401 - kinds of events
    """The enrollments that events of these kinds are about."""
    return [event.enrollment_id for event in await office.told(*kinds)]  # type: ignore[attr-defined] # all have it


async def pay_all(office: Office, desk: Desk) -> None:
    """Approve whatever waits for it, and let everything leave that can."""
    for run in await office.runs():
        if run["state"] == "proposed":
            await office.approve(run["proposal_id"])
    await desk.send(3)
    await desk.ask(2)


@pytest.mark.parametrize("stage", STOPPED)
async def test_before_it_leaves_a_line_is_stopped_and_no_other(
    *, office: Office, desk: Desk, bank: SandboxBank, assert_clean: Check, stage: str
) -> None:
    disputed, other = await bring_to(office, desk, stage)
    await office.deliver(disputed.closed(disputed=1))
    mine = disputed.request.enrollment_id
    assert await told_about(office, ItemFrozen) == [mine]
    assert await told_about(office, ClaimOpened) == []
    await pay_all(office, desk)
    stopped = await line_of(office, disputed)
    assert (stopped["frozen"], stopped["payout_id"], stopped["amount_tiyn"]) == (True, None, PRICE)
    left = {"charged": "charged", "due": "due"}.get(stage, "settled")
    assert ((await line_of(office, other))["stage"], (await line_of(office, other))["frozen"]) == (
        left,
        False,
    )
    paid = [payment["amount"] for payment in bank.payments()]
    assert paid == ([f"{PRICE // 100}.{PRICE % 100:02}"] if left == "settled" else [])

    await office.deliver(disputed.closed(decided="do_not_count"))
    lowered = await line_of(office, disputed)
    assert (lowered["frozen"], lowered["amount_tiyn"], lowered["claimed_tiyn"]) == (False, PRICE * 3 // 4, 0)
    assert await told_about(office, ItemUnfrozen) == [mine]
    await assert_clean()


@pytest.mark.parametrize("stage", CLAIMED)
async def test_from_submitting_on_it_is_a_claim_about_this_line(
    *, office: Office, desk: Desk, bank: SandboxBank, assert_clean: Check, stage: str
) -> None:
    disputed, other = await bring_to(office, desk, stage)
    before = await line_of(office, disputed)
    assert before["stage"] == stage
    await office.deliver(disputed.closed(disputed=1))
    assert await told_about(office, ClaimOpened) == [disputed.request.enrollment_id]
    assert await told_about(office, ItemFrozen) == []
    assert await line_of(office, disputed) == before

    await office.deliver(disputed.closed(decided="do_not_count"))
    assert (await line_of(office, disputed))["claimed_tiyn"] == PRICE // 4
    assert (await line_of(office, other))["claimed_tiyn"] == 0
    assert sum(payment["times"] for payment in bank.payments()) == (0 if stage == "submitting" else 1)
    await assert_clean()
