"""Groups: opening, finding and closing them, and their lessons."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, Field

from clubs.api.providers import NamesView
from clubs.domain.groups import WEEKLY_LESSONS_MAX, Weekly
from clubs.repository.groups import Search, Shown
from clubs.usecases import groups as usecases
from clubs.usecases.groups import NewGroup
from shared.clock import civil_date
from shared.events.envelope import Code, Month
from shared.http import Body, Day, Listing, Name, PageQuery, Router, Signed, Tx, Whole

PRICE_TIYN_MAX = 100_000_000
CAPACITY_MAX = 1000
COACHES_MAX = 10

router = Router()

CivilTime = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["15:00"])]
Age = Annotated[Whole, Field(ge=0, le=18, examples=[7])]


class WeeklyView(Body):
    """A lesson of each week, in civil time."""

    weekday: Annotated[Whole, Field(ge=1, le=7, description="1 is Monday")]
    starts_at: CivilTime
    ends_at: Annotated[CivilTime, Field(examples=["16:30"])]


class GroupContent(Body):
    """What a director says of a group."""

    club_id: UUID
    name: NamesView
    price_tiyn: Annotated[
        Whole, Field(ge=1, le=PRICE_TIYN_MAX, description="For a whole month", examples=[1_500_000])
    ]
    capacity: Annotated[Whole, Field(ge=1, le=CAPACITY_MAX, examples=[12])]
    age_from: Age
    age_to: Annotated[Age, Field(description="Last year of age, inclusive", examples=[11])]
    schedule: Annotated[tuple[WeeklyView, ...], Field(min_length=1, max_length=WEEKLY_LESSONS_MAX)]
    coaches: Annotated[tuple[UUID, ...], Field(max_length=COACHES_MAX)] = ()
    starts_on: Day
    ends_on: Annotated[Day, Field(description="Last day", examples=["2027-05-25"])]


class GroupView(GroupContent):
    """A group."""

    id: UUID
    version: int
    provider_id: UUID
    direction: str
    closed: bool
    free_from: Annotated[
        date | None, Field(description="The first day from which a seat is free to the end; null if none is")
    ]
    waiting: Annotated[int, Field(description="How many children wait for a seat")]


class LessonView(BaseModel):
    """A planned lesson."""

    id: UUID
    on: date
    starts_at: datetime
    ends_at: datetime


class LessonsView(BaseModel):
    """The plan of a group's month."""

    group_id: UUID
    month: str
    version: int
    items: list[LessonView]
    next: None = None


class Closing(Body):
    """From which day on there is no group."""

    on: Day


@router.post("/v1/groups", status_code=201, tags=["groups"])
async def open_group(body: GroupContent, tx: Tx, principal: Signed, response: Response) -> GroupView:
    """Open a group; its lessons are planned for this month and three ahead. For directors of the provider."""
    new = NewGroup(
        club_id=body.club_id,
        name=body.name.name(),
        price_tiyn=body.price_tiyn,
        capacity=body.capacity,
        age_from=body.age_from,
        age_to=body.age_to,
        schedule=tuple(_weekly(weekly) for weekly in body.schedule),
        coaches=body.coaches,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
    )
    group_id = await usecases.open_group(tx, principal, new)
    response.headers["Location"] = f"/v1/groups/{group_id}"
    return _view(await usecases.read_group(tx, group_id))


@router.get("/v1/groups", tags=["groups"])
async def find_groups(  # noqa: PLR0917 - FastAPI hands them over by name
    tx: Tx,
    page: PageQuery,
    provider_id: UUID | None = None,
    direction: Annotated[Code | None, Query(examples=["robotics"])] = None,
    text: Annotated[Name | None, Query(description="Part of a name, in any language")] = None,
    free: Annotated[bool, Query(description="Only those with a free seat")] = False,  # noqa: FBT002 - a query's
) -> Listing[GroupView]:
    """Groups that take children."""
    search = Search(civil_date(tx.now), provider_id, direction, text, free)
    after = UUID(str(page.after[0])) if page.after else None
    found = await usecases.find_groups(tx, search, after=after, limit=page.limit + 1)
    return page.listing(found, key=lambda shown: (str(shown.group.id),), view=_view)


@router.get("/v1/groups/{group_id}", tags=["groups"])
async def read_group(group_id: UUID, tx: Tx) -> GroupView:
    """A group."""
    return _view(await usecases.read_group(tx, group_id))


@router.get("/v1/groups/{group_id}/lessons", tags=["groups"])
async def read_lessons(group_id: Annotated[UUID, Path()], month: Month, tx: Tx) -> LessonsView:
    """The lessons of a civil month. A month that is not planned yet is not found."""
    plan = await usecases.read_lessons(tx, group_id, month)
    items = [
        LessonView(
            id=lesson.id,
            on=lesson.meeting.on,
            starts_at=lesson.meeting.starts_at,
            ends_at=lesson.meeting.ends_at,
        )
        for lesson in plan.lessons
    ]
    return LessonsView(group_id=group_id, month=plan.month, version=plan.version, items=items)


@router.post("/v1/groups/{group_id}/close", tags=["groups"])
async def close_group(group_id: UUID, body: Closing, tx: Tx, principal: Signed) -> GroupView:
    """End a group before a day: its seats end, its queue is refused. For directors of the provider."""
    await usecases.close_group(tx, principal, group_id, body.on)
    return _view(await usecases.read_group(tx, group_id))


def _weekly(view: WeeklyView) -> Weekly:
    return Weekly(view.weekday, time.fromisoformat(view.starts_at), time.fromisoformat(view.ends_at))


def _view(shown: Shown) -> GroupView:
    group = shown.group
    return GroupView(
        id=group.id,
        version=group.version,
        club_id=group.club_id,
        provider_id=group.provider_id,
        direction=group.direction,
        name=NamesView.of(group.name),
        price_tiyn=group.price_tiyn,
        capacity=group.capacity,
        age_from=group.age_from,
        age_to=group.age_to,
        schedule=tuple(
            WeeklyView(
                weekday=weekly.weekday,
                starts_at=weekly.starts_at.isoformat("minutes"),
                ends_at=weekly.ends_at.isoformat("minutes"),
            )
            for weekly in group.schedule
        ),
        coaches=group.coaches,
        starts_on=group.starts_on,
        ends_on=group.ends_on,
        closed=group.closed,
        free_from=shown.free_from,
        waiting=shown.waiting,
    )
