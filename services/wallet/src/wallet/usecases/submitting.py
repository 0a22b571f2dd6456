"""An approved order goes to the bank: what is committed before the call, and what after it.

The call itself is `wallet.bank`, between these transactions. What is committed before it says that the order
may have left: whoever finds an order so, and nobody at it, can only ask the bank.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from shared import clock, outbox
from shared.database import Transaction, new_id
from shared.events.wallet import PayoutSent
from wallet.domain.bank_messages import BankOrder, Party, write_order
from wallet.domain.bank_statements import Purpose
from wallet.domain.operations import Identity, PaidOut, PayOut
from wallet.domain.payouts import State
from wallet.repository import payout_runs, payouts
from wallet.repository.payout_runs import APPROVED
from wallet.repository.payouts import Payout
from wallet.usecases.post import post

ORIGIN = "payout"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Leaving:
    """An order that is about to be sent, exactly so."""

    payout_id: UUID
    content: bytes


class OrderChangedError(Exception):
    """The order is no longer what was read: nothing of this transaction may stay."""


async def abandon_orders(tx: Transaction) -> None:
    """Nobody is at the orders that are `submitting`: now only the bank knows what became of them."""
    for payout_id in await payouts.abandon_submitting(tx):
        log.warning("payout_unknown", payout_id=str(payout_id), reason="its sender died")
        tx.touch(payout_id)


async def next_to_leave(tx: Transaction, *, besides: Collection[UUID]) -> UUID | None:
    """The oldest order that two persons approved."""
    return await payouts.next_prepared(tx, besides=besides)


async def let_leave(tx: Transaction, payout_id: UUID, payer: Party) -> Leaving:
    """Take its items' money, freeze what will be sent, and say that it may have left.

    Raises:
        OrderChangedError: the order was changed, sent or taken out of its run meanwhile.
    """
    order = await payouts.find_payout(tx, payout_id)
    if order is None:
        raise OrderChangedError
    identity = Identity(ORIGIN, "pay_out", str(order.id))
    command = PayOut(new_id(), identity, order.id, order.fund_id, order.provider_id)
    (result,) = await post(tx, [command])
    # The ledger has locked its accounts and the items; orders and runs come after these.
    (now,) = await payouts.lock_payouts(tx, [order.id]) or (None,)
    run = await payout_runs.find_run(tx, now.run_id) if now else None
    if now is None or run is None or run.state != APPROVED or now.state is not State.PREPARED:
        raise OrderChangedError
    if not isinstance(result, PaidOut) or (result.operation_id, result.amount_tiyn) != (
        command.id,
        now.amount_tiyn,
    ):
        raise OrderChangedError
    await payouts.note_approvers(tx, command.id, run.id)
    content = write_order(_bank_order(tx, now, payer))
    await payouts.update_payout(
        tx, now.id, state=State.SUBMITTING, content=content, submitted_at=tx.now, attempts=1
    )
    return Leaving(now.id, content)


def _bank_order(tx: Transaction, order: Payout, payer: Party) -> BankOrder:
    return BankOrder(
        msg_id=order.msg_id,
        end_to_end_id=order.end_to_end_id,
        written_at=tx.now,
        execute_on=clock.civil_date(tx.now),
        amount_tiyn=order.amount_tiyn,
        payer=payer,
        payee=order.payee,
        purpose=Purpose.written(order.id, order.items, order.fund_id),
    )


async def note_sent(tx: Transaction, payout_id: UUID) -> None:
    """The bank says that it has the order. One that somebody gave up meanwhile waits for the bank's word."""
    await payouts.lock_items_of(tx, [payout_id])
    (order,) = await payouts.lock_payouts(tx, [payout_id])
    if order.state is State.SUBMITTING:
        await mark_sent(tx, order)


async def mark_sent(tx: Transaction, order: Payout, *, state: State = State.SENT) -> None:
    """The bank has it: so do its items, and others hear of it. Items and order are locked."""
    await payouts.mark_items_sent(tx, order.id)
    await payouts.update_payout(tx, order.id, state=state, sent_at=tx.now)
    outbox.publish(tx, PayoutSent(**await about(tx, order)))


async def about(tx: Transaction, order: Payout) -> dict[str, Any]:
    """What every event about an order says."""
    return {
        "payout_id": order.id,
        "run_id": order.run_id,
        "provider_id": order.provider_id,
        "fund_id": order.fund_id,
        "amount_tiyn": order.amount_tiyn,
        "items": order.items,
        "months": await payouts.months_of(tx, order.id),
    }


async def note_unclear(tx: Transaction, payout_id: UUID, reason: str) -> None:
    """Nobody knows whether the bank has the order: from now on it is only asked about."""
    (order,) = await payouts.lock_payouts(tx, [payout_id])
    if order.state is State.SUBMITTING:
        log.warning("payout_unknown", payout_id=str(payout_id), reason=reason)
        await payouts.update_payout(tx, payout_id, state=State.UNKNOWN)
