"""What is worth telling: news of enrollments and of the money of their months. Pure decisions.

What is told of a month that was charged is in `bills`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from notifications.domain.kinds import BESIDE, OVER, REJECTIONS, Kind

SAID_OTHERWISE = frozenset({"queue_left"})
"""Refusal codes that only echo what the person did and is told of by another message."""


@dataclass(frozen=True, slots=True)
class News:
    """One event, as far as people care. `values` are plain JSON and fill the placeholders of the texts."""

    event_id: UUID
    kind: Kind
    at: datetime
    """When it happened, in business time: of two pieces of news of one enrollment the later one holds."""
    child_id: UUID | None = None
    """Who it is about; guardians are told. None: it is about a provider as a whole."""
    enrollment_id: UUID | None = None
    group_id: UUID | None = None
    provider_id: UUID | None = None
    """Whose directors are told, if it is not for guardians."""
    fund_id: UUID | None = None
    """Who pays."""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnrollmentSeen:
    """The latest that was heard of an enrollment."""

    kind: Kind
    as_of: datetime


def is_still_news(news: News, seen: EnrollmentSeen | None, now: datetime) -> bool:
    """Whether to tell it: topics have no common order, so the older news may come after the newer.

    Clubs refuses a seat and enrollment therefore rejects: one message, whichever is heard first.
    """
    if news.kind in BESIDE:
        return True
    if news.values.get("code") in SAID_OTHERWISE:
        return False
    if news.kind is Kind.SEAT_OFFERED and datetime.fromisoformat(news.values["until"]) <= now:
        return False
    if seen is None:
        return True
    if news.kind in REJECTIONS and seen.kind in OVER:
        return False
    return news.at >= seen.as_of


@dataclass(frozen=True, slots=True)
class MonthMoney:
    """What was heard about the money of one enrollment and civil month."""

    unfunded_at: datetime | None = None
    missing_tiyn: int | None = None
    funded_at: datetime | None = None

    def unfunded(self, at: datetime, missing_tiyn: int) -> tuple["MonthMoney", bool]:
        """No money as of `at`: the new state, and whether that is news (a repeated decline is not)."""
        if self.funded_at is not None and self.funded_at >= at:
            return self, False
        if self.unfunded_at is not None and self.unfunded_at > at:
            return self, False
        known = self.unfunded_at is not None and self.funded_at is None
        told_the_same = known and self.missing_tiyn == missing_tiyn
        return MonthMoney(at, missing_tiyn), not told_the_same

    def funded(self, at: datetime) -> tuple["MonthMoney", bool]:
        """Money is held as of `at`: the new state, and whether that is news (only after there was none)."""
        if self.unfunded_at is not None and self.unfunded_at > at:
            return self, False
        told_unfunded = self.unfunded_at is not None and self.funded_at is None
        return MonthMoney(self.unfunded_at, self.missing_tiyn, self.funded_at or at), told_unfunded
