"""What happened at the lessons of the story, as data: who came when, and what went otherwise than planned.

Steps play it, `test_story_money` computes from it what everything must cost. Days are civil days of 2026.
"""

from dataclasses import dataclass
from datetime import date

from local.seeds import district

DIRECTIONS = ("robotics", "dombyra", "football", "chess", "drawing")
"""The groups whose lessons are told."""

LEAVER, SUCCESSOR = 2, 3
"""The child that leaves robotics, and the one that gets its seat."""
LEAVING_DAY = date(2026, 9, 14)
_FIRST_DAY = date.fromisoformat(district.FIRST_DAY)


@dataclass(frozen=True, slots=True)
class Member:
    """A child of a group, by number, for the days [since, before)."""

    number: int
    since: date = _FIRST_DAY
    before: date = date.max


def members(direction: str) -> tuple[Member, ...]:
    """Everybody who has a seat in the group at any time of the story, those of the seeds first."""
    seeded = [Member(number) for number, group in district.ENROLLED if group.direction == direction]
    if direction != "robotics":
        return tuple(seeded)
    leaver = Member(LEAVER, before=LEAVING_DAY)
    return (*seeded, Member(district.NEWCOMER), leaver, Member(SUCCESSOR, since=LEAVING_DAY))


ILL, ILL_FROM, ILL_TO = 101, date(2026, 9, 15), date(2026, 9, 17)
"""A child of the dombyra group; the absence is excused, and is not paid."""

STAYED_AWAY, AWAY_ON = 111, date(2026, 9, 24)
"""A child of the chess group that did not come, without a word."""

MISTAKEN, MISTAKEN_ON = 106, date(2026, 9, 22)
"""A child of the football group that the coach first marked absent, by mistake."""

NOT_THERE, NOT_THERE_ON = 116, date(2026, 9, 19)
"""A child of the drawing group whose guardian says, before the sheet is closed: this is not us."""

DOUBTED, DOUBTED_ON = 6, date(2026, 9, 25)
"""A child of the robotics group whose guardian says so when the month is charged already."""


def was_there(number: int, day: date) -> bool:
    """Whether the coach saw the child, as far as the coach is right in the end."""
    ill = number == ILL and ILL_FROM <= day <= ILL_TO
    return not ill and (number, day) != (STAYED_AWAY, AWAY_ON)
