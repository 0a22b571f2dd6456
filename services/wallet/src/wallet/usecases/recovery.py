"""After a restore that may have lost something: no order leaves until all that the bank paid is known.

Who was paid then is owed again in the restored books, and a run would pay a second time. So the ledger knows
the cluster that it lives in. Finding itself in another one it recovers: it reads the bank's statements of the
days that it may have forgotten, and enters each payment on them as the order that it was.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

import structlog

from shared import clock
from shared.database import Transaction, new_id
from wallet.domain.bank_messages import Party
from wallet.domain.bank_statements import Line, Purpose, items_of_line, read_statement
from wallet.domain.items import Item, Stage
from wallet.domain.operations import Identity, PaidOut, PayOut
from wallet.domain.payouts import Ordered, OrderedItem, State, run_digest
from wallet.repository import payout_runs, payouts, recoveries
from wallet.repository.payout_runs import APPROVED, PROPOSED
from wallet.repository.payouts import Payout
from wallet.repository.recoveries import Recovery
from wallet.usecases.answers import note_paid
from wallet.usecases.payouts import propose_again, take_out
from wallet.usecases.post import post
from wallet.usecases.submitting import ORIGIN, OrderChangedError

log = structlog.get_logger()


async def notice_cluster(tx: Transaction) -> None:
    """Begin to recover if the ledger is not where it was; where it began there is nothing to recover."""
    cluster = await recoveries.here(tx)
    last = await recoveries.latest(tx)
    if last is not None and last.cluster == cluster:
        return
    since = min(await recoveries.last_posted_at(tx) or tx.now, tx.now)
    if last is not None and last.ended_at is None:
        since = min(since, last.since)
        await recoveries.end(tx, last.id)
    ended_at = tx.now if last is None else None
    await recoveries.add(tx, Recovery(new_id(), cluster, since, began_at=tx.now, ended_at=ended_at))
    if last is not None:
        log.error("recovery_begins", since=since.isoformat(), cluster=cluster, before=last.cluster)


async def days_to_read(tx: Transaction) -> Sequence[date] | None:
    """The civil days that are over and whose statements are missing; None if we are not recovering."""
    recovery = await _under_way(tx)
    if recovery is None:
        return None
    today, read = clock.civil_date(tx.now), await recoveries.days_read(tx)
    return [day for day in _days(recovery) if day < today and day not in read]


async def note_statement(tx: Transaction, day: date, content: bytes) -> None:
    """Keep the payments of a day.

    Raises:
        UnreadableError: this is no statement of that day.
    """
    await recoveries.keep_statement(tx, day, read_statement(content, day))


async def lines_to_match(tx: Transaction) -> Sequence[Line]:
    """What the bank paid, and no order of ours is known to be it."""
    return await recoveries.lines_to_match(tx)


async def match(tx: Transaction, line: Line) -> bool:
    """One step to the order that this payment was; whether another one is to follow at once.

    Raises:
        OrderChangedError: somebody else was at it.
    """
    recovery = await _under_way(tx)  # which lets one process at a time do this
    payout_id = await recoveries.payout_of(tx, line.end_to_end_id)
    order = await payouts.find_payout(tx, payout_id) if payout_id else None
    if recovery is None:
        return False
    if order is None:
        return await _make_again(tx, recovery, line)
    if (order.amount_tiyn, order.iban) != (line.amount_tiyn, line.iban):
        await _give_up(tx, line, "order_is_another")
    elif order.state is State.PREPARED:
        await _pay_out(tx, recovery, order, line)
        return True
    elif order.state is State.BOUNCED:
        await _give_up(tx, line, "order_bounced")
    elif order.state is State.SETTLED:
        await recoveries.match(tx, line, order.id)
    else:
        await note_paid(tx, order)
        return True
    return False


async def end_if_known(tx: Transaction) -> None:
    """Let orders leave again once every day is read and every payment is in the books."""
    recovery = await _under_way(tx)
    if recovery is None:
        return
    read, left = await recoveries.days_read(tx), await recoveries.lines_to_match(tx)
    if not left and all(day in read for day in _days(recovery)):
        await recoveries.end(tx, recovery.id)
        log.warning("recovery_ends", since=recovery.since.isoformat())


async def _under_way(tx: Transaction) -> Recovery | None:
    last = await recoveries.latest(tx)
    return last if last is not None and last.ended_at is None else None


def _days(recovery: Recovery) -> list[date]:
    """Those on which orders may have left that we do not know: they are executed on the day of sending."""
    first, last = clock.civil_date(recovery.since), clock.civil_date(recovery.began_at)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


async def _give_up(tx: Transaction, line: Line, trouble: str) -> None:
    """For now: it is tried again in the next round, and people can see why it does not go on."""
    await recoveries.keep_trouble(tx, line, trouble)
    log.error("payment_not_matched", end_to_end_id=line.end_to_end_id, day=str(line.day), trouble=trouble)


async def _make_again(tx: Transaction, recovery: Recovery, line: Line) -> bool:
    """Collect the items that the lost order was for; it says itself which and how many."""
    purpose = Purpose.of(line.purpose)
    if purpose is None or purpose.payout_id.hex != line.end_to_end_id:
        await _give_up(tx, line, "not_our_order")
        return False
    for provider_id, (name, bin_) in (await recoveries.providers_of(tx, line.iban)).items():
        payable = await recoveries.payable_now(tx, purpose.fund_id, provider_id)
        chosen = items_of_line(payable, line, purpose.items)
        if chosen:
            await _free(tx, chosen)
            ordered = [OrderedItem(item.id, item.amount_tiyn) for item in chosen]
            order = Ordered(purpose.payout_id, Party(name, bin_, line.iban), ordered)
            await _insert(tx, recovery, order, chosen[0])
            return True
    await _give_up(tx, line, "items_do_not_match")
    return False


async def _free(tx: Transaction, items: Sequence[Item]) -> None:
    """Take them out of orders that wait to leave; what else is in these is due again, for another run."""
    waiting = {item.payout_id for item in items if item.stage is Stage.IN_RUN and item.payout_id}
    await payouts.put_back_items(tx, waiting)
    await take_out(tx, waiting)


async def _insert(tx: Transaction, recovery: Recovery, order: Ordered, of: Item) -> None:
    run_id = await _insert_run(tx, recovery, of.fund_id, [order])
    row = {
        "id": order.payout_id,
        "version": 1,
        "run_id": run_id,
        "provider_id": of.provider_id,
        "fund_id": of.fund_id,
        "iban": order.payee.iban,
        "name": order.payee.name,
        "bin": order.payee.bin,
        "amount_tiyn": sum(item.amount_tiyn for item in order.items),
        "items": len(order.items),
        "state": State.PREPARED,
        "msg_id": order.payout_id.hex,
        "end_to_end_id": order.payout_id.hex,
        "created_at": tx.now,
    }
    await payout_runs.insert_orders(tx, [row], [order])


async def _insert_run(tx: Transaction, recovery: Recovery, fund_id: UUID, orders: Sequence[Ordered]) -> UUID:
    """A run that was approved, by whom is lost: the recovery stands in their place."""
    run_id = new_id()
    row = {
        "id": run_id,
        "version": 1,
        "fund_id": fund_id,
        "state": APPROVED,
        "proposal_id": recovery.id,
        "digest": run_digest(run_id, orders),
        "proposed_by": recovery.id,
        "created_at": tx.now,
        "approved_at": tx.now,
    }
    await payout_runs.insert_run(tx, row)
    return run_id


async def _pay_out(tx: Transaction, recovery: Recovery, order: Payout, line: Line) -> None:
    """Take its items' money, as if it left now: it has left."""
    command = PayOut(
        new_id(), Identity(ORIGIN, "pay_out", str(order.id)), order.id, order.fund_id, order.provider_id
    )
    (result,) = await post(tx, [command])
    (now,) = await payouts.lock_payouts(tx, [order.id]) or (None,)
    if now is None or now.version != order.version:
        raise OrderChangedError
    if not isinstance(result, PaidOut) or result.amount_tiyn != now.amount_tiyn:
        raise OrderChangedError
    (run,) = await payout_runs.lock_runs(tx, [now.run_id])
    run_id = run.id
    if run.state == PROPOSED:
        of_run = await payout_runs.ordered_in(tx, run.id)
        run_id = await _insert_run(
            tx, recovery, order.fund_id, [one for one in of_run if one.payout_id == order.id]
        )
    await payouts.update_payout(
        tx, now.id, run_id=run_id, state=State.UNKNOWN, content=line.purpose.encode(), submitted_at=tx.now
    )
    if run.state == PROPOSED:
        await propose_again(tx, run)
