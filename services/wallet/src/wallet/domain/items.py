"""What one fund owes a provider for one enrollment's month, and the way of such an item to the bank."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID


class Stage(StrEnum):
    """How far an item is. Up to `in_run` it is not paid and can be lowered; from `submitting` on it left."""

    CHARGED = "charged"
    """Waits for the provider's signature."""
    DUE = "due"
    IN_RUN = "in_run"
    """Taken into an order that waits to be approved and submitted."""
    SUBMITTING = "submitting"
    SENT = "sent"
    SETTLED = "settled"
    VOID = "void"
    """Lowered to nothing."""


UNPAID = frozenset({Stage.CHARGED, Stage.DUE, Stage.IN_RUN})
PAID = frozenset({Stage.SUBMITTING, Stage.SENT, Stage.SETTLED})


@dataclass(frozen=True, slots=True)
class Item:
    """One difference of one month, owed by one fund. `claimed` is what is claimed back of what left."""

    id: UUID
    child_id: UUID
    enrollment_id: UUID
    month: str
    revision: int
    provider_id: UUID
    group_id: UUID
    fund_id: UUID
    place: int
    """Among the items of its revision, in the order in which the funds pay."""
    charged_tiyn: int
    amount_tiyn: int
    due_on: date
    stage: Stage = Stage.CHARGED
    frozen: bool = False
    claimed_tiyn: int = 0
    payout_id: UUID | None = None
    recovered_tiyn: int = 0
    """What of `claimed_tiyn` came back to the fund."""

    @property
    def owed_tiyn(self) -> int:
        """What of it stands: paid or to be paid, and not claimed back."""
        return self.amount_tiyn - self.claimed_tiyn

    @property
    def recoverable_tiyn(self) -> int:
        """What the provider was paid, and is to give back; what may still bounce would be withdrawn."""
        return self.claimed_tiyn - self.recovered_tiyn if self.stage is Stage.SETTLED else 0


class Change(NamedTuple):
    """Something about an item that others must hear of.

    `taken_out` is for the order that it was in (`payout_id`): it is smaller now by `amount_tiyn`.
    """

    kind: Literal["frozen", "unfrozen", "claim_opened", "taken_out"]
    item: Item
    amount_tiyn: int
    payout_id: UUID | None = None


EntryKind = Literal[
    "capture", "refund", "claw_back", "withdraw_claim", "pay_out", "settle", "bounce", "recover"
]


class Entry(NamedTuple):
    """What an operation did with an item, kept for ever."""

    item_id: UUID
    operation_id: UUID
    kind: EntryKind
    amount_tiyn: int
    payout_id: UUID | None = None
