"""When too many of a program have no money, ending them waits for a person."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Review:
    """The verdict on one month of a program, with the figures it was made from."""

    id: UUID
    program_id: UUID
    month: str
    verdict: Literal["end", "wait"]
    unfunded: int
    enrolled: int
    proposal_id: UUID | None = None
    """What an administrator is asked, if it waits."""


def verdict(*, unfunded: int, enrolled: int, declined_percent_max: int) -> Literal["end", "wait"]:
    """Whether they end by themselves: only while not more than this share of the program is unfunded."""
    return "wait" if unfunded * 100 > enrolled * declined_percent_max else "end"
