"""What clubs are paid in the story, computed again from what happened and the calendar.

Nothing of the services is used: counting by hand, with one rule, price × lessons ÷ planned, rounded down.
"""

import calendar
from datetime import date

import pytest

from local.seeds import district, programs
from local.story import amounts, happened
from local.story.happened import Member

DAYS_OFF = {date(2026, 10, 26)}


def planned(direction: str, month: int) -> list[date]:
    """The days on which the group meets in a month of 2026."""
    days = range(1, calendar.monthrange(2026, month)[1] + 1)
    dates = [date(2026, month, day) for day in days]
    weekdays = district.group(direction).weekdays
    return [day for day in dates if day.isoweekday() in weekdays and day not in DAYS_OFF]


def paid(direction: str, member: Member, month: int, *, but: tuple[date, ...] = ()) -> int:
    """What the member's month costs, if some days do not count besides those on which it was not there."""
    all_days = planned(direction, month)
    counted = [
        day
        for day in all_days
        if member.since <= day < member.before and day not in but and happened.was_there(member.number, day)
    ]
    return district.group(direction).price_tiyn * len(counted) // len(all_days)


def of_district(member: Member, month: int, amount: int) -> int:
    """In September a month was set aside for each child, in October two, for all but the newcomer."""
    monthly = programs.AHEAD.monthly_tiyn or 0
    allotted = {9: monthly, 10: 0 if member.number == district.NEWCOMER else 2 * monthly}[month]
    return min(amount, allotted)


def september(direction: str, *, skip: int = 0) -> list[tuple[Member, int]]:
    """What is captured for each member when the month is charged, but for one."""
    return [
        (member, paid(direction, member, 9, but=_disputed_before(member.number)))
        for member in happened.members(direction)
        if member.number != skip
    ]


def _disputed_before(number: int) -> tuple[date, ...]:
    return (happened.NOT_THERE_ON,) if number == happened.NOT_THERE else ()


def orders(months: dict[str, list[tuple[Member, int]]], month: int) -> tuple[dict[int, int], dict[int, int]]:
    """Per provider: what the district pays, and what the foundation does."""
    by_district: dict[int, int] = {}
    by_foundation: dict[int, int] = {}
    for direction, lines in months.items():
        provider = district.group(direction).provider
        for member, amount in lines:
            part = of_district(member, month, amount)
            by_district[provider] = by_district.get(provider, 0) + part
            by_foundation[provider] = by_foundation.get(provider, 0) + amount - part
    return by_district, {provider: amount for provider, amount in by_foundation.items() if amount}


def first_run() -> tuple[dict[int, int], dict[int, int]]:
    """On 19 October: September, but for the child whose lesson is doubted."""
    lines = {one: september(one, skip=happened.DOUBTED) for one in happened.DIRECTIONS}
    return orders(lines, 9)


def second_run() -> tuple[dict[int, int], dict[int, int]]:
    """On 18 November: October, what bounced, what was decided."""
    lines = {
        one: [
            (member, paid(one, member, 10)) for member in happened.members(one) if member.before == date.max
        ]
        for one in happened.DIRECTIONS
    }
    by_district, by_foundation = orders(lines, 10)
    bounced = district.group("football").provider
    by_district[bounced] += first_run()[0][bounced]
    by_district[district.group("drawing").provider] += amounts.SUPPLEMENT
    left = paid("robotics", Member(happened.DOUBTED), 9, but=(happened.DOUBTED_ON,))
    robotics = district.group("robotics").provider
    by_district[robotics] += of_district(Member(happened.DOUBTED), 9, left)
    by_foundation[robotics] += left - of_district(Member(happened.DOUBTED), 9, left)
    return by_district, by_foundation


def test_a_child_that_left_is_charged_for_the_lessons_before() -> None:
    leaver = next(one for one in happened.members("robotics") if one.number == happened.LEAVER)
    assert paid("robotics", leaver, 9) == amounts.KEPT_OF_ENDED


@pytest.mark.parametrize(
    ("direction", "number", "amount"),
    [
        ("robotics", district.NEWCOMER, amounts.ROBOTICS_SEPTEMBER),
        ("robotics", happened.SUCCESSOR, amounts.ROBOTICS_AFTER_OFFER),
        ("dombyra", happened.ILL, amounts.DOMBYRA_WITH_ILLNESS),
        ("chess", happened.STAYED_AWAY, amounts.CHESS_WITH_ABSENCE),
        ("football", happened.MISTAKEN, amounts.FOOTBALL_SEPTEMBER),
        ("drawing", happened.NOT_THERE, amounts.DRAWING_WITH_DISPUTE),
    ],
)
def test_a_child_costs_the_lessons_that_count(direction: str, number: int, amount: int) -> None:
    costs = [(member.number, cost) for member, cost in september(direction)]
    assert dict(costs)[number] == amount


def test_the_supplement_is_what_the_dispute_held_back() -> None:
    whole = paid("drawing", Member(happened.NOT_THERE), 9)
    assert whole - amounts.DRAWING_WITH_DISPUTE == amounts.SUPPLEMENT > 0


def test_a_lesson_decided_against_lowers_what_the_foundation_pays() -> None:
    left = paid("robotics", Member(happened.DOUBTED), 9, but=(happened.DOUBTED_ON,))
    assert left == amounts.DOUBTED_AFTERWARDS
    assert of_district(Member(happened.DOUBTED), 9, left) == amounts.FROM_DISTRICT


def test_the_orders_of_the_first_run() -> None:
    assert first_run() == (amounts.FIRST_RUN_DISTRICT, amounts.FIRST_RUN_FOUNDATION)


def test_the_orders_of_the_second_run() -> None:
    assert second_run() == (amounts.SECOND_RUN_DISTRICT, amounts.SECOND_RUN_FOUNDATION)


def test_the_foundation_has_novembers_money_for_all_who_lack_it() -> None:
    price, monthly = district.group("robotics").price_tiyn, programs.AHEAD.monthly_tiyn or 0
    without = [one for one in happened.members("robotics") if one.before == date.max]
    lacking = sum(price - (0 if one.number == district.NEWCOMER else 2 * monthly - price) for one in without)
    assert lacking <= amounts.THIRD_DEPOSIT
