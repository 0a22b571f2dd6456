"""The words: a message's kind and values become a title and a body in one language, at the time of reading.

The texts are in `locales/`, read by `shared.texts`. Money and dates are written as the language writes them.
No text names a child: this service knows none by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency

from notifications.domain.kinds import Kind
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
    """The words of one message: its body, and a sentence more for each value that only some messages have."""
    texts = Texts.of(PACKAGE)
    written = {name: _WRITE[name](value, language) for name, value in values.items()}
    title = texts.translate(language, f"message.{kind}.title", **written)
    msgid = f"message.{kind}.body"
    if kind in _COUNTED:
        body = texts.count(language, msgid, values[_COUNTED[kind]], **written)
    else:
        body = texts.translate(language, msgid, **written)
    more = [texts.translate(language, f"message.more.{name}", **written) for name in _MORE if name in values]
    return Rendered(title, " ".join([body.strip(), *more]))


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


def _plain_reason(code: str, language: LanguageCode) -> str:
    """What is wrong, where nothing can be done about it any more."""
    said = Texts.of(PACKAGE).translate(language, code)
    return "" if said == code else said


def _number(number: int, _: LanguageCode) -> str:
    return str(number)


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


def _months(months: Sequence[str], language: LanguageCode) -> str:
    return ", ".join(_month(month, language) for month in months)


_COUNTED: Mapping[Kind, str] = {
    Kind.SEAT_QUEUED: "ahead",
    Kind.MONTH_CHARGED: "planned",
    Kind.MONTH_RECHARGED: "planned",
    Kind.PAYOUT_SENT: "items",
    Kind.PAYOUT_SETTLED: "items",
    Kind.PAYOUT_BOUNCED: "items",
}
"""Which value decides the plural of a body."""

_MORE = ("disputed_tiyn", "uncovered_tiyn", "provider", "fund", "months")

_WRITE: Mapping[str, Callable[[Any, LanguageCode], str]] = {
    "group": _name,
    "provider": _name,
    "fund": _name,
    "ahead": _number,
    "starts_on": _day,
    "until": _moment,
    "on": _day,
    "grace_ends_on": _day,
    "month": _month,
    "months": _months,
    "missing_tiyn": money,
    "amount_tiyn": money,
    "before_tiyn": money,
    "disputed_tiyn": money,
    "uncovered_tiyn": money,
    "counted": _number,
    "planned": _number,
    "items": _number,
    "code": _reason,
    "ended_code": _known_reason,
    "charge_code": _plain_reason,
    "bank_code": _known_reason,
}
"""How a value of this name is written."""
