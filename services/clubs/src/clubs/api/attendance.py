"""A child's month, lesson by lesson: who says what. What is paid for it is told by wallet."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from clubs.domain.lessons import Source
from clubs.domain.sheets import Facts, Outcome, Sheet
from clubs.usecases import sheets as usecases
from shared.events.envelope import Month
from shared.http import Listing, Router, Signed, Tx
from shared.http.problems import Defect, RefusedError

router = Router()


class MarkView(BaseModel):
    """The latest word of somebody: who they are is told by their role only."""

    source: Source
    present: bool
    at: datetime


class AttendedView(BaseModel):
    """What is known about the child at one lesson."""

    lesson_id: UUID
    on: date
    starts_at: datetime
    took_place: bool
    marks: list[MarkView]
    excused: Annotated[bool, Field(description="An absence that the provider accepted covers the day")]
    disputed: Annotated[bool, Field(description="A guardian says that it was not so; nobody has decided yet")]
    decided: Annotated[Outcome | None, Field(description="How a dispute about it was decided")]
    case_id: Annotated[UUID | None, Field(description="The dispute that is open or decided")]


class AttendanceView(BaseModel):
    """One enrollment's month."""

    enrollment_id: UUID
    child_id: UUID
    group_id: UUID
    provider_id: UUID
    month: str
    revision: Annotated[int | None, Field(description="Of its sheet; null while the month is open")]
    open_until: Annotated[datetime, Field(description="When the windows to mark and to confirm are over")]
    lessons: list[AttendedView]


@router.get("/v1/attendance", tags=["lessons"])
async def read_attendance(
    month: Month,
    tx: Tx,
    principal: Signed,
    child_id: UUID | None = None,
    enrollment_id: UUID | None = None,
) -> Listing[AttendanceView]:
    """A month of a child, or of one enrollment, with what is still to come.

    For the child's guardians, the provider's director, administrators, auditors.
    """
    if (child_id is None) == (enrollment_id is None):
        defect = Defect(place="query", pointer="/child_id", code="one_of_two")
        raise RefusedError(422, "content_invalid", defects=[defect])
    found = await usecases.read_attendance(
        tx, principal, month, child_id=child_id, enrollment_id=enrollment_id
    )
    return Listing(items=[_view(sheet, revision) for sheet, revision in found])


def _view(sheet: Sheet, revision: int | None) -> AttendanceView:
    return AttendanceView(
        enrollment_id=sheet.seat.enrollment_id,
        child_id=sheet.seat.child_id,
        group_id=sheet.group_id,
        provider_id=sheet.provider_id,
        month=sheet.month,
        revision=revision,
        open_until=sheet.guardians_until,
        lessons=[_attended(facts) for facts in sheet.facts],
    )


def _attended(facts: Facts) -> AttendedView:
    dispute = facts.dispute
    return AttendedView(
        lesson_id=facts.lesson.id,
        on=facts.lesson.on,
        starts_at=facts.lesson.starts_at,
        took_place=facts.took_place,
        marks=[MarkView(source=mark.source, present=mark.present, at=mark.at) for mark in facts.marks],
        excused=facts.excused,
        disputed=dispute is not None and dispute.outcome is None,
        decided=dispute.outcome if dispute else None,
        case_id=dispute.dispute_id if dispute else None,
    )
