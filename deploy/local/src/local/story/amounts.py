"""The amounts that the story expects, in tiyn. Done by hand; tests compute them from the calendar.

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

DOMBYRA_WITH_ILLNESS = 533_333
"""4 of 9 lessons: two of six were excused."""
CHESS_WITH_ABSENCE = 500_000
"""5 of 9 lessons."""
FOOTBALL_SEPTEMBER = 700_000
"""6 of 9 lessons; the mistaken mark was corrected."""
DRAWING_WITH_DISPUTE = 550_000
"""2 of 4 lessons; a third is disputed, and its money stays held."""
SUPPLEMENT = 275_000
"""What comes when it is decided that the third counts."""
DOUBTED_AFTERWARDS = 1_298_076
"""9 of 13 lessons of robotics, instead of 10."""

FIRST_RUN_DISTRICT = {1: 6_242_307, 2: 7_583_333, 3: 3_500_000, 9: 2_900_000}
"""By provider: robotics; dombyra and drawing; football; chess."""
FIRST_RUN_FOUNDATION = {1: 969_228}
SECOND_RUN_DISTRICT = {1: 10_575_000, 2: 11_775_000, 3: 8_750_000, 9: 4_500_000}
SECOND_RUN_FOUNDATION = {1: 1_973_076}

THIRD_DEPOSIT = 10_000_000
"""What the foundation pays in for November: 100,000 tenge."""
