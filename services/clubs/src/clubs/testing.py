"""A group with children, a coach, a device and guardians, for tests of what becomes of lessons."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from clubs import tables
from clubs.domain.disputes import Dispute
from clubs.domain.lessons import Said
from clubs.domain.sheets import Outcome
from clubs.domain.statements import Statement
from clubs.main import service as clubs
from clubs.repository.statements import find_statements
from clubs.usecases import disputes, lessons, seats, statements
from shared.database import new_id
from shared.edge import Edge
from shared.events.attendance import AttendanceClosed
from shared.events.enrollment import Ended, SeatRequested
from shared.security import Grant, Principal, describe_grant
from shared.testing import Database, published, set_clock
from shared.timekeeper import Timekeeper

SEPTEMBER = "2026-09"
WINDOWS_OVER = datetime.fromisoformat("2026-10-05T00:00:00+05:00")
"""Of September."""


@dataclass(frozen=True, slots=True)
class Pupil:
    """A child with a seat, and a guardian of it."""

    child_id: UUID
    enrollment_id: UUID
    guardian: Principal


@dataclass(frozen=True, slots=True)
class School:
    """One group of a provider, on Mondays and Fridays at three; today is a Tuesday, 1 September 2026."""

    edge: Edge
    database: Database
    provider_id: UUID
    group_id: UUID
    director: Principal
    administrator: Principal
    coach: Principal
    device: Principal
    pupils: list[Pupil] = field(default_factory=list)

    async def seat(self, since: date = date(2026, 9, 1)) -> Pupil:
        """One more child with a seat, if there is one."""
        child_id, enrollment_id = new_id(), new_id()
        guardian = Principal(new_id(), frozenset({Grant("guardian", "child", child_id)}))
        pupil = Pupil(child_id, enrollment_id, guardian)
        async with self.edge.transaction() as tx:
            wanted = SeatRequested(
                child_id=child_id,
                enrollment_id=enrollment_id,
                group_id=self.group_id,
                attempt=1,
                starts_on=since,
                priority=0,
                requested_at=tx.now,
            )
            await seats.serve(tx, [(tx, wanted)])
        self.pupils.append(pupil)
        return pupil

    async def end(self, pupil: Pupil, on: date) -> None:
        """Enrollment says that the child's last day is the one before."""
        ended = Ended(
            child_id=pupil.child_id,
            enrollment_id=pupil.enrollment_id,
            group_id=self.group_id,
            on=on,
            code="left",
        )
        async with self.edge.transaction() as tx:
            await seats.serve(tx, [(tx, ended)])

    async def at(self, moment: datetime | str) -> None:
        """Go on from this moment; act on whatever is due by then."""
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        await set_clock(self.database, moment)
        await self.act_on_deadlines()

    async def act_on_deadlines(self) -> None:
        """Whatever is due now."""
        timekeeper = Timekeeper(self.edge, clubs.events)
        while await timekeeper.once():
            pass

    async def after_lesson(self, day: int, month: int = 9) -> UUID:
        """Go to the evening of a lesson of this day; its id."""
        await self.at(f"2026-{month:02}-{day:02}T18:00:00+05:00")
        return await self.lesson(day, month)

    async def lesson(self, day: int, month: int = 9) -> UUID:
        """The id of the lesson on this day."""
        query = sa.select(tables.lessons.c.id).where(
            tables.lessons.c.group_id == self.group_id, tables.lessons.c.held_on == date(2026, month, day)
        )
        async with self.edge.transaction() as tx:
            found: UUID = (await tx.execute(query)).scalar_one()
            return found

    async def mark(
        self, lesson_id: UUID, present: Sequence[Pupil] = (), absent: Sequence[Pupil] = (), **report: bool
    ) -> None:
        """The coach reports the lesson."""
        said = [Said(one.child_id, present=True) for one in present]
        said += [Said(one.child_id, present=False) for one in absent]
        took_place = report.get("took_place", True)
        async with self.edge.transaction() as tx:
            await lessons.report(
                tx, self.coach, lesson_id, source="coach", took_place=took_place, children=said
            )

    async def confirm(self, lesson_id: UUID, pupil: Pupil) -> None:
        """The guardian confirms."""
        async with self.edge.transaction() as tx:
            await lessons.confirm(tx, pupil.guardian, lesson_id, pupil.child_id)

    async def dispute(self, lesson_id: UUID, pupil: Pupil) -> Dispute:
        """The guardian says that it was not so."""
        async with self.edge.transaction() as tx:
            return await disputes.open_dispute(
                tx, pupil.guardian, child_id=pupil.child_id, lesson_id=lesson_id
            )

    async def decide(self, dispute: Dispute, outcome: Outcome) -> None:
        """The administrator decides."""
        async with self.edge.transaction() as tx:
            await disputes.decide(tx, self.administrator, dispute.id, outcome=outcome, reason="Seen.")

    async def sheets(self) -> list[AttendanceClosed]:
        """What was told of closed months, in order."""
        return [event for event in await published(self.edge) if isinstance(event, AttendanceClosed)]

    async def statements(self, month: str = SEPTEMBER) -> list[Statement]:
        """The statement of a month and its supplements."""
        async with self.edge.transaction() as tx:
            return await find_statements(tx, self.provider_id, month)

    async def sign(self, statement: Statement) -> Statement:
        """The director signs this version."""
        async with self.edge.transaction() as tx:
            return await statements.sign(tx, self.director, statement.id, version=statement.version)

    async def know(self, person: Principal) -> None:
        """Give the person, in the database, the grants they have in the test."""
        async with self.edge.transaction() as tx:
            for grant in person.grants:
                await describe_grant(
                    tx, id_=new_id(), person_id=person.person_id, grant=grant, version=1, ended=False
                )

    async def faults(self) -> dict[str, int]:
        """What the audit finds: nothing, or else."""
        async with self.edge.transaction() as tx:
            found = {name: len((await tx.execute(sa.text(sql))).all()) for name, sql in clubs.audit.items()}
        return {name: number for name, number in found.items() if number}
