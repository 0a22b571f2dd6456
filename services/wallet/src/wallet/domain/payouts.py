"""Bank orders: what may become of one by what the bank says, and the fingerprint two persons agree on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from shared import clock
from wallet.domain.bank_messages import Outcome, Party

COOLING: Final = timedelta(days=3)
"""So long nothing is paid to an account that replaced another: whoever did not want that can say so."""


class State(StrEnum):
    """Of a bank order. Settled and bounced are final."""

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    """Its bytes are frozen; from here on it may have reached the bank."""
    SENT = "sent"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    BOUNCED = "bounced"
    UNKNOWN = "unknown"
    """Nobody knows whether the bank has it. Only asking the bank moves it; it is never sent again."""


class Move(StrEnum):
    """What a word of the bank does to an order."""

    NONE = "none"
    """Said before, or late."""
    ACCEPT = "accept"
    SETTLE = "settle"
    BOUNCE = "bounce"
    CONTRADICTION = "contradiction"
    """Against what is final: nothing moves, people must look."""


FINAL: Final = frozenset({State.SETTLED, State.BOUNCED})
_AGAINST: Final = {(State.SETTLED, Outcome.REJECTED), (State.BOUNCED, Outcome.SETTLED)}
_MOVES: Final = {
    Outcome.ACCEPTED: Move.ACCEPT,
    Outcome.SETTLED: Move.SETTLE,
    Outcome.REJECTED: Move.BOUNCE,
}

ON_THE_WAY_MAX: Final = timedelta(minutes=15)
NOT_KNOWN: Final = "not_known_to_bank"
"""The day of sending was over, and the bank had never heard of the order."""
_REFUSED: Final = "refused_by_bank"
_BOUNCE_CODES: Final[Mapping[str, str]] = {
    "AC01": "account_incorrect",
    "AC03": "account_incorrect",
    "AC04": "account_closed",
    "AC06": "account_blocked",
    "AG01": "payment_forbidden",
    "AM04": "payer_short_of_money",
    "BE01": "payee_not_account_holder",
    "BE05": "payer_not_recognized",
    "DT01": "sent_too_late",
    "RC01": "bank_incorrect",
}


def move(state: State, outcome: Outcome) -> Move:
    """What this word of the bank does to an order in this state."""
    if state in FINAL:
        return Move.CONTRADICTION if (state, outcome) in _AGAINST else Move.NONE
    if state is State.PREPARED:  # the bank speaks of what never left
        return Move.CONTRADICTION
    if state is State.ACCEPTED and outcome is Outcome.ACCEPTED:
        return Move.NONE
    return _MOVES[outcome]


def never_arrived(submitted_at: datetime, now: datetime) -> bool:
    """Whether an order that the bank does not know will not come any more: the day of sending is over.

    It was to be executed on that day, and what comes later the bank refuses. What was sent just before
    midnight has a while to arrive in.
    """
    over = clock.civil_date(submitted_at) < clock.civil_date(now)
    return over and now - submitted_at >= ON_THE_WAY_MAX


def bounce_code(reason: str | None) -> str:
    """Our code for the bank's reason."""
    return _BOUNCE_CODES.get(reason or "", _REFUSED)


def account_trouble(iban: str) -> str | None:
    """Why money cannot be sent to this account: it is no IBAN of Kazakhstan, or of a bank nobody knows."""
    try:
        account = IBAN(iban)
    except SchwiftyException:
        return "iban_invalid"
    if account.country_code != "KZ" or account.compact != iban:
        return "iban_invalid"
    return None if account.bic else "bank_unknown"


class OrderedItem(NamedTuple):
    """What one payable item adds to an order."""

    item_id: UUID
    amount_tiyn: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as people approve it."""

    payout_id: UUID
    payee: Party
    items: Sequence[OrderedItem]


def run_digest(run_id: UUID, orders: Sequence[Ordered]) -> str:
    """A fingerprint of who gets what for which items; any change of these gives another one."""
    content = [
        [
            str(order.payout_id),
            [order.payee.name, order.payee.bin, order.payee.iban],
            sorted([str(item.item_id), item.amount_tiyn] for item in order.items),
        ]
        for order in sorted(orders, key=lambda order: order.payout_id)
    ]
    text = json.dumps([str(run_id), content], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
