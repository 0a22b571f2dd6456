"""Payout runs as rows: which items are due, what two persons agree on, and whom they turned down."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from shared.approvals import proposals
from shared.database import Transaction
from wallet.domain.bank_messages import Party
from wallet.domain.items import Stage
from wallet.domain.payouts import Ordered, OrderedItem
from wallet.tables import payable_items, payees, payout_runs, payouts

PROPOSED: Final = "proposed"
APPROVED: Final = "approved"
GIVEN_UP: Final = "given_up"


@dataclass(frozen=True, slots=True)
class PayoutRun:
    """What two persons agree on: some orders from one fund."""

    id: UUID
    version: int
    fund_id: UUID
    state: str
    proposal_id: UUID
    digest: str
    proposed_by: UUID
    approved_by: UUID | None
    created_at: datetime
    approved_at: datetime | None


UNSEALED_ITEM: Final = """EXISTS (
    SELECT FROM item_entries e JOIN operations o ON o.id = e.operation_id
    WHERE e.item_id = {item_id} AND NOT EXISTS (SELECT FROM log_entries l WHERE l.batch_id = o.batch_id)
)"""
"""Whether something that an item became what it is by is in no signed log yet."""


class DueItem(NamedTuple):
    """An item that can be paid now, and to whom."""

    item_id: UUID
    provider_id: UUID
    amount_tiyn: int
    payee: Party


async def take_due(tx: Transaction, fund_id: UUID, today: date) -> list[DueItem]:
    """The fund's due items whose providers have a payee that may be paid to, locked until our commit.

    Only sealed ones: nothing is paid that could still be undone without a trace.
    """
    current = sa.and_(
        payees.c.provider_id == payable_items.c.provider_id,
        payees.c.replaced_at.is_(None),
        sa.or_(payees.c.payable_from.is_(None), payees.c.payable_from <= tx.now),
    )
    locked = await tx.execute(
        sa.select(payable_items.c.id)
        .where(
            payable_items.c.fund_id == fund_id,
            payable_items.c.stage == Stage.DUE,
            ~payable_items.c.frozen,
            payable_items.c.due_on <= today,
            sa.exists().where(current),
            sa.text(f"NOT {UNSEALED_ITEM.format(item_id='payable_items.id')}"),
        )
        .order_by(payable_items.c.id)
        .with_for_update()
    )
    rows = await tx.execute(
        sa.select(
            payable_items.c.id,
            payable_items.c.provider_id,
            payable_items.c.amount_tiyn,
            payees.c.name,
            payees.c.bin,
            payees.c.iban,
        )
        .join(payees, current)
        .where(payable_items.c.id == sa.any_(sa.literal(locked.scalars().all(), ARRAY(sa.Uuid))))
        .order_by(payable_items.c.provider_id, payable_items.c.id)
    )
    return [
        DueItem(row.id, row.provider_id, row.amount_tiyn, Party(row.name, row.bin, row.iban)) for row in rows
    ]


async def insert_run(tx: Transaction, row: Mapping[str, Any]) -> None:
    """A run that waits for a second person."""
    await tx.execute(sa.insert(payout_runs).values(row))


async def insert_orders(
    tx: Transaction, rows: Sequence[Mapping[str, Any]], orders: Sequence[Ordered]
) -> None:
    """The orders of a run; their items are in it from now on."""
    await tx.execute(sa.insert(payouts), [dict(row) for row in rows])
    named = [(item.item_id, order.payout_id) for order in orders for item in order.items]
    driver = await tx.driver()
    await driver.execute(
        """
        UPDATE payable_items SET stage = 'in_run', payout_id = row.payout_id, version = version + 1
        FROM unnest($1::uuid[], $2::uuid[]) AS row(item_id, payout_id) WHERE id = row.item_id
        """,
        *(list(column) for column in zip(*named, strict=True)),
    )


async def ordered_in(tx: Transaction, run_id: UUID) -> list[Ordered]:
    """The orders of a run with their items, as people approve them."""
    rows = await tx.execute(
        sa.select(
            payouts.c.id,
            payouts.c.name,
            payouts.c.bin,
            payouts.c.iban,
            payable_items.c.id.label("item_id"),
            payable_items.c.amount_tiyn,
        )
        .join(payable_items, payable_items.c.payout_id == payouts.c.id)
        .where(payouts.c.run_id == run_id)
    )
    items: dict[tuple[UUID, Party], list[OrderedItem]] = {}
    for row in rows:
        key = row.id, Party(row.name, row.bin, row.iban)
        items.setdefault(key, []).append(OrderedItem(row.item_id, row.amount_tiyn))
    return [Ordered(payout_id, payee, of_order) for (payout_id, payee), of_order in items.items()]


async def find_run(tx: Transaction, run_id: UUID) -> PayoutRun | None:
    """The run as it stands."""
    row = (await tx.execute(sa.select(payout_runs).where(payout_runs.c.id == run_id))).mappings().first()
    return PayoutRun(**row) if row else None


async def lock_runs(tx: Transaction, run_ids: Collection[UUID]) -> list[PayoutRun]:
    """These runs, as nobody else can change them now."""
    chosen = sa.select(payout_runs).where(payout_runs.c.id.in_(run_ids)).order_by(payout_runs.c.id)
    await tx.execute(chosen.with_for_update())
    return [PayoutRun(**row) for row in (await tx.execute(chosen)).mappings()]


async def update_run(tx: Transaction, run_id: UUID, **values: object) -> None:
    """What became of it."""
    await tx.execute(
        sa.update(payout_runs)
        .where(payout_runs.c.id == run_id)
        .values(version=payout_runs.c.version + 1, **values)
    )


async def next_turned_down(tx: Transaction) -> UUID | None:
    """A run whose proposal was rejected, or is too old to be approved."""
    query = (
        sa.select(payout_runs.c.id)
        .join(proposals, proposals.c.id == payout_runs.c.proposal_id)
        .where(
            payout_runs.c.state == PROPOSED,
            sa.or_(
                proposals.c.state == "rejected",
                sa.and_(proposals.c.state == "open", proposals.c.expires_at <= tx.now),
            ),
        )
        .order_by(payout_runs.c.id)
        .limit(1)
    )
    run_id: UUID | None = (await tx.execute(query)).scalar_one_or_none()
    return run_id
