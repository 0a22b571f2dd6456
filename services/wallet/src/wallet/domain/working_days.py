"""The working days of Kazakhstan, and the day on which a month's money is due."""

from datetime import date, timedelta

import holidays

from shared import clock

_CALENDAR = holidays.country_holidays("KZ")


def is_working_day(day: date) -> bool:
    """Neither a weekend nor a day off; a Saturday that is worked instead of another day is one."""
    return _CALENDAR.is_working_day(day)


def next_working_day(day: date) -> date:
    """This day, or the first working day after it."""
    while not is_working_day(day):
        day += timedelta(days=1)
    return day


def due_day(month: str, day_of_month: int, created_on: date) -> date:
    """When what is owed for a service month falls due: on this day of the month after it.

    What is created later falls due on the same day of a later month. A day off moves it forward.
    """
    while True:
        month = clock.next_month(month)
        due = next_working_day(clock.first_day(month).replace(day=day_of_month))
        if due >= created_on:
            return due
