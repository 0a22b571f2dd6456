"""Children by their IIN, and who may speak for them."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from idnumbers.nationalid.KAZ import IndividualIDNumber

IIN_DIGITS = 12
MASKED_DIGITS = 8
ADULT_AGE = 18


class LinkState(StrEnum):
    """A guardian link is claimed until the register, or two administrators, say yes or no."""

    CLAIMED = "claimed"
    REFUSED = "refused"
    VERIFIED = "verified"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GuardianLink:
    """A person who speaks, or wants to speak, for a child. `person_id` is the `sub` of the token."""

    id: UUID
    person_id: UUID
    child_id: UUID | None
    """Known once verified: a claim that is refused never tells whether there is such a child."""
    state: LinkState
    version: int


@dataclass(frozen=True, slots=True)
class SealedIin:
    """An IIN as it is stored: found by its blind index, and encrypted for that index."""

    encrypted: bytes
    index: bytes
    birth_date: date


@dataclass(frozen=True, slots=True)
class Identity:
    """What the register, or two administrators, say of a child."""

    given_name: str
    family_name: str
    patronymic: str | None
    school_name: str | None
    school_rural: bool | None
    priority: int


@dataclass(frozen=True, slots=True)
class Child:
    """A child. What it is entitled to, and why it has priority, is not among it."""

    id: UUID
    iin: SealedIin
    identity: Identity
    version: int


def birth_date_of(iin: str) -> date | None:
    """The birth date in an IIN, or None if it is none: its checksum *and* its date must hold.

    Digits of other scripts pass `str.isdigit` and some patterns, so ASCII is asked for first. `000000000000`
    passes the checksum, and fails the date; a BIN has no day of a month where an IIN has it.
    """
    if not (iin.isascii() and iin.isdigit() and len(iin) == IIN_DIGITS):
        return None
    parsed = IndividualIDNumber.parse(iin)
    return parsed["yyyymmdd"] if parsed else None


def masked(iin: str) -> str:
    """Only the last four digits, which name nobody alone."""
    return "*" * MASKED_DIGITS + iin[MASKED_DIGITS:]
