"""The amounts of the story, computed again from the seeds and the calendar; nothing of the wallet is used.

The story itself checks what the system answers against the same amounts, each time it is played.
"""

import calendar
from datetime import date

from local import story
from local.population import CHILDREN
from local.seeds import district, programs
from local.seeds.district import Group
from local.story import amounts, later
from local.story.joining import FIRST_TUESDAY
from local.story.stage import tenge

DAYS_OFF = {date(2026, 10, 26)}
"""Republic Day, the 25th, is a Sunday: its day off is the Monday after it."""
ROBOTICS, THEATER = district.group("robotics"), district.group("theater")


def lessons(group: Group, month: int) -> list[date]:
    """The days on which a group meets in a month of 2026."""
    days = range(1, calendar.monthrange(2026, month)[1] + 1)
    dates = [date(2026, month, day) for day in days]
    return [day for day in dates if day.isoweekday() in group.weekdays and day not in DAYS_OFF]


def cost(group: Group, month: int, *, since: str = "2026-01-01", before: str = "2027-01-01") -> int:
    """The share of the month's price, rounded down to the tiyn."""
    planned = lessons(group, month)
    covered = [day for day in planned if since <= day.isoformat() < before]
    return group.price_tiyn * len(covered) // len(planned)


def shares(amount: int) -> tuple[int, int]:
    """Of the district, which has set a month aside for the child, and of the foundation."""
    district_pays = min(amount, programs.AHEAD.monthly_tiyn or 0)
    return district_pays, amount - district_pays


def left_to_foundation() -> int:
    """Of its first deposit, once the seeds, the newcomer and the next child are in."""
    enrolled = [group for _, group in district.ENROLLED] + [ROBOTICS, ROBOTICS]
    spent = sum(shares(cost(group, 9, since=district.FIRST_DAY))[1] for group in enrolled)
    return programs.ON_HOLD.deposit_tiyn - spent


def test_robotics_costs_its_part_of_september_and_two_funds_pay() -> None:
    assert (len(lessons(ROBOTICS, 9)), len(lessons(ROBOTICS, 10))) == (13, 12)
    assert cost(ROBOTICS, 9, since=district.FIRST_DAY) == amounts.ROBOTICS_SEPTEMBER
    assert shares(amounts.ROBOTICS_SEPTEMBER) == (amounts.FROM_DISTRICT, amounts.FROM_FOUNDATION)


def test_the_second_child_gets_the_last_seat() -> None:
    already = sum(group is ROBOTICS for _, group in district.ENROLLED)
    assert already + 2 == ROBOTICS.capacity


def test_the_fourth_child_is_declined_for_what_no_fund_has() -> None:
    assert cost(THEATER, 9, since=FIRST_TUESDAY) == amounts.THEATER_SEPTEMBER
    wanted_of_foundation = shares(amounts.THEATER_SEPTEMBER)[1]
    assert wanted_of_foundation - left_to_foundation() == amounts.THEATER_MISSING > 0


def test_what_is_kept_of_an_ended_place_are_the_lessons_before() -> None:
    kept = cost(ROBOTICS, 9, since=district.FIRST_DAY, before=later.LEAVING_DAY)
    assert kept == amounts.KEPT_OF_ENDED


def test_the_offered_seat_costs_the_lessons_after_and_the_district_pays_all() -> None:
    amount = cost(ROBOTICS, 9, since=later.LEAVING_DAY)
    assert amount == amounts.ROBOTICS_AFTER_OFFER
    assert shares(amount) == (amount, 0)


def test_the_autumn_run_suffices_for_all_children_but_one() -> None:
    monthly = programs.AHEAD.monthly_tiyn or 0
    free = programs.AHEAD.deposit_tiyn - monthly * len(CHILDREN)
    reached = free // (2 * monthly)  # October and November
    assert reached == len(CHILDREN) - 1
    assert reached * 2 * monthly == amounts.AUTUMN_FOR_ALL
    assert 2 * monthly - (free - amounts.AUTUMN_FOR_ALL) == amounts.AUTUMN_SHORT


def test_octobers_money_suffices_for_every_group_of_an_enrolled_child() -> None:
    monthly = programs.AHEAD.monthly_tiyn or 0
    assert all(cost(group, 10) <= 2 * monthly for _, group in district.ENROLLED)


def test_the_newcomers_october_lacks_what_the_foundation_does_not_have_and_then_gets_it() -> None:
    given_back = shares(amounts.ROBOTICS_SEPTEMBER)[1] - shares(amounts.KEPT_OF_ENDED)[1]
    has = left_to_foundation() + given_back
    assert cost(ROBOTICS, 10) == amounts.ROBOTICS_OCTOBER
    assert amounts.ROBOTICS_OCTOBER - has == amounts.OCTOBER_MISSING > 0
    assert amounts.SECOND_DEPOSIT >= amounts.OCTOBER_MISSING
    received = programs.ON_HOLD.deposit_tiyn + amounts.SECOND_DEPOSIT
    assert received <= programs.ON_HOLD.budget_tiyn


def test_a_second_guardian_is_no_guardian_of_the_newcomer() -> None:
    assert CHILDREN[district.NEWCOMER - 1].guardians == (f"guardian-{district.NEWCOMER}",)


def test_every_step_says_in_one_sentence_what_happens() -> None:
    assert all((step.__doc__ or "").strip().endswith(".") for step in story.STEPS)
    assert len(set(story.STEPS)) == len(story.STEPS)


def test_money_is_written_with_its_tiyn() -> None:
    assert tenge(144_230_705) == "1\u202f442\u202f307.05\u202f₸"
    assert tenge(5) == "0.05\u202f₸"
