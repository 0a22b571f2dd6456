"""A hold: the money of one enrollment and month, with the terms frozen in it; and what a month can cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from wallet.domain.accounts import Account


class Lesson(NamedTuple):
    """One planned lesson."""

    lesson_id: UUID
    on: date

    @classmethod
    def read(cls, lesson_id: str, on: str) -> "Lesson":
        """From the texts that JSON keeps."""
        return cls(UUID(lesson_id), date.fromisoformat(on))


@dataclass(frozen=True, slots=True)
class FrozenRules:
    """The rules of one program that pays a part, as they were when the hold was made."""

    program_id: UUID
    version: int
    evidence: Mapping[str, Any]
    charge: Mapping[str, Any]
    coefficient_percent: int | None = None
    """The child's; None in holds that were made before it was kept."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed when the hold was made. Never changes."""

    provider_id: UUID
    group_id: UUID
    direction: str
    price_tiyn: int
    lessons: tuple[Lesson, ...]
    covers_from: date
    covers_until: date | None
    rules: tuple[FrozenRules, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one allotment reserves of a hold. `captured` of it is owed or paid, `released` came back."""

    account: Account
    program_id: UUID
    amount_tiyn: int
    released_tiyn: int = 0
    captured_tiyn: int = 0

    @property
    def remaining_tiyn(self) -> int:
        """Still reserved."""
        return self.amount_tiyn - self.released_tiyn - self.captured_tiyn


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved for one enrollment and month. At most one is open for them.

    Its terms are kept beside it: they are long, and only an end or a charge needs them.
    """

    id: UUID
    child_id: UUID
    enrollment_id: UUID
    month: str
    attempt: int
    layers: tuple[Layer, ...]
    open: bool = True

    @property
    def amount_tiyn(self) -> int:
        """What was reserved at the beginning."""
        return sum(layer.amount_tiyn for layer in self.layers)

    @property
    def remaining_tiyn(self) -> int:
        """What is still reserved."""
        return sum(layer.remaining_tiyn for layer in self.layers)


def covered(lessons: Sequence[Lesson], covers_from: date, covers_until: date | None) -> list[Lesson]:
    """The planned lessons that can be charged to the enrollment."""
    return [
        lesson
        for lesson in lessons
        if covers_from <= lesson.on and (covers_until is None or lesson.on < covers_until)
    ]


def cost(price_tiyn: int, lessons: int, planned: int) -> int:
    """What that many of the month's planned lessons cost at most: their share of the price, rounded down."""
    return price_tiyn * lessons // planned


def earlier(one: date | None, other: date | None) -> date | None:
    """The earlier of two ends, where None is open."""
    return min((day for day in (one, other) if day is not None), default=None)
