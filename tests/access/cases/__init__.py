"""What each role gets for an own, a foreign and a missing thing, endpoint by endpoint.

In bodies, queries and paths `$child` is the thing asked about: own, foreign or missing in turn. `=group` is
always one's own. A path's `{child_id}` is `$child` unless the case says which thing it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from access.worlds import Variant, Who

EMPTY: Final = 0
"""Answered 200, with a list that has nothing in it."""

Outcome = Mapping[Variant, int]
ByRole = Mapping[Who, Outcome]


def own(status: int = 200) -> Outcome:
    """One's own, and nothing else."""
    return {"own": status, "foreign": 404, "missing": 404}


def any_of_them(status: int = 200) -> Outcome:
    """Whosever it is."""
    return {"own": status, "foreign": status, "missing": 404}


def always(status: int) -> Outcome:
    """Whatever is asked about, even if there is no such thing."""
    return {"own": status, "foreign": status, "missing": status}


def listed() -> Outcome:
    """A list of one's own, and an empty one of everything else."""
    return {"own": 200, "foreign": EMPTY, "missing": EMPTY}


def listed_of_any() -> Outcome:
    """A list of whosever it is, and an empty one of what is not there."""
    return {"own": 200, "foreign": 200, "missing": EMPTY}


@dataclass(frozen=True, slots=True)
class Case:
    """One endpoint: what each role gets, all others, and what is sent."""

    by_role: ByRole = field(default_factory=dict)
    others: Outcome = field(default_factory=lambda: always(403))
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    """Which thing a parameter of the path means, if its name does not say it."""
    without_token: bool = False
    """Whether the whole world may ask."""
    lists: str | None = None
    """What a list shows that is asked without any id: own and foreign are then looked for in one answer."""

    def outcome(self, who: Who) -> Outcome:
        """What this person gets."""
        return self.by_role.get(who, self.others)


def public(**more: Any) -> Case:  # noqa: ANN401 - whatever a case takes
    """For everybody who is signed in."""
    return Case(others=any_of_them(), **more)


def for_everyone(**more: Any) -> Case:  # noqa: ANN401 - whatever a case takes
    """About who is signed in, whoever that is."""
    return Case(others=always(200), **more)


REJECTION: Final = {"reason": "Жоқ"}
NOT_FOUND: Final = always(404)
WATCHED: Final[ByRole] = {"administrator": any_of_them(), "auditor": any_of_them()}
"""Administrators and auditors see all of them."""
