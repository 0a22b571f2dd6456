"""How far the allotments of each fund were looked through for a day, and which of them run out."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.repository.payers import read_programs
from wallet.tables import FUND_SHIFT, allotment_sweeps

_BEGIN = sa.text("""
    INSERT INTO allotment_sweeps (fund_id, day, after_account)
    SELECT f.id, :day, 0 FROM funds f
    WHERE f.mode = 'ahead' AND NOT EXISTS (SELECT FROM allotment_sweeps s WHERE s.fund_id = f.id)
    ORDER BY f.id ON CONFLICT DO NOTHING
""")
_NEXT = sa.text("""
    SELECT s.fund_id, f.number, f.program_id, s.day, s.after_account
    FROM allotment_sweeps s JOIN funds f ON f.id = s.fund_id
    WHERE s.after_account IS NOT NULL OR s.day < least(:day, f.last_capture_on + 1)
    ORDER BY s.fund_id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
""")
"""A fund that is over is looked through once more: after that nothing comes back into its allotments."""
_PAGE = sa.text("""
    WITH page AS (
        SELECT id, child_id, expires_on, credited > debited + held
            AND (expires_on < :day OR (held = 0 AND moved_on <= :unused_since)) AS runs_out
        FROM accounts WHERE id > :after AND id < :beyond AND kind = 16 ORDER BY id LIMIT :limit
    )
    SELECT * FROM page WHERE runs_out OR id = (SELECT max(id) FROM page) ORDER BY id
""")


class Sweep(NamedTuple):
    """One look through a fund's allotments, by number, for a day."""

    fund_id: UUID
    number: int
    program_id: UUID
    day: date
    after_account: int


class Allotment(NamedTuple):
    """Something of it is free, and may be taken back."""

    child_id: UUID
    expires_on: date


async def lock_next(tx: Transaction, day: date) -> Sweep | None:
    """The next that is not through for the day, locked; what another worker is at is left to it."""
    await tx.execute(_BEGIN, {"day": day})
    row = (await tx.execute(_NEXT, {"day": day})).first()
    if row is None:
        return None
    if row.after_account is None:
        return Sweep(row.fund_id, row.number, row.program_id, day, 0)
    return Sweep._make(row)


async def restore_days(tx: Transaction, sweep: Sweep) -> int:
    """How long the fund's program leaves an allotment to a child that does not use it."""
    programs = await read_programs(await tx.driver(), [sweep.program_id])
    return programs[sweep.program_id].restore_days_on(sweep.day)


async def next_page(
    tx: Transaction, sweep: Sweep, *, unused_since: date, limit: int
) -> tuple[Sequence[Allotment], int | None]:
    """Those of the next allotments that run out, and the last number looked at; None: that was all."""
    values = {
        "day": sweep.day,
        "unused_since": unused_since,
        "after": max(sweep.after_account, sweep.number << FUND_SHIFT),
        "beyond": (sweep.number + 1) << FUND_SHIFT,
        "limit": limit,
    }
    rows = (await tx.execute(_PAGE, values)).all()
    return [Allotment(row.child_id, row.expires_on) for row in rows if row.runs_out], (
        rows[-1].id if rows else None
    )


async def note(tx: Transaction, sweep: Sweep, after_account: int | None) -> None:
    """How far it has come now; None: through."""
    await tx.execute(
        sa.update(allotment_sweeps)
        .where(allotment_sweeps.c.fund_id == sweep.fund_id)
        .values(day=sweep.day, after_account=after_account)
    )
