"""The words: a message's kind and values become a title and a body in one language, at the time of reading.

Texts are gettext catalogs under `locales/` (plurals by Babel), compiled when the process starts. Money and
dates are written as the language writes them. No text names a child: this service knows none by name.
"""

import gettext
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency

from notifications.domain import Kind, Language
from shared.clock import CIVIL, first_day

LANGUAGES: tuple[Language, ...] = ("kk", "ru", "en")
TIYN_PER_TENGE = 100


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words."""

    title: str
    body: str


@cache
def catalog(language: Language) -> gettext.GNUTranslations:
    """The compiled texts of a language; a broken catalog fails here, at start."""
    source = resources.files("notifications").joinpath("locales", language, "messages.po")
    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=language, abort_invalid=True))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def render(kind: Kind, values: Mapping[str, Any], language: Language) -> Rendered:
    """The words of one message. `ahead`, children in the queue, is what a body may count."""
    texts = catalog(language)
    written = {name: _WRITE[name](value, language) for name, value in values.items()}
    title, body = f"message.{kind}.title", f"message.{kind}.body"
    if "ahead" in values:
        said = texts.ngettext(body, f"{body}.plural", values["ahead"])
    else:
        said = texts.gettext(body)
    return Rendered(texts.gettext(title).format_map(written), said.format_map(written).strip())


def money(tiyn: int, language: Language) -> str:
    """`18 750 ₸`; tiyn are shown only if there are any."""
    whole = tiyn % TIYN_PER_TENGE == 0
    pattern = "#,##0\u00a0₸" if whole else "#,##0.00\u00a0₸"
    return format_currency(Decimal(tiyn).scaleb(-2), "KZT", pattern, locale=language, currency_digits=False)


def _reason(code: str, language: Language) -> str:
    """What is wrong and what to do, in plain words, also for a code that is newer than our texts."""
    return _known_reason(code, language) or _known_reason("other_reason", language)


def _known_reason(code: str, language: Language) -> str:
    """The same for an ending: the person's own reasons have no text and need none."""
    texts = catalog(language)
    said = texts.gettext(code)
    return "" if said == code else f"{said} {texts.gettext(f'{code}.action')}"


def _name(names: Mapping[str, str], language: Language) -> str:
    return " ".join(names[language].split())  # a title is one line: it becomes the subject of an e-mail


# The usual forms of Kazakh and Russian end in an abbreviation with a period: no sentence can end with them.
_DAY: Mapping[Language, str] = {"kk": "y 'жылғы' d MMMM", "ru": "d MMMM y", "en": "MMMM d, y"}
_MONTH: Mapping[Language, str] = {"kk": "y 'жылғы' MMMM", "ru": "LLLL y", "en": "MMMM y"}


def _day(iso: str, language: Language) -> str:
    return format_date(date.fromisoformat(iso), _DAY[language], locale=language)


def _moment(iso: str, language: Language) -> str:
    local = datetime.fromisoformat(iso).astimezone(CIVIL)
    return f"{_day(local.date().isoformat(), language)}, {local:%H:%M}"


def _month(month: str, language: Language) -> str:
    return format_date(first_day(month), _MONTH[language], locale=language)


_WRITE: Mapping[str, Callable[[Any, Language], str]] = {
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
