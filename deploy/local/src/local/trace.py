"""Walking the money on the terminal: a trace of the wallet, with the marks of clubs, as a tree.

The services know nothing of each other; they are joined here, by what an auditor may read of each. What the
tree looks like is told in `local.walk`.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx
from rich.tree import Tree

from local import client, walk
from local.client import Answer, Person
from local.errors import LocalError
from local.layout import Layout
from local.walk import Joined, Month

_AUDITOR = "auditor-1"
_PAGE = 100


class Kind(StrEnum):
    """What a trace can begin with."""

    PAYOUT = "payout"
    ENROLLMENT = "enrollment"
    FUND = "fund"


_LONG = {Kind.PAYOUT: "items", Kind.ENROLLMENT: "months", Kind.FUND: "payouts"}
"""Of which list a trace has pages."""
_TREES = {Kind.PAYOUT: walk.payout, Kind.ENROLLMENT: walk.enrollment, Kind.FUND: walk.fund}


async def walk_from(system: Layout, kind: Kind, text: str, *, lines: int) -> Tree:
    """The trace that begins with this id; at most so many lines of its long list."""
    try:
        id_ = UUID(text)
    except ValueError:
        raise LocalError(f"{text!r} is no id; copy one from the story or from another trace") from None
    try:
        async with client.opened(system) as people:
            auditor = people.person(_AUDITOR)
            trace = await _read(auditor, kind, id_, lines)
            return _TREES[kind](trace, await _join(auditor, trace))
    except httpx.HTTPError as error:
        raise LocalError(f"the system does not answer ({type(error).__name__}); is it up?") from error


async def _read(auditor: Person, kind: Kind, id_: UUID, lines: int) -> dict[str, Any]:
    """As many pages as it takes. `next` of what comes back tells whether there would be more."""
    address, long = f"wallet/v1/trace/{kind}s/{id_}", _LONG[kind]
    answer = await auditor.ask("GET", address, limit=min(lines, _PAGE))
    if answer.status == httpx.codes.NOT_FOUND:
        raise LocalError(f"there is no {kind} {id_}; there are traces of {', '.join(Kind)}")
    trace = _content(answer)
    while trace["next"] and len(trace[long]) < lines:
        left = min(lines - len(trace[long]), _PAGE)
        page = _content(await auditor.ask("GET", address, limit=left, cursor=trace["next"]))
        trace[long] += page[long]
        trace["next"] = page["next"]
    return trace


def _content(answer: Answer) -> dict[str, Any]:
    if answer.status != httpx.codes.OK:
        raise LocalError(f"{_AUDITOR} was refused: {answer.status} {answer.code}")
    return answer.content


async def _join(auditor: Person, trace: dict[str, Any]) -> Joined:
    """What other services know of the providers, groups and months that the trace names."""
    joined = Joined()
    of = {
        "providers": (joined.providers, _mentioned(trace, "provider_id")),
        "groups": (joined.groups, _mentioned(trace, "group_id")),
    }

    async def learn_name(wanted: tuple[str, str]) -> None:
        things, id_ = wanted
        answer = await auditor.ask("GET", f"clubs/v1/{things}/{id_}")
        if answer.status == httpx.codes.OK:
            of[things][0][id_] = answer.content["name"]["en"]

    async def learn_lessons(month: Month) -> None:
        asked = {"enrollment_id": month.enrollment_id, "month": month.month}
        answer = await auditor.ask("GET", "clubs/v1/attendance", None, **asked)
        for sheet in answer.content["items"] if answer.status == httpx.codes.OK else ():
            for lesson in sheet["lessons"]:
                joined.lessons[lesson["lesson_id"], sheet["enrollment_id"]] = lesson

    wanted = [(things, id_) for things, (_, ids) in of.items() for id_ in sorted(ids)]
    await client.for_each(wanted, learn_name)
    await client.for_each(sorted(walk.charged_months(trace)), learn_lessons)
    return joined


def _mentioned(part: object, name: str) -> set[str]:
    """Every id of this name, wherever it stands in the trace."""
    if isinstance(part, list):
        return set[str]().union(*(_mentioned(one, name) for one in part))
    if not isinstance(part, dict):
        return set()
    own = {str(part[name])} if part.get(name) else set[str]()
    return own.union(*(_mentioned(one, name) for one in part.values()))
