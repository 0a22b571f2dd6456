"""Funding runs, whom they still have to reach, and whom they left out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.domain.allotting import Entitled, LeftOut
from wallet.tables import entitlements, funding_run_left_out, funding_runs, funds

RUNNING, PAUSED, DONE = "running", "paused", "done"
WORK_SECONDS_MAX = 10
"""Between two chunks; more than that was no work but a crash."""

# Goes on in the index after the child that was reached last: it costs the same at the end of a run as at its
# beginning. 16 is the kind of allotments.
_NEXT_CHILDREN = """
SELECT child_id, coefficient_percent, starts_on, until, begins_later,
    (SELECT max(a.expires_on) FROM accounts a
     WHERE a.kind = 16 AND a.child_id = child.child_id AND NOT a.given_back
        AND (a.id >> 40) = (SELECT number FROM funds WHERE id = $1)) AS allotted_until
FROM (
    SELECT e.child_id, max(e.coefficient_percent) FILTER (WHERE covers) AS coefficient_percent,
        min(e.starts_on) FILTER (WHERE covers) AS starts_on, max(e.until) FILTER (WHERE covers) AS until,
        bool_or(e.starts_on > $5) AS begins_later
    FROM entitlements e, LATERAL (SELECT e.starts_on <= $5 AND e.until >= $4) AS days(covers)
    WHERE e.program_id = $2 AND e.child_id > $3
    GROUP BY e.child_id ORDER BY e.child_id LIMIT $6
) AS child
ORDER BY child_id
"""
# A plan that was made, and kept, while the ledger was small reads all of it for each chunk when it no longer
# is: thousands of chunks are done before the statistics are taken again.
_PLAN_FOR_ITS_SIZE = sa.text("""
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true)
""")
_LEFT_OUT = """
INSERT INTO funding_run_left_out (run_id, child_id, code, amount_tiyn)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::bigint[])
"""
_NOBODY = UUID(int=0)

# Rows leave the outbox in the order of their ids: if as many are waiting, then one of the window before the
# last so many. Older entries of the index, dead ones too, are not looked at.
_OUTBOX_IS_LONGER = sa.text("""
    SELECT EXISTS (
        SELECT 1 FROM outbox, (SELECT last_value FROM outbox_id_seq) AS seq(last)
        WHERE id > seq.last - 2 * :rows AND id <= seq.last - :rows
    )
""")


@dataclass(frozen=True, slots=True)
class Run:
    """A funding run and how far it has come."""

    id: UUID
    version: int
    fund_id: UUID
    until: date
    dry_run: bool
    state: str
    after_child: UUID | None
    children: int | None
    """Of the program, counted when the run began; None before."""
    children_per_second: int | None
    """At most; None: as fast as it can."""
    funded: int
    left_out: Mapping[str, int]
    """Children, by the code of the reason."""
    allotted_tiyn: int
    declined_tiyn: int
    """What those for whom the money did not suffice would have got."""
    missing_tiyn: int
    """So much more in the fund, and it would have sufficed."""
    worked_ms: int
    created_by: UUID
    created_at: datetime

    @property
    def reached(self) -> int:
        """Children who were looked at."""
        return self.funded + sum(self.left_out.values())

    @property
    def rate(self) -> float | None:
        """Children a second, from the start, without pauses."""
        return round(self.reached * 1000 / self.worked_ms, 1) if self.worked_ms else None


class LeftOutChild(NamedTuple):
    """A child whom a run gave nothing."""

    child_id: UUID
    code: LeftOut
    amount_tiyn: int
    """What it would have got; 0 if the reason is another than money."""


_RUN = [column for column in funding_runs.c if column.name != "worked_at"]


async def insert_run(tx: Transaction, row: Mapping[str, Any]) -> None:
    """A run that a worker will find."""
    await tx.execute(sa.insert(funding_runs).values(**row, worked_at=sa.func.clock_timestamp()))


async def find_run(tx: Transaction, run_id: UUID, *, lock: bool = False) -> Run | None:
    """The run as it stands."""
    query = sa.select(*_RUN).where(funding_runs.c.id == run_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).mappings().first()
    return Run(**row) if row else None


async def lock_running(tx: Transaction) -> Run | None:
    """The oldest run that is to go on, locked, and its fund for other runs.

    Of a fund one run at a time, never two: a child's months are counted from what the runs before have
    allotted. Another worker waits here for its chunk.
    """
    oldest = sa.select(funding_runs.c.id, funding_runs.c.fund_id).where(funding_runs.c.state == RUNNING)
    found = (await tx.execute(oldest.order_by(funding_runs.c.id).limit(1))).first()
    if found is None:
        return None
    await tx.execute(sa.select(funds.c.id).filter_by(id=found.fund_id).with_for_update(key_share=True))
    run = await find_run(tx, found.id, lock=True)
    return run if run is not None and run.state == RUNNING else None


async def plan_for_its_size(tx: Transaction) -> None:
    """Until this transaction ends, statements are planned for the ledger as it is now, and by its indexes."""
    await tx.execute(_PLAN_FOR_ITS_SIZE)


async def advance(tx: Transaction, run_id: UUID, values: Mapping[str, Any]) -> None:
    """How far it has come now."""
    now = sa.func.clock_timestamp()
    pause_ms = sa.func.extract("epoch", now - funding_runs.c.worked_at) * 1000
    worked = sa.func.least(pause_ms, WORK_SECONDS_MAX * 1000)
    await _update(tx, run_id, {**values, "worked_ms": funding_runs.c.worked_ms + worked, "worked_at": now})


async def set_state(tx: Transaction, run_id: UUID, state: str) -> None:
    """Let it rest, or go on; what lies between is no time of work."""
    await _update(tx, run_id, {"state": state, "worked_at": sa.func.clock_timestamp()})


async def _update(tx: Transaction, run_id: UUID, values: Mapping[str, Any]) -> None:
    changed = sa.update(funding_runs).where(funding_runs.c.id == run_id)
    await tx.execute(changed.values(version=funding_runs.c.version + 1, **values))


async def count_children(tx: Transaction, fund_id: UUID) -> int:
    """Whoever has or had an entitlement of the fund's program."""
    program = sa.select(funds.c.program_id).where(funds.c.id == fund_id).scalar_subquery()
    query = sa.select(sa.func.count(entitlements.c.child_id.distinct()))
    return int((await tx.execute(query.where(entitlements.c.program_id == program))).scalar_one())


async def next_children(
    tx: Transaction, run: Run, program_id: UUID, *, first: date, limit: int
) -> list[Entitled]:
    """The program's children after the last one reached, in the order of their ids."""
    driver = await tx.driver()
    after = run.after_child or _NOBODY
    rows = await driver.fetch(_NEXT_CHILDREN, run.fund_id, program_id, after, first, run.until, limit)
    return [Entitled(*row) for row in rows]


async def insert_left_out(tx: Transaction, run_id: UUID, children: Iterable[LeftOutChild]) -> None:
    """Remember for the report whom the run gave nothing."""
    columns = [list(column) for column in zip(*children, strict=True)]
    if columns:
        await (await tx.driver()).execute(_LEFT_OUT, run_id, *columns)


async def list_left_out(
    tx: Transaction, run_id: UUID, *, code: LeftOut | None, after: tuple[str, UUID] | None, limit: int
) -> list[LeftOutChild]:
    """Whom the run gave nothing, by reason, then by id."""
    table = funding_run_left_out
    query = sa.select(table.c.child_id, table.c.code, table.c.amount_tiyn).where(table.c.run_id == run_id)
    if code is not None:
        query = query.where(table.c.code == code)
    if after is not None:
        query = query.where(sa.tuple_(table.c.code, table.c.child_id) > sa.tuple_(*after))
    ordered = query.order_by(table.c.code, table.c.child_id).limit(limit)
    rows = await tx.execute(ordered)
    return [LeftOutChild(row.child_id, LeftOut(row.code), row.amount_tiyn) for row in rows]


async def outbox_is_longer_than(tx: Transaction, rows: int) -> bool:
    """Whether more than about so many events wait to be sent: then a run has to wait too."""
    return bool((await tx.execute(_OUTBOX_IS_LONGER, {"rows": rows})).scalar_one())
