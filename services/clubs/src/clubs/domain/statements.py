"""The monthly statement that a provider signs: a list of sheets. Later sheets come on supplements.

There is at most one unsigned statement of a provider and month, and every new sheet is put on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.errors import ConflictError

State = Literal["open", "ready", "signed"]


class StatementSignedError(ConflictError):
    """What is signed is signed; later sheets are on a supplement."""

    code = "statement_signed"


class StatementOpenError(ConflictError):
    """The windows of the month are not over: sheets are still to come."""

    code = "statement_open"


class StatementChangedError(ConflictError):
    """It is no longer what the director saw."""

    code = "statement_changed"


@dataclass(frozen=True, slots=True)
class Statement:
    """`number` 1 is the month's statement, later ones are supplements. Each change is a new version."""

    id: UUID
    version: int
    provider_id: UUID
    month: str
    number: int
    state: State
    signed_by: UUID | None
    signed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One sheet on a statement."""

    enrollment_id: UUID
    revision: int
    digest: str


def check_signing(statement: Statement, *, version: int) -> None:
    """A director signs once, when all is there, and what they saw."""
    if statement.state == "signed":
        raise StatementSignedError
    if statement.state == "open":
        raise StatementOpenError
    if statement.version != version:
        raise StatementChangedError


def in_parts(lines: Sequence[Line], size: int) -> Iterator[tuple[int, Sequence[Line]]]:
    """The lines in numbered parts of at most so many."""
    for number, start in enumerate(range(0, len(lines), size), 1):
        yield number, lines[start : start + size]
