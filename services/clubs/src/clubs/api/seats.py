"""Seats as people see them: rosters, queues, one's own seat, and answers to offers."""

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from clubs.domain.places import State, Turn
from clubs.repository.seats import Standing
from clubs.usecases import seats as usecases
from shared.database import Transaction
from shared.http import Key, Listing, PageQuery, Router, Signed, Tx, WaitQuery
from shared.security import Principal

router = Router()


class OfferView(BaseModel):
    """A seat kept for the child until somebody accepts, or time is over."""

    id: UUID
    until: datetime


class SeatView(BaseModel):
    """What an enrollment has in a group, or had."""

    enrollment_id: UUID
    version: int
    group_id: UUID
    child_id: UUID
    state: Annotated[State, Field(examples=["waiting"])]
    starts_on: Annotated[date | None, Field(description="First day of the seat, had or offered")] = None
    ends_on: Annotated[date | None, Field(description="Last day of the seat")] = None
    place: Annotated[int | None, Field(description="In the queue, now; 1 is next", examples=[1])] = None
    offer: Annotated[OfferView | None, Field(description="While it is open")] = None
    code: Annotated[str | None, Field(description="Why it is over")] = None


@router.get("/v1/groups/{group_id}/roster", tags=["seats"])
async def read_roster(group_id: UUID, tx: Tx, principal: Signed, page: PageQuery) -> Listing[SeatView]:
    """Who has a seat today or later, or is offered one. For its provider, administrators, auditors."""
    after = UUID(str(page.after[0])) if page.after else None
    found = await usecases.read_roster(tx, principal, group_id, after=after, limit=page.limit + 1)
    return page.listing(found, key=lambda standing: (str(standing.place.id),), view=_view)


@router.get("/v1/groups/{group_id}/queue", tags=["seats"])
async def read_queue(group_id: UUID, tx: Tx, principal: Signed, page: PageQuery) -> Listing[SeatView]:
    """Who waits for a seat, next ones first. For the group's provider, administrators, auditors."""
    after = _turn(page.after) if page.after else None
    found = await usecases.read_queue(tx, principal, group_id, after=after, limit=page.limit + 1)
    return page.listing(found, key=_key, view=_view)


def _key(standing: Standing) -> Key:
    priority, requested_at, enrollment_id = standing.place.turn
    return priority, requested_at.isoformat(), str(enrollment_id)


def _turn(key: Key) -> Turn:
    priority, requested_at, enrollment_id = key
    return int(priority), datetime.fromisoformat(str(requested_at)), UUID(str(enrollment_id))


@router.get("/v1/seats/{enrollment_id}", tags=["seats"])
async def read_seat(enrollment_id: UUID, wait: WaitQuery) -> SeatView:
    """Seat, offer or place in the queue. For the child's guardians, the group's director, administrators."""

    async def read(tx: Transaction, principal: Principal) -> SeatView:
        return _view(await usecases.read_seat(tx, principal, enrollment_id))

    return await wait.newer(enrollment_id, read)


@router.post("/v1/offers/{offer_id}/accept", tags=["offers"])
async def accept_offer(offer_id: UUID, tx: Tx, principal: Signed) -> SeatView:
    """Take the offered seat. For the child's guardians."""
    return _view(await usecases.accept_offer(tx, principal, offer_id))


@router.post("/v1/offers/{offer_id}/decline", tags=["offers"])
async def decline_offer(offer_id: UUID, tx: Tx, principal: Signed) -> SeatView:
    """Leave the offered seat to the next child. For the child's guardians."""
    return _view(await usecases.decline_offer(tx, principal, offer_id))


def _view(standing: Standing) -> SeatView:
    place = standing.place
    offer = place.offer if place.state == "offered" else None
    return SeatView(
        enrollment_id=place.id,
        version=place.version,
        group_id=standing.group_id,
        child_id=place.request.child_id,
        state=place.state,
        starts_on=place.starts_on,
        ends_on=place.ends_before - timedelta(days=1) if place.days and place.ends_before else None,
        place=standing.number,
        offer=OfferView(id=offer.id, until=offer.until) if offer else None,
        code=place.code,
    )
