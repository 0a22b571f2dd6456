"""What becomes of an item is told to others, and to the order that it was in."""

from collections.abc import Iterable

from shared import outbox
from shared.database import Transaction
from shared.events.wallet import ClaimOpened, ItemEvent, ItemFrozen, ItemUnfrozen
from wallet.domain.items import Change
from wallet.usecases.payouts import take_out

_EVENTS: dict[str, type[ItemEvent]] = {
    "frozen": ItemFrozen,
    "unfrozen": ItemUnfrozen,
    "claim_opened": ClaimOpened,
}


def tell_changes(tx: Transaction, changes: Iterable[Change]) -> None:
    """Publish what happened to items, in the order of their child."""
    for change in changes:
        if change.kind in _EVENTS:
            outbox.publish(tx, _event(change))


async def leave_orders(tx: Transaction, changes: Iterable[Change]) -> None:
    """Put right the orders that lost items. Once for a batch: orders are locked after all items, by id."""
    smaller = {change.payout_id for change in changes if change.kind == "taken_out"}
    if smaller:
        await take_out(tx, [one for one in smaller if one is not None])


def _event(change: Change) -> ItemEvent:
    item = change.item
    return _EVENTS[change.kind](
        item_id=item.id,
        child_id=item.child_id,
        enrollment_id=item.enrollment_id,
        month=item.month,
        provider_id=item.provider_id,
        fund_id=item.fund_id,
        amount_tiyn=change.amount_tiyn,
    )
