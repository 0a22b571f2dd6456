"""Who is told what, through which channel, and not before when: pure decisions.

The words are in `texts.py` and `locales/`; what is known of children, groups and people, in `repository.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import phonenumbers

from shared.clock import CIVIL, civil_date, civil_moment
from shared.errors import InvalidError
from shared.texts import DEFAULT, LanguageCode

Channel = Literal["email", "sms"]
Topic = Literal["children", "seats", "enrollments", "money"]
CHANNELS: tuple[Channel, ...] = ("email", "sms")
TOPICS: tuple[Topic, ...] = ("children", "seats", "enrollments", "money")


class Kind(StrEnum):
    """What happened, as a guardian would say it; each has its texts, `message.<kind>.title` and `.body`."""

    LINK_VERIFIED = "link_verified"
    SEAT_QUEUED = "seat_queued"
    SEAT_NEXT = "seat_next"
    SEAT_OFFERED = "seat_offered"
    REJECTED = "rejected"
    REJECTED_SHORT = "rejected_short"
    CONFIRMED = "confirmed"
    CANCELED = "canceled"
    ENDED = "ended"
    MONTH_UNFUNDED = "month_unfunded"
    MONTH_FUNDED = "month_funded"


TOPIC_OF: Mapping[Kind, Topic] = {
    Kind.LINK_VERIFIED: "children",
    Kind.SEAT_QUEUED: "seats",
    Kind.SEAT_NEXT: "seats",
    Kind.SEAT_OFFERED: "seats",
    Kind.REJECTED: "enrollments",
    Kind.REJECTED_SHORT: "enrollments",
    Kind.CONFIRMED: "enrollments",
    Kind.CANCELED: "enrollments",
    Kind.ENDED: "enrollments",
    Kind.MONTH_UNFUNDED: "money",
    Kind.MONTH_FUNDED: "money",
}

REJECTIONS = frozenset({Kind.REJECTED, Kind.REJECTED_SHORT})
OVER = REJECTIONS | {Kind.CANCELED, Kind.ENDED}

SAID_OTHERWISE = frozenset({"queue_left"})
"""Refusal codes that only echo what the person did and is told of by another message."""


@dataclass(frozen=True, slots=True)
class News:
    """One event, as far as guardians care. `values` are plain JSON and fill the placeholders of the texts."""

    event_id: UUID
    kind: Kind
    at: datetime
    """When it happened, in business time: of two pieces of news of one enrollment the later one holds."""
    child_id: UUID
    enrollment_id: UUID | None = None
    group_id: UUID | None = None
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


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Civil hours in which no e-mail and no SMS leaves; the inbox is never quiet. Equal ends: none."""

    starts_at: time = time(21)
    ends_at: time = time(8)

    def over(self, moment: datetime) -> datetime:
        """The moment itself (UTC), or the end of the quiet hours that it falls into."""
        local = moment.astimezone(CIVIL).time()
        day = civil_date(moment)
        if self.starts_at <= self.ends_at:
            quiet = self.starts_at <= local < self.ends_at
        else:
            quiet = local >= self.starts_at or local < self.ends_at
            if quiet and local >= self.starts_at:
                day += timedelta(days=1)
        return civil_moment(day, self.ends_at) if quiet else moment


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person wants to be told. Who never said anything gets everything, in Kazakh, not at night."""

    language: LanguageCode = DEFAULT
    topics: Mapping[Topic, frozenset[Channel]] = field(
        default_factory=lambda: dict.fromkeys(TOPICS, frozenset(CHANNELS))
    )
    quiet: QuietHours = field(default_factory=QuietHours)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A guardian, with the channels there are contacts for."""

    person_id: UUID
    reachable: frozenset[Channel]
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class Copy:
    """A message as it also leaves by e-mail or SMS, not before a moment of business time."""

    channel: Channel
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """One message for one person's inbox, with its copies to the outside."""

    person_id: UUID
    news: News
    copies: tuple[Copy, ...]


def tell(news: News, recipients: Sequence[Recipient], now: datetime) -> list[Told]:
    """Everybody gets it in the inbox; outside as they prefer."""
    topic = TOPIC_OF[news.kind]
    return [
        Told(
            recipient.person_id,
            news,
            tuple(
                Copy(channel, recipient.preferences.quiet.over(now))
                for channel in CHANNELS
                if channel in recipient.reachable and channel in recipient.preferences.topics[topic]
            ),
        )
        for recipient in recipients
    ]


ATTEMPTS_MAX = 12
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=3)


def pause_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts in vain; None: give up (after half a day, all in all)."""
    if attempts >= ATTEMPTS_MAX:
        return None
    growing = _FIRST_PAUSE * pow(3.0, attempts - 1)
    return min(growing, _LONGEST_PAUSE)


# ASCII only: an address that not every mail server on the way accepts is refused while the person can react.
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
_LOCAL_PART_MAX = 64
_EMAIL_MAX = 254


def email_address(given: str) -> str:
    """The address to write to, its domain in small letters; otherwise InvalidError."""
    local, _, domain = given.rpartition("@")
    if len(given) > _EMAIL_MAX or len(local) > _LOCAL_PART_MAX or not _EMAIL.fullmatch(given):
        raise InvalidError("email_invalid")
    return f"{local}@{domain.lower()}"


def phone_number(given: str) -> str:
    """The number in E.164 (`+77011234567`); without a country it is one of Kazakhstan."""
    try:
        number = phonenumbers.parse(given, "KZ")
    except phonenumbers.NumberParseException:
        raise InvalidError("phone_invalid") from None
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise InvalidError("phone_invalid")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
