"""Mark a lesson: a coach or a device reports it, a guardian confirms. The source is the caller's grant."""

from collections.abc import Sequence
from uuid import UUID

from clubs.domain.lessons import (
    HeldLesson,
    MonthClosedError,
    Reporter,
    Said,
    Seated,
    check_begun,
    check_children,
    check_report,
)
from clubs.repository import lessons as repository
from shared import outbox
from shared.database import Transaction
from shared.errors import NotFoundError
from shared.events import attendance as events
from shared.security import Principal


async def report(
    tx: Transaction,
    principal: Principal,
    lesson_id: UUID,
    *,
    source: Reporter,
    children: Sequence[Said],
    took_place: bool = True,
) -> HeldLesson:
    """Who was there, as a coach of the provider or a device of it says: all of it, or nothing.

    A coach can say that there was no lesson; a device can only have seen nobody.
    """
    principal.require(source)
    lesson = await _lock(tx, lesson_id, providers=principal.scopes(source))
    check_report(children, took_place=took_place)
    if source == "device":
        took_place = any(said.present for said in children)
    seats = await _seats(tx, lesson, children)
    if not children and lesson.month_closed:
        raise MonthClosedError
    await repository.add_report(
        tx, lesson_id, source=source, person_id=principal.person_id, took_place=took_place
    )
    marked = list(zip(children, seats, strict=True))
    await repository.add_marks(tx, lesson_id, marked, source=source, person_id=principal.person_id)
    after = await _unlocked(tx, lesson_id)
    if after.took_place != lesson.took_place and await repository.is_on_a_sheet(tx, lesson):
        raise MonthClosedError  # of a child that ended earlier: its sheet must not come to say otherwise
    outbox.publish(tx, _marked(lesson, source, marked, took_place=took_place))
    return after


async def confirm(tx: Transaction, principal: Principal, lesson_id: UUID, child_id: UUID) -> HeldLesson:
    """A guardian says that the child was there. Once said, it need not be said again."""
    principal.require("guardian")
    if child_id not in principal.scopes("guardian"):
        raise NotFoundError
    lesson = await _lock(tx, lesson_id, providers=None)
    said = Said(child_id, present=True)
    (seat,) = await _seats(tx, lesson, [said])
    person_id = principal.person_id
    if not await repository.confirmed(tx, lesson_id, seat.enrollment_id, person_id):
        await repository.add_marks(tx, lesson_id, [(said, seat)], source="guardian", person_id=person_id)
    return lesson


async def _lock(tx: Transaction, lesson_id: UUID, *, providers: frozenset[UUID] | None) -> HeldLesson:
    await repository.lock_month_of(tx, lesson_id)
    lesson = await repository.find_lesson(tx, lesson_id, providers=providers)
    if lesson is None:
        raise NotFoundError
    check_begun(lesson, tx.now)
    return lesson


async def _unlocked(tx: Transaction, lesson_id: UUID) -> HeldLesson:
    lesson = await repository.find_lesson(tx, lesson_id)
    if lesson is None:
        raise NotFoundError
    return lesson


async def _seats(tx: Transaction, lesson: HeldLesson, children: Sequence[Said]) -> list[Seated]:
    seated = await repository.seated(tx, lesson, [said.child_id for said in children])
    return check_children(children, seated, month_closed=lesson.month_closed)


def _marked(
    lesson: HeldLesson, source: Reporter, marked: Sequence[tuple[Said, Seated]], *, took_place: bool
) -> events.LessonMarked:
    return events.LessonMarked(
        lesson_id=lesson.id,
        group_id=lesson.group_id,
        on=lesson.on,
        source=source,
        took_place=took_place,
        children=tuple(
            events.ChildMarked(child_id=said.child_id, enrollment_id=seat.enrollment_id, present=said.present)
            for said, seat in marked
        ),
    )
