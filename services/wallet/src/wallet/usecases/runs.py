"""Funding runs: the money of an `ahead` fund is allotted to all entitled children, in chunks, by the worker.

A child is allotted the months that no earlier allotment of the fund has paid: a run repeated, or one that
overlaps another, pays no month twice. A run that dies goes on where it committed last.
"""

import asyncio
from datetime import date
from uuid import UUID

from shared import audit, clock, outbox
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.errors import InvalidError, NotFoundError
from shared.events.wallet import CHILDREN_PER_RECORD_MAX, ChildrenFunded
from shared.retrying import until_it_passes
from shared.security import Principal
from shared.settings import Settings
from wallet.domain.books import fund_account
from wallet.domain.decisions import decide
from wallet.domain.operations import Allot, Allotted, Declined, Identity, Result
from wallet.domain.programs import Mode, months_to_allot
from wallet.repository import runs
from wallet.repository.programs import FundRow
from wallet.repository.runs import Entitled, Run
from wallet.repository.snapshots import read_snapshot
from wallet.usecases.funds import read_fund
from wallet.usecases.post import post
from wallet.usecases.programs import require_administrator

ORIGIN = "funding_run"
IDLE_SECONDS = 0.5
PAUSE_SECONDS = 0.02
"""Between two chunks of a run, for the requests of people."""
OUTBOX_ROWS_MAX = 1000


async def start_run(
    tx: Transaction, principal: Principal, *, fund_id: UUID, until: date, dry_run: bool
) -> UUID:
    """Ask for a run; the worker does it. A dry run writes nothing but its own figures."""
    principal.require("administrator")
    fund = await read_fund(tx, fund_id)
    require_administrator(principal, fund.region_id, fund.program_id)
    today = clock.civil_date(tx.now)
    if fund.mode != Mode.AHEAD:
        raise InvalidError("fund_not_ahead")
    if not today <= until <= fund.last_capture_on:
        raise InvalidError("until_outside_fund")
    run_id = new_id()
    await runs.insert_run(
        tx,
        {
            "id": run_id,
            "version": 1,
            "fund_id": fund_id,
            "until": until,
            "dry_run": dry_run,
            "state": "running",
            "created_by": principal.person_id,
            "created_at": tx.now,
        },
    )
    await audit.record(tx, principal, "start_funding_run", "fund", fund_id, run_id=str(run_id))
    return run_id


async def read_run(tx: Transaction, principal: Principal, run_id: UUID) -> Run:
    """The run, for those who administer or audit its region or program."""
    run = await runs.find_run(tx, run_id)
    if run is None:
        raise NotFoundError
    fund = await read_fund(tx, run.fund_id)
    if principal.scopes("administrator", "auditor").isdisjoint({fund.region_id, fund.program_id}):
        raise NotFoundError
    return run


async def advance_run(tx: Transaction) -> bool:
    """Do one chunk of the oldest run; whether there was anything to do."""
    if await runs.outbox_is_longer_than(tx, OUTBOX_ROWS_MAX):
        return False
    run = await runs.lock_running(tx)
    if run is None:
        return False
    fund = await read_fund(tx, run.fund_id)
    first = clock.civil_date(run.created_at)
    children = await runs.next_children(tx, run, first=first, limit=CHILDREN_PER_RECORD_MAX)
    commands = [command for child in children if (command := _allot(run, fund, child, first))]
    if run.dry_run:
        results = await _rehearse(tx, run, commands)
    else:
        results = await post(tx, commands)
        _tell(tx, run, fund, commands, results)
    await _note_progress(tx, run, children, results)
    return True


def _allot(run: Run, fund: FundRow, child: Entitled, first: date) -> Allot | None:
    """The months of the run in which the child is entitled; none if earlier allotments paid them all."""
    months = months_to_allot(max(first, child.starts_on), min(run.until, child.until), child.allotted_until)
    if not months:
        return None
    amount = (fund.monthly_tiyn or 0) * months * child.coefficient_percent // 100
    identity = Identity(ORIGIN, "allot", f"{run.id}/{child.child_id}")
    return Allot(new_id(), identity, run.fund_id, child.child_id, run.until, amount)


async def _rehearse(tx: Transaction, run: Run, commands: list[Allot]) -> list[Result]:
    """What `post` would answer, with what earlier chunks would have spent already gone."""
    if not commands:
        return []
    read = await read_snapshot(await tx.driver(), commands, lock=False)
    balance = read.snapshot.balances.get(fund_account(run.fund_id))
    if balance is not None:
        balance.debited += run.allotted_tiyn
    return decide(read.snapshot, commands, clock.civil_date(tx.now)).results


def _tell(tx: Transaction, run: Run, fund: FundRow, commands: list[Allot], results: list[Result]) -> None:
    funded = [
        command.child_id
        for command, result in zip(commands, results, strict=True)
        if isinstance(result, Allotted)
    ]
    if funded:
        outbox.publish(
            tx,
            ChildrenFunded(
                run_id=run.id, program_id=fund.program_id, fund_id=run.fund_id, child_ids=tuple(funded)
            ),
        )


async def _note_progress(tx: Transaction, run: Run, children: list[Entitled], results: list[Result]) -> None:
    allotted = [result.amount_tiyn for result in results if isinstance(result, Allotted)]
    declined = [result for result in results if isinstance(result, Declined)]
    await runs.update_run(
        tx,
        run.id,
        {
            "state": "running" if len(children) == CHILDREN_PER_RECORD_MAX else "done",
            "after_child": children[-1].child_id if children else run.after_child,
            "funded": run.funded + len(allotted),
            "already": run.already + len(children) - len(results),
            "declined": run.declined + len(declined),
            "allotted_tiyn": run.allotted_tiyn + sum(allotted),
            "missing_tiyn": run.missing_tiyn + sum(result.missing_tiyn for result in declined),
        },
    )
    tx.touch(run.id)


async def fund_children(edge: Edge, _: Settings) -> None:
    """The worker's job: runs that were asked for, chunk by chunk, as fast as the relay sends events."""

    async def once() -> bool:
        async with edge.transaction() as tx:
            return await advance_run(tx)

    while True:
        busy = await until_it_passes(once)
        await asyncio.sleep(PAUSE_SECONDS if busy else IDLE_SECONDS)
