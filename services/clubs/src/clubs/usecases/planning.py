"""The dated lessons of a group's months: planned ahead of time, and as far ahead as a seat begins.

When a group is planned, and what closing takes out of a plan, is the matter of `groups`.
"""

from collections.abc import Iterable
from datetime import date

from clubs.domain.groups import Group, meetings, months_to_plan
from clubs.repository import groups as repository
from clubs.repository.groups import Lesson, Month
from shared import outbox
from shared.database import Transaction, new_id
from shared.events import clubs as events


async def plan_from(tx: Transaction, group: Group, since: date) -> None:
    """Plan the months of a locked group from this day on, as far as they are planned on such a day."""
    await plan(tx, group, months_to_plan(group, today=since))


async def plan(tx: Transaction, group: Group, months: Iterable[str]) -> None:
    """Plan those of these months of a locked group that are not planned yet."""
    planned = await repository.planned_months(tx, group.id)
    plans = [
        Month(group.id, month, 1, tuple(Lesson(new_id(), meeting) for meeting in meetings(group, month)))
        for month in months
        if month not in planned
    ]
    if plans:
        await repository.add_months(tx, plans)
    for one in plans:
        outbox.publish(tx, describe_month(one))


def describe_month(month: Month) -> events.GroupMonthPlanned:
    """The plan of a month, as others project it.

    A month that the group's closing cuts is told whole: its price is for all its lessons, and the group's
    last day says which of them are left. Where none is left, there is nothing to ask money for.
    """
    return events.GroupMonthPlanned(
        group_id=month.group_id,
        month=month.month,
        version=month.version,
        lessons=tuple(
            events.DatedLesson(
                lesson_id=lesson.id,
                on=lesson.meeting.on,
                starts_at=lesson.meeting.starts_at,
                ends_at=lesson.meeting.ends_at,
            )
            for lesson in (month.lessons if month.left else ())
        ),
    )
