"""What a child may be paid for, and which roles people hold over a region or a program."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a program may pay for a child; `until` is the last day, a coefficient of 100 is the plain rate."""

    id: UUID
    child_id: UUID
    program_id: UUID
    starts_on: date
    until: date
    coefficient_percent: int
    version: int


@dataclass(frozen=True, slots=True)
class PersonalGrant:
    """A role of a person over a region or a program."""

    id: UUID
    person_id: UUID
    role: Literal["administrator", "auditor"]
    scope_kind: Literal["region", "program"]
    scope_id: UUID
    version: int
    ended: bool
