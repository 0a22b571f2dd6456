"""For enrollment's tests: a scene with a group and a program, and what happens around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa

from enrollment import repository
from enrollment.consumers import router
from enrollment.domain.enrollment import Enrollment
from enrollment.domain.people import GuardianLink, Identity, LinkState, SealedIin
from enrollment.repository.audits import AUDITS
from enrollment.usecases import enrolling
from enrollment.usecases.people import settle_claim
from shared.clock import civil_moment
from shared.consumer import NotYet, handle
from shared.database import new_id
from shared.edge import Edge
from shared.events import clubs, wallet
from shared.events.clubs import DatedLesson, GroupDescribed, GroupMonthPlanned, Names, WeeklyLesson
from shared.events.envelope import Event
from shared.security import principal_of
from shared.testing import Database, envelope_of, set_clock
from shared.timekeeper import Timekeeper

AIGERIM = Identity(
    given_name="Айгерім",
    family_name="Өтегенова",
    patronymic=None,
    school_name="Келешек",
    school_rural=True,
    priority=5,
)
MONTHS = ("2026-09", "2026-10", "2026-11")


def tuesdays(month: str) -> list[date]:
    """The days on which the group of the scene meets."""
    first = date.fromisoformat(f"{month}-01")
    days = (first + timedelta(days=number) for number in range(31))
    return [day for day in days if day.month == first.month and day.weekday() == 1]


@dataclass
class Scene:
    """A group and a program that enrollment knows, and what happens around them. Starts on 2026-09-10."""

    edge: Edge
    database: Database
    group_id: UUID = field(default_factory=uuid4)
    provider_id: UUID = field(default_factory=uuid4)
    program_id: UUID = field(default_factory=uuid4)
    region_id: UUID = field(default_factory=uuid4)

    async def clock(self, civil: str) -> None:
        """Make it this civil time."""
        moment = datetime.fromisoformat(civil)
        await set_clock(self.database, civil_moment(moment.date(), moment.time()))

    async def take(self, *events: Event, ids: Sequence[UUID | None] = ()) -> list[NotYet]:
        """Let events come in one transaction, rolled back if any must wait; what they wait for."""
        pairs = zip(events, ids or [None] * len(events), strict=True)
        envelopes = [envelope_of(event, datetime(2026, 9, 10, tzinfo=UTC), id_) for event, id_ in pairs]
        async with self.edge.transaction() as tx, tx.connection.begin_nested() as attempt:
            waiting = await handle(tx, router, envelopes)
            if waiting:
                await attempt.rollback()
                tx.outgoing.clear()
        return [why for _, why in waiting]

    async def act(self) -> None:
        """Act on the deadlines that are due, and on those that come of it."""
        while await Timekeeper(self.edge, router).once():
            pass

    def group(self, **changes: object) -> GroupDescribed:
        """The group as clubs describes it."""
        described = GroupDescribed(
            group_id=self.group_id,
            version=1,
            club_id=uuid4(),
            provider_id=self.provider_id,
            name=Names(kk="Робототехника", ru="Робототехника", en="Robotics"),
            direction="robotics",
            price_tiyn=1_875_000,
            capacity=10,
            age_from=7,
            age_to=12,
            schedule=(WeeklyLesson(weekday=2, starts_at=time(15), ends_at=time(16, 30)),),
            coaches=(),
            starts_on=date(2026, 9, 1),
            ends_on=date(2026, 12, 31),
        )
        return described.model_copy(update=changes)

    def month(self, month: str, *, group_id: UUID | None = None, version: int = 1) -> GroupMonthPlanned:
        """The group's lessons of a month."""
        return GroupMonthPlanned(
            group_id=group_id or self.group_id,
            month=month,
            version=version,
            lessons=tuple(
                DatedLesson(
                    lesson_id=uuid4(),
                    on=day,
                    starts_at=civil_moment(day, time(15)),
                    ends_at=civil_moment(day, time(16, 30)),
                )
                for day in tuesdays(month)
            ),
        )

    def program(self, **changes: object) -> wallet.ProgramDescribed:
        """The program as the wallet describes it."""
        described = wallet.ProgramDescribed(
            program_id=self.program_id,
            version=1,
            region_id=self.region_id,
            name=Names(kk="Бағдарлама", ru="Программа", en="Program"),
            directions=(),
            starts_on=date(2026, 1, 1),
            ends_on=date(2026, 12, 31),
            clubs_per_child_max=3,
            asks_from_day=20,
            grace_ends_on_day=10,
            declined_percent_max=20,
        )
        return described.model_copy(update=changes)

    async def child(self, guardian: UUID, *, number: int = 1) -> UUID:
        """A child born on 2017-03-01 with this guardian, verified by the register."""
        link = GuardianLink(new_id(), guardian, None, LinkState.CLAIMED, version=1)
        iin = SealedIin(b"sealed", number.to_bytes(4), date(2017, 3, 1))
        async with self.edge.transaction() as tx:
            await repository.people.add_link(tx, link, iin)
            await settle_claim(tx, link.id, AIGERIM)
            settled = await repository.people.lock_link(tx, link.id)
        if settled is None or settled.child_id is None:
            raise AssertionError
        return settled.child_id

    async def requested(self, *, number: int = 1, group_id: UUID | None = None) -> Enrollment:
        """A new child's enrollment, just requested."""
        guardian = uuid4()
        child_id = await self.child(guardian, number=number)
        return await self.request(guardian, child_id, group_id=group_id)

    async def request(
        self, guardian: UUID, child_id: UUID, *, group_id: UUID | None = None, starts_on: date | None = None
    ) -> Enrollment:
        """Enroll a child as its guardian does."""
        async with self.edge.transaction() as tx:
            return await enrolling.enroll(
                tx,
                await principal_of(tx, guardian),
                child_id=child_id,
                group_id=group_id or self.group_id,
                starts_on=starts_on or date(2026, 9, 14),
            )

    async def confirmed(self, *, number: int = 1) -> Enrollment:
        """A new child's enrollment, with seat and money."""
        enrollment = await self.requested(number=number)
        await self.take(self.reserved(enrollment))
        await self.take(self.held(enrollment, "2026-09"))
        return await self.read(enrollment.id)

    async def read(self, enrollment_id: UUID) -> Enrollment:
        """An enrollment as it is now."""
        async with self.edge.transaction() as tx:
            return (await repository.enrollments.lock(tx, [enrollment_id]))[enrollment_id]

    def reserved(
        self, enrollment: Enrollment, starts_on: date = date(2026, 9, 14), attempt: int = 1
    ) -> clubs.SeatReserved:
        """Clubs keeps the seat."""
        return clubs.SeatReserved(
            child_id=enrollment.child_id,
            enrollment_id=enrollment.id,
            group_id=enrollment.group_id,
            attempt=attempt,
            starts_on=starts_on,
        )

    def held(self, enrollment: Enrollment, month: str, attempt: int = 1) -> wallet.FundsHeld:
        """The wallet reserved a month."""
        return wallet.FundsHeld(
            child_id=enrollment.child_id,
            enrollment_id=enrollment.id,
            month=month,
            attempt=attempt,
            hold_id=uuid4(),
            amount_tiyn=1_875_000,
            layers=(
                wallet.Layer(program_id=self.program_id, fund_id=uuid4(), amount_tiyn=1_000_000),
                wallet.Layer(program_id=self.program_id, fund_id=uuid4(), amount_tiyn=875_000),
            ),
        )

    def declined(
        self, enrollment: Enrollment, month: str, attempt: int = 1, code: str = "no_money"
    ) -> wallet.FundsDeclined:
        """The wallet has no money for a month."""
        return wallet.FundsDeclined(
            child_id=enrollment.child_id,
            enrollment_id=enrollment.id,
            month=month,
            attempt=attempt,
            code=code,
            missing_tiyn=500_000,
        )

    def charged(
        self, enrollment: Enrollment, month: str, revision: int = 1, code: str | None = None
    ) -> wallet.MonthCharged:
        """The wallet settled what a month costs."""
        return wallet.MonthCharged(
            child_id=enrollment.child_id,
            enrollment_id=enrollment.id,
            group_id=enrollment.group_id,
            provider_id=self.provider_id,
            month=month,
            revision=revision,
            amount_tiyn=0 if code else 1_875_000,
            disputed_tiyn=0,
            uncovered_tiyn=0,
            frozen=False,
            code=code,
            lessons=(),
        )

    async def deadlines(self) -> dict[str, datetime]:
        """The deadlines there are, by kind, in civil time; of several of a kind, one."""
        async with self.edge.transaction() as tx:
            rows = await tx.execute(sa.text("SELECT kind, due_at FROM deadlines"))
            return {row.kind: row.due_at for row in rows}

    async def forget_published(self) -> None:
        """Empty the outbox, as the relay does."""
        async with self.edge.transaction() as tx:
            await tx.execute(sa.text("DELETE FROM outbox"))

    async def defects(self) -> dict[str, int]:
        """What the service's audit finds."""
        async with self.edge.transaction() as tx:
            found = {name: len((await tx.execute(sa.text(check))).all()) for name, check in AUDITS.items()}
        return {name: number for name, number in found.items() if number}
