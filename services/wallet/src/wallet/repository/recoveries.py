"""Where the ledger lives, whether it recovers from a restore, and the statements that are read for it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction
from wallet.domain.bank_statements import Line
from wallet.domain.items import Item, Stage
from wallet.tables import bank_days, bank_lines, batches, payable_items, payees, payouts, recoveries

_ITEM_COLUMNS = [payable_items.c[one.name] for one in fields(Item)]
_HERE = sa.text("""
    SELECT system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
    FROM pg_control_system()
""")
"""A cluster made anew has another identifier; one restored to a moment, or promoted, another timeline."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """A stay in one cluster; until `ended_at` what was done elsewhere after `since` is not known here."""

    id: UUID
    cluster: str
    since: datetime
    began_at: datetime
    ended_at: datetime | None


async def here(tx: Transaction) -> str:
    """The cluster that this database is in."""
    return str((await tx.execute(_HERE)).scalar_one())


async def latest(tx: Transaction) -> Recovery | None:
    """The last one, under way or not; nobody else can begin or end one before our commit."""
    await tx.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext('recovery'), hashtext(current_schema()))")
    )
    # By id: in development business time begins in the real present, and then goes back to the story's.
    query = sa.select(recoveries).order_by(recoveries.c.id.desc()).limit(1)
    row = (await tx.execute(query)).mappings().first()
    return Recovery(**row) if row else None


async def add(tx: Transaction, recovery: Recovery) -> None:
    """We live elsewhere now."""
    await tx.execute(sa.insert(recoveries).values(asdict(recovery)))


async def end(tx: Transaction, recovery_id: UUID) -> None:
    """All is known again."""
    await tx.execute(sa.update(recoveries).where(recoveries.c.id == recovery_id).values(ended_at=tx.now))


async def is_recovering(tx: Transaction) -> bool:
    """Whether orders must wait."""
    query = sa.select(sa.exists().where(recoveries.c.ended_at.is_(None)))
    return bool((await tx.execute(query)).scalar_one())


async def last_posted_at(tx: Transaction) -> datetime | None:
    """When this ledger was written last."""
    moment: datetime | None = (await tx.execute(sa.select(sa.func.max(batches.c.posted_at)))).scalar_one()
    return moment


async def days_read(tx: Transaction) -> Collection[date]:
    """The days whose statements are here."""
    return frozenset((await tx.execute(sa.select(bank_days.c.day))).scalars())


async def keep_statement(tx: Transaction, day: date, lines: Sequence[Line]) -> None:
    """Keep what the bank paid on a day, once."""
    await tx.execute(insert(bank_days).values(day=day, read_at=tx.now).on_conflict_do_nothing())
    if lines:
        await tx.execute(insert(bank_lines).on_conflict_do_nothing(), [asdict(line) for line in lines])


async def lines_to_match(tx: Transaction) -> list[Line]:
    """What the bank paid, and no order of ours is known to be it."""
    columns = [bank_lines.c[one.name] for one in fields(Line)]
    query = sa.select(*columns).where(bank_lines.c.payout_id.is_(None)).order_by(bank_lines.c.end_to_end_id)
    return [Line(**row) for row in (await tx.execute(query)).mappings()]


async def match(tx: Transaction, line: Line, payout_id: UUID) -> None:
    """This order is what the bank paid."""
    await _update(tx, line, payout_id=payout_id, trouble=None)


async def keep_trouble(tx: Transaction, line: Line, trouble: str) -> None:
    """Why no order is it, yet."""
    await _update(tx, line, trouble=trouble)


async def _update(tx: Transaction, line: Line, **values: object) -> None:
    chosen = bank_lines.c.end_to_end_id == line.end_to_end_id
    await tx.execute(sa.update(bank_lines).where(chosen).values(**values))


async def providers_of(tx: Transaction, iban: str) -> dict[UUID, tuple[str, str]]:
    """Name and BIN of those who are or were paid to this account, by provider."""
    query = sa.select(payees).where(payees.c.iban == iban).order_by(payees.c.created_at)
    return {row["provider_id"]: (row["name"], row["bin"]) for row in (await tx.execute(query)).mappings()}


async def payable_now(tx: Transaction, fund_id: UUID, provider_id: UUID) -> list[Item]:
    """What is due of this fund to this provider and has not left, locked; in the order of ids."""
    chosen = (
        sa.select(*_ITEM_COLUMNS)
        .where(
            payable_items.c.fund_id == fund_id,
            payable_items.c.provider_id == provider_id,
            payable_items.c.stage.in_([Stage.DUE, Stage.IN_RUN]),
            ~payable_items.c.frozen,
        )
        .order_by(payable_items.c.id)
    )
    await tx.execute(chosen.with_for_update())
    rows = (await tx.execute(chosen)).mappings()
    return [Item(**{**row, "stage": Stage(row["stage"])}) for row in rows]


async def payout_of(tx: Transaction, end_to_end_id: str) -> UUID | None:
    """The order with this id."""
    query = sa.select(payouts.c.id).where(payouts.c.end_to_end_id == end_to_end_id)
    payout_id: UUID | None = (await tx.execute(query)).scalar_one_or_none()
    return payout_id
