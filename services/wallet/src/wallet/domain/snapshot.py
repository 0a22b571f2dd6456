"""What a batch is decided on: read under its locks, and what stands at the end of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from wallet.domain.accounts import Account, Balance
from wallet.domain.holds import Hold, Terms
from wallet.domain.items import Item
from wallet.domain.operations import Identity
from wallet.domain.programs import Entitlement, Fund, Mrp, Program
from wallet.domain.recording import Recorded

UsedKey = tuple[UUID, UUID, str]
"""A child, a program and a month."""


class Moved(NamedTuple):
    """What an operation moved within one fund, as far as it can be corrected."""

    amount_tiyn: int = 0
    deposited_tiyn: int = 0
    """From the bank to the fund."""
    returned_tiyn: int = 0
    """To the bank, not by an order to a provider."""
    corrected_tiyn: int = 0


class EnrollmentEnd(NamedTuple):
    """What the wallet remembers of an enrollment it was asked about."""

    child_id: UUID
    ends_on: date | None = None
    """First day that must not be charged any more."""
    released: bool = False
    """Canceled or rejected: nothing is held for it any more."""


class MonthAnswer(NamedTuple):
    """What became of one enrollment's month; the latest word, with its reason."""

    child_id: UUID
    attempt: int
    state: Literal["held", "declined", "released", "charged"]
    code: str | None = None
    missing_tiyn: int = 0
    hold_id: UUID | None = None
    """The one whose terms count, be it open or not."""
    revision: int = 0
    """Of the facts that were charged last."""
    captured_tiyn: int = 0
    """Captured by now, less what was given or claimed back."""
    disputed_tiyn: int = 0
    uncovered_tiyn: int = 0
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a batch is decided on, read under its locks. An account that is missing has no money."""

    programs: Mapping[UUID, Program]
    funds: Mapping[UUID, Fund]
    entitlements: Mapping[UUID, Sequence[Entitlement]]
    """By child."""
    mrp: Sequence[Mrp]
    """Of all days; empty if no program counts in it."""
    balances: Mapping[Account, Balance]
    holds: Sequence[Hold]
    """The open ones of all the batch's children, and closed ones out of which a month may be given back."""
    used: Mapping[UsedKey, int]
    """What programs with caps have reserved or paid out of holds that are not among these."""
    terms: Mapping[UUID, Terms]
    """By hold; of those whose enrollment ends or whose month is charged in this batch."""
    enrollments: Mapping[UUID, EnrollmentEnd]
    months: Mapping[tuple[UUID, str], MonthAnswer]
    """Of the batch's enrollments, and of the items of its orders."""
    items: Sequence[Item]
    """Of the months that are charged, and of the orders, in this batch."""
    signatures: Mapping[tuple[UUID, str], frozenset[tuple[int, str]]]
    """Which revisions, by their digests, the provider has signed of a month."""
    recorded: Mapping[Identity, Recorded]
    beside_budget: Mapping[UUID, int]
    """By fund: what came to its bank account and does not count against the budget, for it was no deposit."""
    moved: Mapping[tuple[UUID, UUID], Moved]
    """By operation and fund; of those that are corrected in this batch."""
    bank_references: frozenset[tuple[UUID, str]]
    """By fund: those of this batch that stand for something already."""
