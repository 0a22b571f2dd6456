"""What the bank says of orders: each word moves an order once, in whatever order and however often it comes.

Money moves with it: settled leaves our account, rejected is owed again. What is final stays, and a word
against it is kept for people to look at.
"""

from hashlib import sha256
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from shared import outbox
from shared.database import Transaction, new_id
from shared.events.wallet import PayoutBounced, PayoutSettled
from shared.telemetry import registry
from wallet.domain.bank_messages import Report, UnreadableError, read_report
from wallet.domain.operations import Bounce, Bounced, Identity, Settle, Settled
from wallet.domain.payouts import NOT_KNOWN, Move, State, bounce_code, move, never_arrived
from wallet.repository import payouts
from wallet.repository.payouts import Payout
from wallet.usecases.items import tell_changes
from wallet.usecases.post import post
from wallet.usecases.submitting import ORIGIN, OrderChangedError, about, mark_sent

UNREADABLE = Counter("bank_reports_unreadable", "Answers of the bank that said nothing", registry=registry)
CONTRADICTIONS = Counter("bank_contradictions", "Words of the bank against what is final", registry=registry)
UNKNOWN = Gauge("payouts_unknown", "Orders that the bank may have, or may not", registry=registry)

log = structlog.get_logger()


async def orders_to_ask_about(tx: Transaction) -> list[Payout]:
    """Those that the bank has, or may have."""
    orders = await payouts.at_the_bank(tx)
    UNKNOWN.set(sum(order.state is State.UNKNOWN for order in orders))
    return orders


async def note_known(tx: Transaction, payout_id: UUID) -> None:
    """The bank knows the order, and has nothing more to say of it: one that was `unknown` is `sent`."""
    await payouts.lock_items_of(tx, [payout_id])
    (order,) = await payouts.lock_payouts(tx, [payout_id])
    if order.state is State.UNKNOWN:
        await _mark_known(tx, order, State.SENT)


async def note_not_known(tx: Transaction, payout_id: UUID) -> None:
    """The bank has never heard of it. Only when the day of sending is over this is a bounce."""
    order = await payouts.find_payout(tx, payout_id)
    if order is None or order.submitted_at is None:
        raise OrderChangedError
    if order.state is State.ACCEPTED:
        log.error("bank_forgot_an_order", payout_id=str(payout_id))
    elif order.state is State.SENT:
        log.error("bank_does_not_know_what_it_took", payout_id=str(payout_id))
        (now,) = await payouts.lock_payouts(tx, [payout_id])
        if now.state is State.SENT:
            await payouts.update_payout(tx, payout_id, state=State.UNKNOWN)
    elif order.state is State.UNKNOWN and never_arrived(order.submitted_at, tx.now):
        await _bounce(tx, order, NOT_KNOWN)


async def note_paid(tx: Transaction, order: Payout) -> None:
    """It stands on the bank's statement: that is settled, whatever was or was not told of it before."""
    await _settle(tx, order)


async def note_report(tx: Transaction, payout_id: UUID, document: str) -> None:
    """One document of the bank, which may be half, foreign, late, or said before."""
    order = await payouts.find_payout(tx, payout_id)
    if order is None:
        raise OrderChangedError
    try:
        report = _read(document, order)
    except UnreadableError as error:
        UNREADABLE.inc()
        log.warning("bank_report_unreadable", payout_id=str(payout_id), reason=str(error))
        return
    todo = move(order.state, report.outcome)
    if todo is Move.SETTLE:
        await _settle(tx, order)
    elif todo is Move.BOUNCE:
        await _bounce(tx, order, bounce_code(report.reason))
    elif todo is Move.ACCEPT:
        await _accept(tx, order)
    await _keep(tx, order, report, todo)


def _read(document: str, order: Payout) -> Report:
    report = read_report(document)
    ids = report.msg_id, report.end_to_end_id or order.end_to_end_id
    if ids != (order.msg_id, order.end_to_end_id):
        raise UnreadableError("about another order")
    return report


async def _keep(tx: Transaction, order: Payout, report: Report, todo: Move) -> None:
    said = f"{report.status}/{report.reason}"
    contradicts = todo is Move.CONTRADICTION
    news = await payouts.keep_report(
        tx,
        order.id,
        digest=sha256(said.encode()).digest(),
        status=report.status,
        code=report.reason,
        contradicts=contradicts,
    )
    if news:
        await payouts.update_payout(tx, order.id, answered_at=tx.now)
    if news and contradicts:
        CONTRADICTIONS.inc()
        log.error("bank_contradicts_itself", payout_id=str(order.id), state=order.state, said=said)


async def _accept(tx: Transaction, order: Payout) -> None:
    await payouts.lock_items_of(tx, [order.id])
    now = await _lock_unchanged(tx, order)
    if now.sent_at is None:
        await _mark_known(tx, now, State.ACCEPTED)
    else:
        await payouts.mark_items_sent(tx, order.id)
        await payouts.update_payout(tx, order.id, state=State.ACCEPTED)


async def _mark_known(tx: Transaction, order: Payout, state: State) -> None:
    """The bank has it after all; told once, whatever was thought of it in between."""
    if order.sent_at is None:
        await mark_sent(tx, order, state=state)
    else:
        await payouts.update_payout(tx, order.id, state=state)


async def _settle(tx: Transaction, order: Payout) -> None:
    identity = Identity(ORIGIN, "settle", str(order.id))
    command = Settle(new_id(), identity, order.id, order.fund_id, order.provider_id)
    (result,) = await post(tx, [command])
    if not isinstance(result, Settled) or result.operation_id != command.id:
        raise OrderChangedError
    now = await _lock_unchanged(tx, order)
    if now.sent_at is None:
        await mark_sent(tx, now)
    await payouts.update_payout(tx, order.id, state=State.SETTLED, final_at=tx.now)
    outbox.publish(tx, PayoutSettled(**await about(tx, now)))


async def _bounce(tx: Transaction, order: Payout, code: str) -> None:
    identity = Identity(ORIGIN, "bounce", str(order.id))
    command = Bounce(new_id(), identity, order.id, order.fund_id, order.provider_id)
    (result,) = await post(tx, [command])
    if not isinstance(result, Bounced) or result.operation_id != command.id:
        raise OrderChangedError
    now = await _lock_unchanged(tx, order)
    await payouts.update_payout(tx, order.id, state=State.BOUNCED, code=code, final_at=tx.now)
    outbox.publish(tx, PayoutBounced(**await about(tx, now), code=code))
    tell_changes(tx, result.changes)  # items of a month that was frozen meanwhile come back frozen


async def _lock_unchanged(tx: Transaction, order: Payout) -> Payout:
    (now,) = await payouts.lock_payouts(tx, [order.id])
    if now.version != order.version:
        raise OrderChangedError
    return now
