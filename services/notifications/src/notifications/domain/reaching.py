"""Through which channel somebody is told, and not before when: preferences, quiet hours, contacts, pauses.

What is told is in `news` and `bills`; the words are in `texts.py` and `locales/`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Literal
from uuid import UUID

import phonenumbers

from notifications.domain.kinds import TOPIC_OF, TOPICS, Topic
from notifications.domain.news import News
from shared.clock import CIVIL, civil_date, civil_moment
from shared.errors import InvalidError
from shared.texts import DEFAULT, LanguageCode

Channel = Literal["email", "sms"]
CHANNELS: tuple[Channel, ...] = ("email", "sms")


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
    """A guardian or a director, with the channels there are contacts for."""

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
