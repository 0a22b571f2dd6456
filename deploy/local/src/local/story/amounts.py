"""The amounts that the story expects, in tiyn. Done by hand; `test_story` computes them from the calendar.

Robotics meets on Mondays, Wednesdays and Fridays: 13 lessons in September 2026, 12 in October (the 26th is a
day off). A month costs price × covered ÷ planned, rounded down.
"""

ROBOTICS_SEPTEMBER = 1_442_307
"""From Wednesday the 9th: 10 of 13 lessons."""
FROM_DISTRICT = 1_200_000
FROM_FOUNDATION = 242_307

THEATER_SEPTEMBER = 1_400_000
"""From Tuesday the 8th: 7 of 9 lessons."""
THEATER_MISSING = 153_842
"""Besides what the district allotted, and what the foundation has left after six children in robotics."""

KEPT_OF_ENDED = 288_461
"""Of a place in robotics from the 9th that ends on the 14th: 2 of 13 lessons."""

ROBOTICS_AFTER_OFFER = 1_153_846
"""From Monday the 14th: 8 of 13 lessons, all from the district."""

AUTUMN_FOR_ALL = 717_600_000
"""October and November of the district's monthly amount, for all children but the last."""
AUTUMN_SHORT = 2_000_000
"""What the district's fund lacks for the last child."""

ROBOTICS_OCTOBER = 1_875_000
OCTOBER_MISSING = 1_586_535
"""Less what the foundation has by now: the rest of its deposit, and its share of the place that ended."""

SECOND_DEPOSIT = 2_000_000
"""What the foundation pays in when it hears of it: 20,000 tenge."""
