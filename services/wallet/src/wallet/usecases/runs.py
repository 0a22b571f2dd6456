"""Funding runs: the money of an `ahead` fund is allotted to all entitled children, in chunks, by the worker.

A child is allotted the months that no earlier allotment of the fund has paid: a run repeated, or one that
overlaps another, pays no month twice. A run that dies, or was paused, goes on where it committed last.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from shared import audit, clock, outbox
from shared.database import Transaction, new_id
from shared.edge import Edge
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.wallet import CHILDREN_PER_RECORD_MAX, ChildrenFunded
from shared.retrying import until_it_passes
from shared.security import Principal
from shared.settings import Settings
from wallet.domain.allotting import Entitled, LeftOut, judge
from wallet.domain.operations import Allot, Allotted, Declined, Identity
from wallet.domain.programs import Mode
from wallet.repository import runs
from wallet.repository.programs import FundRow
from wallet.repository.runs import DONE, PAUSED, RUNNING, LeftOutChild, Run
from wallet.usecases.funds import read_fund
from wallet.usecases.post import post
from wallet.usecases.programs import require_administrator

ORIGIN = "funding_run"
IDLE_SECONDS = 0.5
CHILDREN_AT_ONCE = 1_000
"""Of a chunk: so many wallets are locked until it is committed. Twice as many make it no faster."""
CHUNKS_PER_SECOND = 4
"""Of a run that keeps a pace."""
REHEARSED_AT_ONCE = 10_000
OUTBOX_ROWS_MAX = 50
"""A run adds to an outbox that is no longer than this. The relay keeps the order, so what people wait for
stands behind at most so many records of runs, about a megabyte."""
RELAY_SECONDS = 0.02
"""How long to wait until the outbox may be shorter."""


class Asked(NamedTuple):
    """What an administrator wants of a run."""

    fund_id: UUID
    until: date
    dry_run: bool = False
    children_per_second: int | None = None


class Chunk(NamedTuple):
    """What was done of a run just now; no children: it counts them first, or waits for the outbox."""

    children: int = 0
    per_second: int | None = None


@dataclass(slots=True)
class _Outcome:
    """What a chunk came to."""

    funded: list[UUID] = field(default_factory=list)
    allotted_tiyn: int = 0
    left_out: list[LeftOutChild] = field(default_factory=list)

    def leave_out(self, child_id: UUID, code: LeftOut, amount_tiyn: int = 0) -> None:
        self.left_out.append(LeftOutChild(child_id, code, amount_tiyn))

    def fund(self, child_id: UUID, amount_tiyn: int) -> None:
        self.funded.append(child_id)
        self.allotted_tiyn += amount_tiyn


async def start_run(tx: Transaction, principal: Principal, asked: Asked) -> UUID:
    """Ask for a run; the worker does it. A dry run writes nothing but its own figures."""
    principal.require("administrator")
    fund = await read_fund(tx, asked.fund_id)
    require_administrator(principal, fund.region_id, fund.program_id)
    today = clock.civil_date(tx.now)
    if fund.mode != Mode.AHEAD:
        raise InvalidError("fund_not_ahead")
    if not today <= asked.until <= fund.last_capture_on:
        raise InvalidError("until_outside_fund")
    run_id = new_id()
    row = {"id": run_id, "version": 1, "state": RUNNING, "created_by": principal.person_id}
    await runs.insert_run(tx, row | {"created_at": tx.now} | asked._asdict())
    await audit.record(tx, principal, "start_funding_run", "fund", fund.id, run_id=str(run_id))
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


async def list_left_out(
    tx: Transaction,
    principal: Principal,
    run_id: UUID,
    *,
    code: LeftOut | None,
    after: tuple[str, UUID] | None,
    limit: int,
) -> list[LeftOutChild]:
    """Whom the run gave nothing, by reason and id; for the same people."""
    await read_run(tx, principal, run_id)
    return await runs.list_left_out(tx, run_id, code=code, after=after, limit=limit)


async def pause_run(tx: Transaction, principal: Principal, run_id: UUID) -> None:
    """Let it rest after the chunk at hand. One that rests already goes on resting."""
    await _set_state(tx, principal, run_id, PAUSED)


async def resume_run(tx: Transaction, principal: Principal, run_id: UUID) -> None:
    """Let it go on with the child after the last one it reached."""
    await _set_state(tx, principal, run_id, RUNNING)


async def _set_state(tx: Transaction, principal: Principal, run_id: UUID, state: str) -> None:
    principal.require("administrator")
    fund = await read_fund(tx, (await read_run(tx, principal, run_id)).fund_id)
    require_administrator(principal, fund.region_id, fund.program_id)
    run = await runs.find_run(tx, run_id, lock=True)
    if run is None or run.state == DONE:
        raise ConflictError("run_is_done")
    if run.state == state:
        return
    await runs.set_state(tx, run_id, state)
    tx.touch(run_id)
    action = "pause_funding_run" if state == PAUSED else "resume_funding_run"
    await audit.record(tx, principal, action, "fund", fund.id, run_id=str(run_id))


async def advance_run(tx: Transaction) -> Chunk | None:
    """Do one chunk of the oldest run; None if there is none."""
    run = await runs.lock_running(tx)
    if run is None:
        return None
    if run.children is None:
        await runs.advance(tx, run.id, {"children": await runs.count_children(tx, run.fund_id)})
        return Chunk()
    if not run.dry_run and await runs.outbox_is_longer_than(tx, OUTBOX_ROWS_MAX):
        return Chunk()
    at_once = REHEARSED_AT_ONCE if run.dry_run else _children_at_once(run)
    await runs.plan_for_its_size(tx)
    fund = await read_fund(tx, run.fund_id)
    first = clock.civil_date(run.created_at)
    children = await runs.next_children(tx, run, fund.program_id, first=first, limit=at_once)
    judged = [(child, judge(child, first, run.until, fund.monthly_tiyn or 0)) for child in children]
    outcome = _rehearse(run, fund, judged) if run.dry_run else await _allot(tx, run, judged)
    if not run.dry_run:
        await runs.insert_left_out(tx, run.id, outcome.left_out)
        _tell(tx, run, fund, outcome.funded)
    after = children[-1].child_id if children else run.after_child
    await _note_progress(tx, run, outcome, {"after_child": after, "state": _state(children, at_once)})
    return Chunk(len(children), run.children_per_second)


def _children_at_once(run: Run) -> int:
    if run.children_per_second is None:
        return CHILDREN_AT_ONCE
    return min(max(run.children_per_second // CHUNKS_PER_SECOND, 1), CHILDREN_AT_ONCE)


def _state(children: Sequence[Entitled], at_once: int) -> str:
    return RUNNING if len(children) == at_once else DONE


def _rehearse(run: Run, fund: FundRow, judged: Sequence[tuple[Entitled, int | LeftOut]]) -> _Outcome:
    """What would become of these children, with what earlier chunks would have spent already gone."""
    outcome = _Outcome()
    free = fund.free_tiyn - run.allotted_tiyn
    for child, verdict in judged:
        if isinstance(verdict, LeftOut):
            outcome.leave_out(child.child_id, verdict)
        elif verdict > free - outcome.allotted_tiyn:
            outcome.leave_out(child.child_id, LeftOut.NO_MONEY, verdict)
        else:
            outcome.fund(child.child_id, verdict)
    return outcome


async def _allot(tx: Transaction, run: Run, judged: Sequence[tuple[Entitled, int | LeftOut]]) -> _Outcome:
    """One batch of the ledger."""
    outcome, commands, prefix = _Outcome(), list[Allot](), f"{run.id}/"
    for child, verdict in judged:
        if isinstance(verdict, LeftOut):
            outcome.leave_out(child.child_id, verdict)
            continue
        identity = Identity(ORIGIN, "allot", f"{prefix}{child.child_id}")
        commands.append(Allot(new_id(), identity, run.fund_id, child.child_id, run.until, verdict))
    for command, result in zip(commands, await post(tx, commands), strict=True):
        match result:
            case Allotted(amount):
                outcome.fund(command.child_id, amount)
            case Declined(code):
                wanted = command.amount_tiyn if code == LeftOut.NO_MONEY else 0
                outcome.leave_out(command.child_id, LeftOut(code), wanted)
            case _:
                raise TypeError(type(result).__name__)
    return outcome


def _tell(tx: Transaction, run: Run, fund: FundRow, funded: Sequence[UUID]) -> None:
    for start in range(0, len(funded), CHILDREN_PER_RECORD_MAX):
        children = tuple(funded[start : start + CHILDREN_PER_RECORD_MAX])
        told = {"run_id": run.id, "program_id": fund.program_id, "fund_id": run.fund_id}
        outbox.publish(tx, ChildrenFunded(**told, child_ids=children))


async def _note_progress(
    tx: Transaction, run: Run, outcome: _Outcome, place: dict[str, UUID | str | None]
) -> None:
    """How far the run is, and what is missing in the fund now, so that nobody would be left out for it."""
    declined = run.declined_tiyn + sum(child.amount_tiyn for child in outcome.left_out)
    allotted = run.allotted_tiyn + outcome.allotted_tiyn
    free = 0
    if declined:
        free = (await read_fund(tx, run.fund_id)).free_tiyn - (allotted if run.dry_run else 0)
    values = {
        "funded": run.funded + len(outcome.funded),
        "left_out": dict(Counter(run.left_out) + Counter(child.code.value for child in outcome.left_out)),
        "allotted_tiyn": allotted,
        "declined_tiyn": declined,
        "missing_tiyn": max(declined - free, 0),
    }
    await runs.advance(tx, run.id, place | values)
    tx.touch(run.id)


async def fund_children(edge: Edge, _: Settings) -> None:
    """The worker's job: runs that were asked for, chunk by chunk, at their pace or as fast as may be."""

    async def once() -> Chunk | None:
        async with edge.transaction() as tx:
            return await advance_run(tx)

    while True:
        began = monotonic()
        chunk = await until_it_passes(once)
        await asyncio.sleep(_pause_after(chunk, monotonic() - began))


def _pause_after(chunk: Chunk | None, seconds: float) -> float:
    if chunk is None:
        return IDLE_SECONDS
    if not chunk.children:
        return RELAY_SECONDS
    return max(chunk.children / chunk.per_second - seconds, 0) if chunk.per_second else 0
