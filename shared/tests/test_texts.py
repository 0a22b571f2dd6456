"""Every code of the plumbing can be said in each language, and differently in each."""

import itertools
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from shared import http
from shared.texts import LANGUAGES, LanguageCode, Texts

SOURCE = Path(http.__file__).parents[1]
LOCALES = SOURCE / "locales"
_RAISED = re.compile(
    r"(?:NotFoundError|ConflictError|ForbiddenError|InvalidError|_unauthenticated)\(\s*\"(\w+)\""
    r"|(?:RefusedError|problem)\(\s*(?:scope, )?\d+,\s*\"(\w+)\"|code: ClassVar\[str\] = \"(\w+)\""
    r"|^    code = \"(\w+)\"|^    \d+: \"(\w+)\"",
    re.MULTILINE,
)


def _messages(language: str) -> dict[str, str]:
    with (LOCALES / language / "messages.po").open("rb") as file:
        catalog = read_po(file, locale=language, abort_invalid=True)
    return {str(message.id): str(message.string) for message in catalog if message.id}


def _codes() -> set[str]:
    files = [path for path in SOURCE.rglob("*.py") if "testing" not in path.name]
    return {code for path in files for match in _RAISED.findall(path.read_text()) for code in match if code}


def test_every_code_has_a_text_and_says_what_to_do() -> None:
    codes = _codes()
    assert len(codes) >= 30
    for language in LANGUAGES:
        assert codes | {f"{code}.action" for code in codes} == _messages(language).keys()


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(LANGUAGES, 2)])
def test_no_text_is_equal_in_two_languages(one: str, other: str) -> None:
    first, second = _messages(one), _messages(other)
    assert [msgid for msgid in first if first[msgid] == second[msgid] or not first[msgid]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_the_same_in_each_language(language: LanguageCode) -> None:
    placeholders = re.compile(r"\{(\w+)\}")
    english = _messages("en")
    for msgid, text in _messages(language).items():
        assert placeholders.findall(text) == placeholders.findall(english[msgid])


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_kazakh_and_russian_are_written_in_their_own_letters(language: str) -> None:
    letters = "".join(_messages(language).values())
    assert len(re.findall("[әғқңөұүһі]", letters)) > 100 if language == "kk" else "ы" in letters
    assert not re.search("[әғқңөұүһ]", letters) or language == "kk"


def test_values_fill_the_text() -> None:
    text = Texts.of("shared").translate("ru", "proposal_not_open.action", state="executed")
    assert "executed" in text
