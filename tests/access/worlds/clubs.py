"""Clubs: a school of one's own and a strange one; September is closed, and a lesson of October just over."""

from dataclasses import replace
from datetime import date, time
from uuid import UUID, uuid4

from access.worlds import People, Things
from clubs.domain.groups import Names, Weekly
from clubs.testing import WINDOWS_OVER, School
from clubs.usecases.absences import announce
from clubs.usecases.corrections import Correction, propose_correction
from clubs.usecases.groups import NewGroup, open_group, read_group
from clubs.usecases.providers import open_club, register_provider
from clubs.usecases.seats import read_seat
from shared.edge import Edge
from shared.security import Grant, Principal, Role
from shared.testing import Database

NAME = Names("Шахмат", "Шахматы", "Chess")
BINS = ("240140001238", "100140000003")


async def build(edge: Edge, database: Database, people: People) -> tuple[Things, Things]:
    """Own and foreign things. Both schools live through the same days at once."""
    schools = [await _school(edge, database, number) for number in BINS]
    queues = [await _queue(school) for school in schools]
    for school in schools:
        await school.mark(await school.after_lesson(4), school.pupils)
    await schools[0].at(WINDOWS_OVER)
    await schools[0].at("2026-10-05T18:00:00+05:00")
    own, foreign = [await _happen(school, queue) for school, queue in zip(schools, queues, strict=True)]
    await people.settle(provider_id=own["provider"], region_id=uuid4())
    for child in ("child", "offered_child"):
        await people.grant("guardian", "guardian", "child", own[child])
        await people.grant("former", "guardian", "child", own[child])
    return own, foreign


async def _school(edge: Edge, database: Database, number: str) -> School:
    administrator = Principal(uuid4(), frozenset({Grant("administrator", "region", uuid4())}))
    async with edge.transaction() as tx:
        provider = await register_provider(tx, administrator, number=number, name=NAME)

    def of_provider(role: Role) -> Principal:
        return Principal(uuid4(), frozenset({Grant(role, "provider", provider["id"])}))

    made = School(
        edge=edge,
        database=database,
        provider_id=provider["id"],
        group_id=uuid4(),
        director=of_provider("director"),
        administrator=administrator,
        coach=of_provider("coach"),
        device=of_provider("device"),
    )
    await made.at("2026-09-01T14:00:00+05:00")
    made = replace(made, group_id=await _open(made, capacity=10))
    await made.seat()
    await made.seat()
    return made


async def _open(school: School, *, capacity: int) -> UUID:
    async with school.edge.transaction() as tx:
        club = await open_club(
            tx, school.director, provider_id=school.provider_id, name=NAME, direction="chess"
        )
    new = NewGroup(
        club_id=club["id"],
        name=NAME,
        price_tiyn=1_500_000,
        capacity=capacity,
        age_from=7,
        age_to=11,
        schedule=(Weekly(1, time(15), time(16, 30)), Weekly(5, time(15), time(16, 30))),
        coaches=(),
        starts_on=date(2026, 9, 1),
        ends_on=date(2026, 12, 31),
    )
    async with school.edge.transaction() as tx:
        return await open_group(tx, school.director, new)


async def _queue(school: School) -> School:
    """A group of one seat, with a child in it, one that will be offered the seat, and one that waits."""
    queue = replace(school, group_id=await _open(school, capacity=1), pupils=[])
    for _ in range(3):
        await queue.seat()
    return queue


async def _happen(school: School, queue: School) -> Things:
    """A dispute and a correction about September, an absence to come, an offer, a statement to sign."""
    pupil, other = school.pupils
    leaving, offered, _ = queue.pupils
    closed_lesson, lesson = await school.lesson(4), await school.lesson(5, 10)
    dispute = await school.dispute(closed_lesson, pupil)
    await queue.end(leaving, date(2026, 10, 8))
    wanted = Correction(lesson_id=closed_lesson, child_id=other.child_id, present=False, reason="Ауырды")
    async with school.edge.transaction() as tx:
        proposal = await propose_correction(tx, school.coach, wanted)
        days = date(2026, 10, 19), date(2026, 10, 23)
        (absence,) = await announce(tx, pupil.guardian, child_id=pupil.child_id, since=days[0], until=days[1])
        offer = (await read_seat(tx, offered.guardian, offered.enrollment_id)).place.offer
        club_id = (await read_group(tx, school.group_id)).group.club_id
    if offer is None:
        raise AssertionError
    (statement, *_) = await school.statements()
    return {
        "provider": school.provider_id,
        "club": club_id,
        "group": school.group_id,
        "queue": queue.group_id,
        "child": pupil.child_id,
        "enrollment": pupil.enrollment_id,
        "lesson": lesson,
        "closed_lesson": closed_lesson,
        "offered_child": offered.child_id,
        "offer": offer.id,
        "absence": absence.id,
        "case": dispute.id,
        "dispute": dispute.id,
        "statement": statement.id,
        "proposal": proposal.id,
    }
