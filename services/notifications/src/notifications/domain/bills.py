"""What guardians are told of a charged month: what it costs, when that changes, and what stops its payment.

The wallet tells all of an enrollment's money in the order of the child, but fund by fund: what concerns the
month is told once, however many funds pay it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from notifications.domain.kinds import Kind

_SAID_OTHERWISE = frozenset({"canceled", "rejected", "ended"})
"""Why there was no money to charge, where the enrollment's own news have told as much."""


class Item(StrEnum):
    """What became of what one fund owes for the month."""

    FROZEN = "frozen"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Charge:
    """One revision of what the month costs. `code` says why nothing, if no money was held for it."""

    revision: int
    amount_tiyn: int
    counted: int
    """Lessons that count."""
    frozen: bool
    code: str | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What guardians know of a month's charge; revision 0 is none yet."""

    revision: int = 0
    amount_tiyn: int = 0
    frozen: bool = False
    stop_told: bool = False
    claim_told: bool = False

    def hear(self, heard: Charge | Item) -> tuple["Bill", Kind | None]:
        """What they know afterwards, and what they are told."""
        match heard:
            case Charge():
                return self._charged(heard)
            case Item() if not self.frozen:
                return self, None  # of a dispute that is over: the wallet tells of the month first
            case Item.FROZEN:
                return replace(self, stop_told=True), None if self.stop_told else Kind.PAYMENT_STOPPED
            case Item.CLAIMED:
                return replace(self, claim_told=True), None if self.claim_told else Kind.CLAIM_OPENED

    def _charged(self, charge: Charge) -> tuple["Bill", Kind | None]:
        if charge.revision <= self.revision:
            return self, None
        after = Bill(
            charge.revision,
            charge.amount_tiyn,
            charge.frozen,
            # A dispute after this one is told anew.
            stop_told=self.stop_told and charge.frozen,
            claim_told=self.claim_told and charge.frozen,
        )
        return after, self._first(charge) if self.revision == 0 else self._changed(charge)

    def _first(self, charge: Charge) -> Kind | None:
        if charge.amount_tiyn > 0:
            return Kind.MONTH_CHARGED
        if charge.code is not None:
            return None if charge.code in _SAID_OTHERWISE else Kind.MONTH_UNPAID
        return Kind.MONTH_CHARGED if charge.counted else Kind.MONTH_FREE

    def _changed(self, charge: Charge) -> Kind | None:
        """That it froze is told by its items: they know whether the money could still be stopped."""
        if charge.amount_tiyn != self.amount_tiyn:
            return Kind.MONTH_RECHARGED
        return Kind.PAYMENT_RESUMED if self.frozen and not charge.frozen else None
