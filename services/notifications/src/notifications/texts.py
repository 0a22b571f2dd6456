"""The words: a message's kind and values become a title and a body in one language, at the time of reading.

The texts are in `locales/`, read by `shared.texts`. Money and dates are written as the language writes them.
No text names a child: this service knows none by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency

from notifications.domain import Kind
from shared.clock import CIVIL, first_day
from shared.texts import LanguageCode, Texts

PACKAGE = "notifications"
TIYN_PER_TENGE = 100


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words."""

    title: str
    body: str


def render(kind: Kind, values: Mapping[str, Any], language: LanguageCode) -> Rendered:
    """The words of one message. `ahead`, children in the queue, is what a body may count."""
    written = {name: _WRITE[name](value, language) for name, value in values.items()}
    title = Texts.of(PACKAGE).translate(language, f"message.{kind}.title", **written)
    msgid = f"message.{kind}.body"
    if "ahead" in values:
        body = Texts.of(PACKAGE).count(language, msgid, values["ahead"], **written)
    else:
        body = Texts.of(PACKAGE).translate(language, msgid, **written)
    return Rendered(title, body.strip())


def money(tiyn: int, language: LanguageCode) -> str:
    """`18 750 ₸`; tiyn are shown only if there are any."""
    whole = tiyn % TIYN_PER_TENGE == 0
    pattern = "#,##0\u00a0₸" if whole else "#,##0.00\u00a0₸"
    return format_currency(Decimal(tiyn).scaleb(-2), "KZT", pattern, locale=language, currency_digits=False)


def _reason(code: str, language: LanguageCode) -> str:
    """What is wrong and what to do, in plain words, also for a code that is newer than our texts."""
    return _known_reason(code, language) or _known_reason("other_reason", language)


def _known_reason(code: str, language: LanguageCode) -> str:
    """The same for an ending: the person's own reasons have no text and need none."""
    said = Texts.of(PACKAGE).translate(language, code)
    return "" if said == code else f"{said} {Texts.of(PACKAGE).translate(language, f'{code}.action')}"


def _name(names: Mapping[str, str], language: LanguageCode) -> str:
    return " ".join(names[language].split())  # a title is one line: it becomes the subject of an e-mail


# The usual forms of Kazakh and Russian end in an abbreviation with a period: no sentence can end with them.
_DAY: Mapping[LanguageCode, str] = {"kk": "y 'жылғы' d MMMM", "ru": "d MMMM y", "en": "MMMM d, y"}
_MONTH: Mapping[LanguageCode, str] = {"kk": "y 'жылғы' MMMM", "ru": "LLLL y", "en": "MMMM y"}


def _day(iso: str, language: LanguageCode) -> str:
    return format_date(date.fromisoformat(iso), _DAY[language], locale=language)


def _moment(iso: str, language: LanguageCode) -> str:
    local = datetime.fromisoformat(iso).astimezone(CIVIL)
    return f"{_day(local.date().isoformat(), language)}, {local:%H:%M}"


def _month(month: str, language: LanguageCode) -> str:
    return format_date(first_day(month), _MONTH[language], locale=language)


_WRITE: Mapping[str, Callable[[Any, LanguageCode], str]] = {
    "group": _name,
    "ahead": lambda count, _: str(count),
    "starts_on": _day,
    "until": _moment,
    "on": _day,
    "grace_ends_on": _day,
    "month": _month,
    "missing_tiyn": money,
    "code": _reason,
    "ended_code": _known_reason,
}
"""How a value of this name is written."""
