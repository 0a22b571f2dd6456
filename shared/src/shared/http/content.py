"""What a request body may be: strict JSON, and the types of which bodies are made.

Refused here once, so that no endpoint has to think of it: duplicate keys, NaN, numbers beyond 2^53, deep
nesting, NUL and control characters, lone surrogates, and the characters that turn the direction of text.
"""

import itertools
import json
import math
import re
import unicodedata
from datetime import date
from typing import Annotated, Any

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.http.problems import Defect, RefusedError, pointer_of

DEPTH_MAX = 20
INTEGER_MAX = 2**53 - 1
_TROUBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_FIELD = re.compile("[a-z_]{1,40}")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BREAKS = re.compile("[\t\n\r\u2028\u2029]")


class Body(BaseModel):
    """The content of a request: unknown fields are an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _one_line(text: str) -> str:
    if _BREAKS.search(text):
        raise PydanticCustomError("line_break_refused", "one line only")
    return unicodedata.normalize("NFC", text)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
"""A name or a title: one line."""

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(_composed)
]
"""What somebody wrote, possibly over several lines."""

Whole = Annotated[int, Field(strict=True, ge=-INTEGER_MAX, le=INTEGER_MAX)]
"""A whole number as JSON knows it: neither a text nor true."""


def _written_as_day(value: object) -> object:
    """Pydantic would also take seconds since 1970 and a time at midnight; a view is made of a date."""
    if type(value) is not date and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise PydanticCustomError("day_malformed", "a day is written as 2026-09-14")
    return value


Day = Annotated[
    date,
    BeforeValidator(_written_as_day),
    Field(ge=date(2020, 1, 1), le=date(2100, 1, 1), examples=["2026-09-14"]),
]
"""A civil day that somebody asks for."""


class StrictRequest(Request):
    """A request whose body is read strictly."""

    async def json(self) -> Any:  # noqa: ANN401 - anything JSON can say
        """The body, or a refusal that names the place."""
        if not hasattr(self, "_strict"):
            self._strict = parse(await self.body())
        return self._strict


def parse(body: bytes) -> Any:  # noqa: ANN401 - anything JSON can say
    """Read JSON that means one thing only."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_not_a_number, parse_float=_finite
        )
    except RecursionError:
        raise RefusedError(400, "json_too_deep") from None
    except ValueError:  # also of bytes that are no UTF-8, and of integers with thousands of digits
        raise RefusedError(400, "json_malformed") from None
    _inspect(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise RefusedError(400, "json_key_repeated")
    return content


def _not_a_number(_: str) -> float:
    raise RefusedError(400, "json_malformed")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RefusedError(400, "json_malformed")
    return number


def _inspect(root: Any) -> None:  # noqa: ANN401 - anything JSON can say
    """Look at each value without recursion; the first defect is told with its place."""
    pending: list[tuple[Any, tuple[str | int, ...]]] = [(root, ())]
    while pending:
        value, path = pending.pop()
        if len(path) > DEPTH_MAX:
            raise RefusedError(400, "json_too_deep")
        if isinstance(value, str):
            _refuse(path, "text_refused", when=has_trouble(value))
        elif isinstance(value, dict):
            _refuse(path, "text_refused", when=any(map(has_trouble, value)))
            pending.extend((item, (*path, key)) for key, item in value.items())
        elif isinstance(value, list):
            pending.extend((item, (*path, index)) for index, item in enumerate(value))
        elif isinstance(value, int):
            _refuse(path, "number_out_of_range", when=abs(value) > INTEGER_MAX)


def has_trouble(text: str) -> bool:
    """Whether a text has characters that PostgreSQL, a log or a reader's eye would stumble over."""
    return _TROUBLE.search(text) is not None


def _refuse(path: tuple[str | int, ...], code: str, *, when: bool) -> None:
    if when:
        # Only what looks like a field of ours is named: any other name is the caller's, and not repeated.
        known = itertools.takewhile(lambda step: isinstance(step, int) or _FIELD.fullmatch(step), path)
        defect = Defect(place="body", pointer=pointer_of(list(known)), code=code)
        raise RefusedError(422, "content_invalid", defects=[defect])
