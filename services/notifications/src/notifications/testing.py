"""For the tests of notifications: an invented family, and the events that are told of it."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Literal, TypeVar
from uuid import UUID, uuid5

from shared.database import new_id
from shared.events.attendance import DisputeDecided, DisputeOpened
from shared.events.clubs import (
    GroupDescribed,
    Names,
    ProviderDescribed,
    SeatQueued,
    StaffDescribed,
    WeeklyLesson,
)
from shared.events.enrollment import ChildDescribed, Confirmed, MonthUnfunded
from shared.events.wallet import FundDescribed, FundsHeld, ItemEvent, LessonVerdict, MonthCharged, PayoutEvent

NOON = datetime(2026, 9, 7, 7, tzinfo=UTC)
"""12:00 in Almaty: not quiet."""


@dataclass(frozen=True, slots=True)
class Family:
    """A child, its guardians, and a group it would like to be in."""

    child_id: UUID = field(default_factory=new_id)
    guardians: tuple[UUID, ...] = field(default_factory=lambda: (new_id(), new_id()))
    group_id: UUID = field(default_factory=new_id)
    enrollment_id: UUID = field(default_factory=new_id)
    provider_id: UUID = field(default_factory=new_id)
    fund_id: UUID = field(default_factory=new_id)

    def child_described(self, *guardians: UUID, version: int = 1) -> ChildDescribed:
        """The child, with its guardians or these."""
        return ChildDescribed(child_id=self.child_id, version=version, guardians=guardians or self.guardians)

    def group_described(self, english: str = "Robotics", version: int = 1) -> GroupDescribed:
        """The group, with its name."""
        return GroupDescribed(
            group_id=self.group_id,
            version=version,
            club_id=new_id(),
            provider_id=self.provider_id,
            name=Names(kk="Робототехника тобы", ru="Группа робототехники", en=english),
            direction="robotics",
            price_tiyn=1_875_000,
            capacity=12,
            age_from=7,
            age_to=12,
            schedule=(WeeklyLesson(weekday=1, starts_at=time(15), ends_at=time(16)),),
            coaches=(),
            starts_on=date(2026, 9, 1),
            ends_on=date(2027, 5, 25),
        )

    def provider_described(self) -> ProviderDescribed:
        """Whose group it is, with its name."""
        name = Names(kk="Ақмола өнер мектебі", ru="Акмолинская школа искусств", en="Aqmol school of arts")
        return ProviderDescribed(provider_id=self.provider_id, version=1, name=name)

    def fund_described(self) -> FundDescribed:
        """Who pays, with its name."""
        return FundDescribed(
            fund_id=self.fund_id,
            version=1,
            program_id=new_id(),
            name=Names(kk="Целиноград ауданы", ru="Целиноградский район", en="Tselinograd district"),
            mode="ahead",
            last_capture_on=date(2027, 5, 25),
        )


def about(family: Family) -> dict[str, UUID]:
    """What every event about an enrollment names."""
    return {
        "child_id": family.child_id,
        "enrollment_id": family.enrollment_id,
        "group_id": family.group_id,
    }


def queued(family: Family, place: int) -> SeatQueued:
    """The child waits at this place."""
    return SeatQueued(**about(family), attempt=1, place=place)


def confirmed(family: Family) -> Confirmed:
    """The child is enrolled."""
    return Confirmed(**about(family), provider_id=new_id(), starts_on=date(2026, 9, 10), month="2026-09")


def unfunded(family: Family, missing_tiyn: int = 50_000) -> MonthUnfunded:
    """No money for October."""
    return MonthUnfunded(
        **about(family),
        month="2026-10",
        code="no_money",
        missing_tiyn=missing_tiyn,
        grace_ends_on=date(2026, 10, 10),
    )


def held(family: Family) -> FundsHeld:
    """Money for October."""
    return FundsHeld(
        child_id=family.child_id,
        enrollment_id=family.enrollment_id,
        month="2026-10",
        attempt=2,
        hold_id=new_id(),
        amount_tiyn=1_875_000,
        layers=(),
    )


def staff(family: Family, person_id: UUID, *, version: int = 1, ended: bool = False) -> StaffDescribed:
    """A director of the provider whose group it is."""
    return StaffDescribed(
        grant_id=uuid5(family.provider_id, str(person_id)),
        version=version,
        person_id=person_id,
        provider_id=family.provider_id,
        role="director",
        ended=ended,
    )


def charged(
    family: Family,
    amount_tiyn: int = 1_442_307,
    *,
    revision: int = 1,
    frozen: bool = False,
    disputed_tiyn: int = 0,
    code: str | None = None,
) -> MonthCharged:
    """What October costs: of three lessons one counts, one does not, one is disputed."""
    verdicts: tuple[Literal["counts", "does_not_count", "disputed"], ...]
    verdicts = ("counts", "does_not_count", "disputed")
    return MonthCharged(
        **about(family),
        provider_id=family.provider_id,
        month="2026-10",
        revision=revision,
        amount_tiyn=amount_tiyn,
        disputed_tiyn=disputed_tiyn,
        uncovered_tiyn=0,
        frozen=frozen,
        code=code,
        lessons=tuple(
            LessonVerdict(lesson_id=new_id(), on=date(2026, 10, day), verdict=verdict, code="confirmed")
            for day, verdict in enumerate(verdicts, start=6)
        ),
    )


SomeItemEvent = TypeVar("SomeItemEvent", bound=ItemEvent)


def item(event: type[SomeItemEvent], family: Family) -> SomeItemEvent:
    """Something happened to what a fund owes for October."""
    return event(
        item_id=new_id(),
        child_id=family.child_id,
        enrollment_id=family.enrollment_id,
        month="2026-10",
        provider_id=family.provider_id,
        fund_id=new_id(),
        amount_tiyn=500_000,
    )


def disputed(family: Family, dispute_id: UUID) -> DisputeOpened:
    """A guardian says that a lesson was not as it is claimed."""
    return DisputeOpened(
        **about(family),
        dispute_id=dispute_id,
        provider_id=family.provider_id,
        lesson_id=new_id(),
        on=date(2026, 10, 6),
    )


def decided(opened: DisputeOpened, outcome: Literal["withdrawn", "count", "do_not_count"]) -> DisputeDecided:
    """The dispute is over."""
    return DisputeDecided(**opened.model_dump(), outcome=outcome)


SomePayoutEvent = TypeVar("SomePayoutEvent", bound=PayoutEvent)


def payout(event: type[SomePayoutEvent], family: Family, **more: str) -> SomePayoutEvent:
    """Something happened to a bank order for the provider."""
    return event(
        payout_id=new_id(),
        run_id=new_id(),
        provider_id=family.provider_id,
        fund_id=family.fund_id,
        amount_tiyn=5_769_230,
        items=5,
        months=("2026-09", "2026-10"),
        **more,
    )
