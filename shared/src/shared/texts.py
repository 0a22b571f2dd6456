"""Texts for people in Kazakh, Russian and English: gettext catalogs in each package, compiled at first use.

A text's msgid is its stable code (`role_required`), and what a person can do about it is `<code>.action`.
Placeholders are `{name}`; which plural form is meant is the catalog's own rule.
"""

import functools
import gettext
import importlib.resources
import io
from dataclasses import dataclass
from typing import Literal, Self, get_args

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LanguageCode = Literal["kk", "ru", "en"]
LANGUAGES: tuple[LanguageCode, ...] = get_args(LanguageCode)
DEFAULT: LanguageCode = "kk"


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogs of a package, with the plumbing's behind them."""

    catalogs: dict[LanguageCode, gettext.GNUTranslations]

    @classmethod
    @functools.cache
    def of(cls, package: str) -> Self:
        """The texts of this package and of `shared`."""
        catalogs = {}
        for language in LANGUAGES:
            catalogs[language] = _compile(package, language)
            if package != "shared":
                catalogs[language].add_fallback(_compile("shared", language))
        return cls(catalogs)

    def translate(self, language: LanguageCode, msgid: str, /, **values: str | int) -> str:
        """The text of a code in this language."""
        return self.catalogs[language].gettext(msgid).format_map(values)

    def count(self, language: LanguageCode, msgid: str, number: int, /, **values: str | int) -> str:
        """The text of a code in the plural form that goes with this number, also known as `{number}`."""
        form = self.catalogs[language].ngettext(msgid, msgid, number)
        return form.format_map({**values, "number": number})


def negotiate(accept_language: str) -> LanguageCode:
    """The language that an `Accept-Language` header likes best, Kazakh if it names none of ours."""
    best: tuple[float, LanguageCode] = (0.0, DEFAULT)
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.strip().lower().partition(";")
        quality = _quality(parameters)
        for language in LANGUAGES:
            if tag.split("-")[0] == language and quality > best[0]:
                best = (quality, language)
    return best[1]


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _compile(package: str, language: LanguageCode) -> gettext.GNUTranslations:
    source = importlib.resources.files(package) / "locales" / language / "messages.po"
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
