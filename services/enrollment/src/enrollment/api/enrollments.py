"""Enrolling a child, seeing what became of it, taking it back, ending it."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from enrollment import repository
from enrollment.domain.enrollment import Enrollment, MonthState, State
from enrollment.usecases import enrolling
from shared import audit
from shared.database import Transaction
from shared.errors import InvalidError, NotFoundError
from shared.http import Body, Day, Language, Listing, PageQuery, Router, Signed, Text, Tx, WaitQuery
from shared.http.wiring import wiring_of
from shared.security import Principal

router = Router()


class Reason(BaseModel):
    """Why it came to nothing, or why it ends."""

    code: Annotated[str, Field(description="Stable", examples=["no_money"])]
    text: Annotated[str, Field(description="In the language of Accept-Language")]
    action: Annotated[str, Field(description="What can be done, in the same language")]
    missing_tiyn: Annotated[int | None, Field(description="How much money there was too little")] = None


class OfferView(BaseModel):
    """A seat that became free; accepted at clubs."""

    id: UUID
    until: datetime


class MonthView(BaseModel):
    """The money of one civil month."""

    month: Annotated[str, Field(examples=["2026-09"])]
    state: Annotated[MonthState, Field(description="charged: it is over; what it cost, the wallet knows")]
    attempt: int
    reason: Reason | None
    grace_ends_on: Annotated[date | None, Field(description="Last day for money to come, if unfunded")]


class EnrollmentView(BaseModel):
    """A child in a group, or on the way there."""

    id: UUID
    child_id: UUID
    group_id: UUID
    state: State
    version: int
    starts_on: Annotated[date, Field(description="Wished for, until there is a seat; then the seat's day")]
    ends_on: Annotated[date | None, Field(description="First day without the child")]
    reason: Reason | None
    place: Annotated[int | None, Field(description="In the queue, when it was joined; 1 is next")]
    offer: OfferView | None
    months: list[MonthView]


Explain = Callable[[str | None, int | None], Reason | None]


async def _explaining(request: Request, language: Language) -> Explain:
    """How to say a code in the reader's language; a code of a newer service is said to be another reason."""
    texts = wiring_of(request.scope).texts

    def explain(code: str | None, missing_tiyn: int | None) -> Reason | None:
        if code is None:
            return None
        said = code if texts.translate(language, code) != code else "other_reason"
        return Reason(
            code=code,
            text=texts.translate(language, said),
            action=texts.translate(language, f"{said}.action"),
            missing_tiyn=missing_tiyn,
        )

    return explain


Explained = Annotated[Explain, Depends(_explaining)]


def view(enrollment: Enrollment, explain: Explain) -> EnrollmentView:
    """An enrollment as the API shows it."""
    offer = None
    if enrollment.offer_id is not None and enrollment.offer_until is not None:
        offer = OfferView(id=enrollment.offer_id, until=enrollment.offer_until)
    return EnrollmentView(
        id=enrollment.id,
        child_id=enrollment.child_id,
        group_id=enrollment.group_id,
        state=enrollment.state,
        version=enrollment.version,
        starts_on=enrollment.starts_on,
        ends_on=enrollment.ends_on,
        reason=explain(enrollment.code, enrollment.missing_tiyn),
        place=enrollment.place,
        offer=offer,
        months=[
            MonthView(
                month=month.month,
                state=month.state,
                attempt=month.attempt,
                reason=explain(month.code, month.missing_tiyn),
                grace_ends_on=month.grace_ends_on,
            )
            for month in enrollment.months
        ],
    )


class NewEnrollment(Body):
    """Which child, in which group, from which day."""

    child_id: UUID
    group_id: UUID
    starts_on: Day


class NewEnd(Body):
    """From which day the child is no longer there, and why."""

    on: Day
    reason: Text


@router.post("/v1/enrollments", status_code=201, tags=["enrollments"])
async def enroll(
    body: NewEnrollment, tx: Tx, principal: Signed, response: Response, explain: Explained
) -> EnrollmentView:
    """Enroll a child: a seat is asked for first, then the money of the first month."""
    enrollment = await enrolling.enroll(
        tx, principal, child_id=body.child_id, group_id=body.group_id, starts_on=body.starts_on
    )
    response.headers["Location"] = f"/v1/enrollments/{enrollment.id}"
    return view(enrollment, explain)


@router.get("/v1/enrollments", tags=["enrollments"])
async def list_enrollments(
    *,
    tx: Tx,
    principal: Signed,
    page: PageQuery,
    explain: Explained,
    child_id: Annotated[UUID | None, Query()] = None,
    group_id: Annotated[UUID | None, Query()] = None,
) -> Listing[EnrollmentView]:
    """Enrollments of a child or in a group, the newest first, as far as you may see them."""
    if child_id is None and group_id is None:
        raise InvalidError("child_or_group_required")
    rows = await repository.enrollments.latest(
        tx,
        principal,
        child_id=child_id,
        group_id=group_id,
        limit=page.limit + 1,
        before=UUID(str(page.after[0])) if page.after else None,
    )
    return page.listing(rows, key=lambda row: (str(row.id),), view=lambda row: view(row, explain))


@router.get("/v1/enrollments/{enrollment_id}", tags=["enrollments"])
async def read_enrollment(enrollment_id: UUID, wait: WaitQuery, explain: Explained) -> EnrollmentView:
    """One enrollment with its months; with `wait`, as soon as it is newer than `version`."""

    async def read(tx: Transaction, principal: Principal) -> EnrollmentView:
        found = await repository.enrollments.find(tx, principal, enrollment_id)
        if found is None:
            raise NotFoundError
        return view(found, explain)

    return await wait.newer(enrollment_id, read)


@router.post("/v1/enrollments/{enrollment_id}/cancel", tags=["enrollments"])
async def cancel_enrollment(
    enrollment_id: UUID, tx: Tx, principal: Signed, explain: Explained
) -> EnrollmentView:
    """Take it back before it is confirmed; once it is, end it instead."""
    return view(await enrolling.cancel(tx, principal, enrollment_id), explain)


@router.post("/v1/enrollments/{enrollment_id}/end", tags=["enrollments"])
async def end_enrollment(
    enrollment_id: UUID, body: NewEnd, tx: Tx, principal: Signed, explain: Explained
) -> EnrollmentView:
    """End it on a day, today or later. A second end may only be earlier."""
    ended = await enrolling.end(tx, principal, enrollment_id, body.on)
    await audit.record(tx, principal, "end", "enrollment", enrollment_id, reason=body.reason)
    return view(ended, explain)
