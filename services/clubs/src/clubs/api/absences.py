"""Absences: announced by guardians, accepted by providers."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from clubs.domain.absences import Absence
from clubs.usecases import absences as usecases
from shared.http import Body, Day, Listing, PageQuery, Router, Signed, Tx

router = Router()


class NewAbsence(Body):
    """The child will not come, or did not, on these days."""

    child_id: UUID
    since: Annotated[Day, Field(alias="from", description="First day")]
    until: Annotated[Day, Field(alias="to", description="Last day", examples=["2026-09-18"])]


class AbsenceView(BaseModel):
    """An absence at one provider."""

    id: UUID
    child_id: UUID
    provider_id: UUID
    since: Annotated[date, Field(serialization_alias="from")]
    until: Annotated[date, Field(serialization_alias="to")]
    announced_at: datetime
    accepted_at: datetime | None


@router.post("/v1/absences", status_code=201, tags=["lessons"])
async def announce_absence(body: NewAbsence, tx: Tx, principal: Signed) -> Listing[AbsenceView]:
    """Announce up to 31 days, to each provider where the child has a seat. For the child's guardians."""
    announced = await usecases.announce(
        tx, principal, child_id=body.child_id, since=body.since, until=body.until
    )
    return Listing(items=[_view(absence) for absence in announced])


@router.get("/v1/absences", tags=["lessons"])
async def find_absences(tx: Tx, principal: Signed, page: PageQuery) -> Listing[AbsenceView]:
    """Absences of one's children, and at one's provider, the newest first. For guardians and directors."""
    before = UUID(str(page.after[0])) if page.after else None
    found = await usecases.find(tx, principal, before=before, limit=page.limit + 1)
    return page.listing(found, key=lambda absence: (str(absence.id),), view=_view)


@router.post("/v1/absences/{absence_id}/accept", tags=["lessons"])
async def accept_absence(absence_id: UUID, tx: Tx, principal: Signed) -> AbsenceView:
    """Accept it before the month is closed: its lessons are excused. For the provider's director."""
    return _view(await usecases.accept(tx, principal, absence_id))


def _view(absence: Absence) -> AbsenceView:
    return AbsenceView(
        id=absence.id,
        child_id=absence.child_id,
        provider_id=absence.provider_id,
        since=absence.since,
        until=absence.until,
        announced_at=absence.asked_at,
        accepted_at=absence.accepted_at,
    )
