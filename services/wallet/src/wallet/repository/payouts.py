"""Orders to the bank as rows, the stages of their items, and what the bank has said of them.

Lock order: items by id, then orders by id, then runs by id. The ledger's own locks come before all of these.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction, connect
from wallet.domain.bank_messages import Party
from wallet.domain.items import Stage
from wallet.domain.payouts import FINAL, State
from wallet.tables import (
    bank_reports,
    item_entries,
    payable_items,
    payout_approvers,
    payout_runs,
    payouts,
    recoveries,
)


@dataclass(frozen=True, slots=True)
class Payout:
    """One order to the bank, from one fund to one provider; the payee as it was when the run was made."""

    id: UUID
    version: int
    run_id: UUID
    provider_id: UUID
    fund_id: UUID
    iban: str
    name: str
    bin: str
    amount_tiyn: int
    items: int
    state: State
    msg_id: str
    end_to_end_id: str
    attempts: int
    code: str | None
    created_at: datetime
    submitted_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    final_at: datetime | None

    @property
    def payee(self) -> Party:
        """Who gets the money."""
        return Party(self.name, self.bin, self.iban)


_SENDER = "SELECT pg_try_advisory_lock(hashtext('bank'), hashtext(current_schema()))"
_ORDER_COLUMNS = [column for column in payouts.c if column.name != "content"]


def _payout(row: sa.RowMapping) -> Payout:
    return Payout(**{**row, "state": State(row["state"])})


async def lock_items_of(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    """Nobody else can change the items of these orders now."""
    await tx.execute(
        sa.select(payable_items.c.id)
        .where(payable_items.c.payout_id.in_(payout_ids))
        .order_by(payable_items.c.id)
        .with_for_update()
    )


async def put_back_items(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    """The items of these orders are due again."""
    await tx.execute(
        sa.update(payable_items)
        .where(payable_items.c.payout_id.in_(payout_ids), payable_items.c.stage == Stage.IN_RUN)
        .values(stage=Stage.DUE, payout_id=None, version=payable_items.c.version + 1)
    )


async def mark_items_sent(tx: Transaction, payout_id: UUID) -> None:
    """The bank has them."""
    await tx.execute(
        sa.update(payable_items)
        .where(payable_items.c.payout_id == payout_id, payable_items.c.stage == Stage.SUBMITTING)
        .values(stage=Stage.SENT, version=payable_items.c.version + 1)
    )


async def find_payout(tx: Transaction, payout_id: UUID) -> Payout | None:
    """The order as it stands."""
    row = (await tx.execute(sa.select(*_ORDER_COLUMNS).where(payouts.c.id == payout_id))).mappings().first()
    return _payout(row) if row else None


async def note_approvers(tx: Transaction, operation_id: UUID, run_id: UUID) -> None:
    """The two persons who agreed that this money leaves, for the seal."""
    persons = sa.select(
        sa.literal(operation_id, sa.Uuid), payout_runs.c.proposed_by, payout_runs.c.approved_by
    ).where(payout_runs.c.id == run_id)
    await tx.execute(sa.insert(payout_approvers).from_select(list(payout_approvers.c), persons))


async def months_of(tx: Transaction, payout_id: UUID) -> Sequence[str]:
    """The months that an order which left pays for, also when its items were given back."""
    rows = await tx.execute(
        sa.select(payable_items.c.month)
        .distinct()
        .join(item_entries, item_entries.c.item_id == payable_items.c.id)
        .where(item_entries.c.payout_id == payout_id)
        .order_by(payable_items.c.month)
    )
    return rows.scalars().all()


async def payouts_of(tx: Transaction, run_id: UUID) -> list[Payout]:
    """The orders of a run."""
    query = sa.select(*_ORDER_COLUMNS).where(payouts.c.run_id == run_id).order_by(payouts.c.id)
    return [_payout(row) for row in (await tx.execute(query)).mappings()]


async def lock_payouts(tx: Transaction, payout_ids: Collection[UUID]) -> list[Payout]:
    """These orders, as nobody else can change them now."""
    chosen = sa.select(*_ORDER_COLUMNS).where(payouts.c.id.in_(payout_ids)).order_by(payouts.c.id)
    await tx.execute(chosen.with_for_update())
    return [_payout(row) for row in (await tx.execute(chosen)).mappings()]


async def update_payout(tx: Transaction, payout_id: UUID, **values: object) -> None:
    """What became of it."""
    await tx.execute(
        sa.update(payouts).where(payouts.c.id == payout_id).values(version=payouts.c.version + 1, **values)
    )
    tx.touch(payout_id)


async def recount(tx: Transaction, payout_id: UUID) -> int:
    """Make an order what its items are now; it disappears with the last of them. How many there are."""
    total = sa.select(
        sa.func.count().label("items"), sa.func.sum(payable_items.c.amount_tiyn).label("amount")
    ).where(payable_items.c.payout_id == payout_id)
    left = (await tx.execute(total)).one()
    if left.items:
        await update_payout(tx, payout_id, items=left.items, amount_tiyn=int(left.amount))
    else:
        await delete_payouts(tx, [payout_id])
    return int(left.items)


async def delete_payouts(tx: Transaction, payout_ids: Collection[UUID]) -> None:
    """Orders that never left and have no items any more."""
    await tx.execute(
        sa.delete(payouts).where(payouts.c.id.in_(payout_ids), payouts.c.state == State.PREPARED)
    )


async def next_prepared(tx: Transaction, *, besides: Collection[UUID]) -> UUID | None:
    """The oldest order that two persons approved and nobody has sent; none while we recover."""
    query = (
        sa.select(payouts.c.id)
        .join(payout_runs, payout_runs.c.id == payouts.c.run_id)
        .where(
            payouts.c.state == State.PREPARED,
            payout_runs.c.state == "approved",
            payouts.c.id.not_in(besides),
            ~sa.exists().where(recoveries.c.ended_at.is_(None)),
        )
        .order_by(payouts.c.id)
        .limit(1)
    )
    payout_id: UUID | None = (await tx.execute(query)).scalar_one_or_none()
    return payout_id


async def abandon_submitting(tx: Transaction) -> Sequence[UUID]:
    """Orders whose sender died: whether the bank has them, only the bank can tell."""
    chosen = sa.select(payouts.c.id).where(payouts.c.state == State.SUBMITTING).order_by(payouts.c.id)
    ids = (await tx.execute(chosen.with_for_update())).scalars().all()
    await tx.execute(
        sa.update(payouts)
        .where(payouts.c.id.in_(ids), payouts.c.state == State.SUBMITTING)
        .values(state=State.UNKNOWN, version=payouts.c.version + 1)
    )
    return ids


async def at_the_bank(tx: Transaction) -> list[Payout]:
    """The orders to ask the bank about."""
    query = (
        sa.select(*_ORDER_COLUMNS)
        .where(payouts.c.state.in_([State.SENT, State.ACCEPTED, State.UNKNOWN]))
        .where(payouts.c.state.not_in(FINAL))  # as the partial index has it
        .order_by(payouts.c.id)
    )
    return [_payout(row) for row in (await tx.execute(query)).mappings()]


async def keep_report(
    tx: Transaction, payout_id: UUID, *, digest: bytes, status: str, code: str | None, contradicts: bool
) -> bool:
    """Keep what the bank says, once; whether it is news."""
    row = {
        "payout_id": payout_id,
        "digest": digest,
        "status": status,
        "code": code,
        "contradicts": contradicts,
        "read_at": tx.now,
    }
    kept = insert(bank_reports).values(row).on_conflict_do_nothing().returning(sa.true())
    return (await tx.execute(kept)).first() is not None


async def reports_of(tx: Transaction, payout_id: UUID) -> Sequence[sa.RowMapping]:
    """What the bank has said of an order, in the order in which we read it."""
    query = (
        sa.select(
            bank_reports.c.status, bank_reports.c.code, bank_reports.c.contradicts, bank_reports.c.read_at
        )
        .where(bank_reports.c.payout_id == payout_id)
        .order_by(bank_reports.c.read_at, bank_reports.c.status)
    )
    return (await tx.execute(query)).mappings().all()


@asynccontextmanager
async def only_sender(database_url: str) -> AsyncIterator[Callable[[], Awaitable[None]] | None]:
    """Be the only process that sends orders, or None: then another one is. Ends with this connection.

    What is yielded raises if the connection was lost, and with it the lock.
    """
    connection = await connect(database_url, command_timeout=30)
    try:
        if not await connection.fetchval(_SENDER):
            yield None
            return

        async def still_alone() -> None:
            await connection.execute("SELECT 1")

        yield still_alone
    finally:
        connection.terminate()
