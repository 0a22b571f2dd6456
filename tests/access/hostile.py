"""Content that nobody means: what of a good body is replaced, by what, and where it then is."""

import copy
from collections.abc import Iterator
from typing import Any, Final

MARK: Final = "marked-by-the-caller"
"""In whatever is refused; an answer that has it repeats what was sent."""

REFUSED_TEXTS: Final = (
    MARK + "\x00",
    MARK + "\ud800",
    MARK + "\u202e",
    MARK + "\u2066",
    MARK + "\x1b[31m",
    MARK + "\x85",
    MARK + "\uffff",
)
HUGE_TEXT: Final = MARK * 2000
ODD_TEXTS: Final = (
    "ӘҒҚҢӨҰҮҺІ әғқңөұүһі",
    "=HYPERLINK(1)",
    "@SUM(1+1)",
    "'; DROP TABLE children; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>",
    "../../etc/passwd",
    "e\u0301tude",
    "\u200b",
    "🤖",
    "٢٠٢٦",
    "1٥:00",
    "",
    " ",
    "\n",
)
"""Letters somebody may well use, and what is dangerous only to those who execute it."""
ODD_NUMBERS: Final[tuple[Any, ...]] = (
    *(2**63, -(2**63) - 1, 2**53, 10**400, -1, 0, 1.5),
    *("5", True, None, [], {}),
)

Place = tuple[str | int, ...]


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:  # noqa: ANN401 - of JSON
    """Each text and number in a body, with its place."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*place, index))
    else:
        yield place, value


def replaced(body: Any, place: Place, value: Any) -> Any:  # noqa: ANN401 - of JSON
    """The body with something else at a place."""
    changed = copy.deepcopy(body)
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    return changed


def pointer(place: Place) -> str:
    """A JSON Pointer."""
    return "".join(f"/{step}" for step in place)
