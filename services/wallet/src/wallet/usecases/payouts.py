"""Payout runs: what is due becomes orders, two persons agree on them, and what changes needs a new agreement.

Sending the orders is `submitting`, what the bank says of them `answers`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import UUID

from shared import audit, clock
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.errors import ConflictError, NotFoundError
from shared.retrying import until_it_passes
from shared.security import Principal
from shared.settings import Settings
from wallet.domain.payouts import Ordered, OrderedItem, State, run_digest
from wallet.repository import payout_runs, payouts, recoveries
from wallet.repository.payout_runs import APPROVED, GIVEN_UP, PROPOSED, DueItem, PayoutRun
from wallet.repository.payouts import Payout
from wallet.repository.programs import FundRow
from wallet.usecases.funds import read_fund
from wallet.usecases.plans import Plan
from wallet.usecases.programs import require_administrator

IDLE_SECONDS = 0.5


class RunPlan(Plan):
    """What is approved: a run, and a fingerprint of its orders with all their items."""

    run_id: UUID
    digest: str


async def start_payout_run(tx: Transaction, principal: Principal, fund_id: UUID) -> PayoutRun:
    """Take all that is due from a fund and can be paid: one order a provider, to be approved by another."""
    principal.require("administrator")
    fund = await read_fund(tx, fund_id)
    require_administrator(principal, fund.region_id)
    if await recoveries.is_recovering(tx):
        raise ConflictError("ledger_recovering")
    due = await payout_runs.take_due(tx, fund_id, clock.civil_date(tx.now))
    if not due:
        raise ConflictError("nothing_due")
    providers = [list(items) for _, items in groupby(due, key=lambda item: item.provider_id)]
    orders = [_order(items) for items in providers]
    run_id = new_id()
    await _propose_run(tx, principal, run_id, fund, orders)
    rows = [
        {
            "id": order.payout_id,
            "version": 1,
            "run_id": run_id,
            "provider_id": items[0].provider_id,
            "fund_id": fund_id,
            "iban": order.payee.iban,
            "name": order.payee.name,
            "bin": order.payee.bin,
            "amount_tiyn": sum(item.amount_tiyn for item in items),
            "items": len(items),
            "state": State.PREPARED,
            "msg_id": order.payout_id.hex,
            "end_to_end_id": order.payout_id.hex,
            "created_at": tx.now,
        }
        for order, items in zip(orders, providers, strict=True)
    ]
    await payout_runs.insert_orders(tx, rows, orders)
    return await _read(tx, run_id)


def _order(items: Sequence[DueItem]) -> Ordered:
    ordered = [OrderedItem(item.item_id, item.amount_tiyn) for item in items]
    return Ordered(new_id(), items[0].payee, ordered)


async def _propose_run(
    tx: Transaction, principal: Principal, run_id: UUID, fund: FundRow, orders: Sequence[Ordered]
) -> None:
    digest = run_digest(run_id, orders)
    plan = RunPlan(run_id=run_id, digest=digest)
    proposal = await propose(tx, principal, PAYOUT_RUN, plan, scope_id=fund.region_id)
    row = {
        "id": run_id,
        "version": 1,
        "fund_id": fund.id,
        "state": PROPOSED,
        "proposal_id": proposal.id,
        "digest": digest,
        "proposed_by": principal.person_id,
        "created_at": tx.now,
    }
    await payout_runs.insert_run(tx, row)


async def _approve_run(tx: Transaction, proposal: Proposal, plan: RunPlan) -> UUID:
    """Exactly what was proposed, or nothing: orders that changed meanwhile have a proposal of their own."""
    (run,) = await payout_runs.lock_runs(tx, [plan.run_id])
    unchanged = run_digest(run.id, await payout_runs.ordered_in(tx, run.id)) == plan.digest
    if run.state != PROPOSED or run.proposal_id != proposal.id or not unchanged:
        raise ConflictError("run_changed")
    await payout_runs.update_run(
        tx, run.id, state=APPROVED, approved_by=proposal.decided_by, approved_at=proposal.decided_at
    )
    tx.touch(run.id)
    return run.id


PAYOUT_RUN = ApprovalKind("payout_run", RunPlan, ("administrator",), _approve_run)


async def take_out(tx: Transaction, payout_ids: Iterable[UUID]) -> None:
    """Items of these orders were lowered or taken out: count anew, and have what is left agreed on again.

    The caller has locked the items and written them. Orders that have left are no longer changed by anybody.
    """
    orders = await payouts.lock_payouts(tx, frozenset(payout_ids))
    changed = [order for order in orders if order.state is State.PREPARED]
    runs = await payout_runs.lock_runs(tx, {order.run_id for order in changed})
    left = [order for order in changed if await payouts.recount(tx, order.id)]
    for run in runs:
        if run.state == PROPOSED:
            await propose_again(tx, run)
        else:
            await _move_to_new_run(tx, run, [order for order in left if order.run_id == run.id])


async def propose_again(tx: Transaction, run: PayoutRun) -> None:
    """Have what is left of a run agreed on anew; without orders it is given up. The run is locked."""
    orders = await payout_runs.ordered_in(tx, run.id)
    if not orders:
        await payout_runs.update_run(tx, run.id, state=GIVEN_UP)
        return
    fund = await read_fund(tx, run.fund_id)
    digest = run_digest(run.id, orders)
    plan = RunPlan(run_id=run.id, digest=digest)
    proposal = await propose(tx, _proposer(run), PAYOUT_RUN, plan, scope_id=fund.region_id)
    await payout_runs.update_run(tx, run.id, proposal_id=proposal.id, digest=digest)
    tx.touch(run.id)


async def _move_to_new_run(tx: Transaction, run: PayoutRun, changed: Sequence[Payout]) -> None:
    """Two persons did not approve this: the rest of the run stands, these orders wait for a new approval."""
    if not changed:
        return
    ids = {order.id for order in changed}
    orders = [order for order in await payout_runs.ordered_in(tx, run.id) if order.payout_id in ids]
    new_run_id = new_id()
    fund = await read_fund(tx, run.fund_id)
    await _propose_run(tx, _proposer(run), new_run_id, fund, orders)
    for payout_id in ids:
        await payouts.update_payout(tx, payout_id, run_id=new_run_id)


def _proposer(run: PayoutRun) -> Principal:
    """Who proposed the run; in their name it is proposed again, with no right of theirs needed for that."""
    return Principal(run.proposed_by, frozenset())


async def give_up_run(tx: Transaction) -> bool:
    """Give back the items of a run that was rejected or not approved in time; whether there was one."""
    run_id = await payout_runs.next_turned_down(tx)
    if run_id is None:
        return False
    ids = [order.id for order in await payouts.payouts_of(tx, run_id)]
    await payouts.lock_items_of(tx, ids)
    orders = await payouts.lock_payouts(tx, ids)
    (run,) = await payout_runs.lock_runs(tx, [run_id])
    if run.state != PROPOSED or await payout_runs.next_turned_down(tx) != run_id:
        return True  # somebody was faster: look again
    ids = [order.id for order in orders if order.run_id == run_id]
    await payouts.put_back_items(tx, ids)
    await payouts.delete_payouts(tx, ids)
    await payout_runs.update_run(tx, run_id, state=GIVEN_UP)
    await audit.record(tx, None, "give_up", "payout_run", run_id)
    tx.touch(run_id)
    return True


async def give_up_runs(edge: Edge, _: Settings) -> None:
    """The worker's job: what nobody wants to pay in this way is due again."""

    async def once() -> bool:
        async with edge.transaction() as tx:
            return await give_up_run(tx)

    while True:
        if not await until_it_passes(once):
            await asyncio.sleep(IDLE_SECONDS)


async def read_payout_run(tx: Transaction, principal: Principal, run_id: UUID) -> PayoutRun:
    """For those who administer or audit the fund's region or program."""
    run = await _read(tx, run_id)
    await _require_overseer(tx, principal, run.fund_id)
    return run


async def read_payout(tx: Transaction, principal: Principal, payout_id: UUID) -> Payout:
    """For directors of the provider, and those who administer or audit the fund's region or program."""
    payout = await payouts.find_payout(tx, payout_id)
    if payout is None:
        raise NotFoundError
    if payout.provider_id not in principal.scopes("director"):
        await _require_overseer(tx, principal, payout.fund_id)
    return payout


async def _require_overseer(tx: Transaction, principal: Principal, fund_id: UUID) -> None:
    fund = await read_fund(tx, fund_id)
    if principal.scopes("administrator", "auditor").isdisjoint({fund.region_id, fund.program_id}):
        raise NotFoundError


async def _read(tx: Transaction, run_id: UUID) -> PayoutRun:
    run = await payout_runs.find_run(tx, run_id)
    if run is None:
        raise NotFoundError
    return run
