"""What is said of lessons: reports of coaches and devices, confirmations of guardians, corrections."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from clubs.domain.lessons import ChildWithoutSeatError, HeldLesson, MonthClosedError, ReportInvalidError, Said
from clubs.usecases import corrections
from clubs.usecases import lessons as usecases
from clubs.usecases.corrections import Correction
from shared.http import Body, Router, Signed, Text, Tx
from shared.http.approving import ProposalView
from shared.http.problems import Defect, RefusedError

CHILDREN_MAX = 1000
"""As many as a group can have."""

router = Router()


class ChildSaid(Body):
    """What is said of one child."""

    child_id: UUID
    present: Annotated[bool, Field(strict=True)]


class CoachReport(Body):
    """What a coach says of a lesson: all children of the group at once, or those left out before."""

    took_place: Annotated[bool, Field(strict=True, description="If not, without children")] = True
    children: Annotated[tuple[ChildSaid, ...], Field(max_length=CHILDREN_MAX)] = ()


class DeviceReport(Body):
    """What a device saw."""

    children: Annotated[tuple[ChildSaid, ...], Field(min_length=1, max_length=CHILDREN_MAX)]


class Confirmation(Body):
    """The guardian's child was there."""

    child_id: UUID


class CorrectionContent(Body):
    """What should be on a sheet that is closed, and why."""

    child_id: UUID
    present: Annotated[bool, Field(strict=True)]
    reason: Text


class HeldView(BaseModel):
    """A lesson, after what was said of it."""

    lesson_id: UUID
    group_id: UUID
    month: str
    took_place: Annotated[bool, Field(description="By the coaches' latest report, else by devices")]


@router.post("/v1/lessons/{lesson_id}/marks", status_code=201, tags=["lessons"])
async def mark_lesson(lesson_id: UUID, body: CoachReport, tx: Tx, principal: Signed) -> HeldView:
    """Report a lesson of the group: who was there, or that there was none. For coaches of the provider.

    The latest word of each coach about a child holds, until the month is closed.
    """
    with _naming_the_child():
        lesson = await usecases.report(
            tx,
            principal,
            lesson_id,
            source="coach",
            took_place=body.took_place,
            children=_said(body.children),
        )
    return _view(lesson)


@router.post("/v1/lessons/{lesson_id}/device-marks", status_code=201, tags=["lessons"])
async def add_device_marks(lesson_id: UUID, body: DeviceReport, tx: Tx, principal: Signed) -> HeldView:
    """Report whom a device saw. For devices of the provider."""
    with _naming_the_child():
        lesson = await usecases.report(
            tx,
            principal,
            lesson_id,
            source="device",
            children=_said(body.children),
        )
    return _view(lesson)


@router.post("/v1/lessons/{lesson_id}/confirmations", status_code=201, tags=["lessons"])
async def confirm_lesson(lesson_id: UUID, body: Confirmation, tx: Tx, principal: Signed) -> HeldView:
    """Confirm that the child was there. For its guardians; if it was not, dispute the lesson."""
    return _view(await usecases.confirm(tx, principal, lesson_id, body.child_id))


@router.post("/v1/lessons/{lesson_id}/corrections", status_code=202, tags=["lessons"])
async def propose_correction(
    lesson_id: UUID, body: CorrectionContent, tx: Tx, principal: Signed
) -> ProposalView:
    """Propose what a closed sheet should say; a director of the provider approves. For its coaches."""
    wanted = Correction(lesson_id=lesson_id, child_id=body.child_id, present=body.present, reason=body.reason)
    return ProposalView.model_validate(await corrections.propose_correction(tx, principal, wanted))


@contextmanager
def _naming_the_child() -> Iterator[None]:
    """One bad child refuses the whole report, and is pointed at."""
    try:
        yield
    except (ChildWithoutSeatError, MonthClosedError, ReportInvalidError) as refusal:
        place = refusal.values.get("place")
        if place is None:
            raise
        defect = Defect(place="body", pointer=f"/children/{place}/child_id", code=refusal.stable_code)
        status = 422 if isinstance(refusal, ReportInvalidError) else 409
        raise RefusedError(status, refusal.stable_code, defects=[defect]) from None


def _said(children: Sequence[ChildSaid]) -> list[Said]:
    return [Said(child.child_id, child.present) for child in children]


def _view(lesson: HeldLesson) -> HeldView:
    return HeldView(
        lesson_id=lesson.id, group_id=lesson.group_id, month=lesson.month, took_place=lesson.took_place
    )
