"""For the tests of notifications: an invented family, and the events that are told of it."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from uuid import UUID

from shared.database import new_id
from shared.events.clubs import GroupDescribed, Names, SeatQueued, WeeklyLesson
from shared.events.enrollment import ChildDescribed, Confirmed, MonthUnfunded
from shared.events.wallet import FundsHeld

NOON = datetime(2026, 9, 7, 7, tzinfo=UTC)
"""12:00 in Almaty: not quiet."""


@dataclass(frozen=True, slots=True)
class Family:
    """A child, its guardians, and a group it would like to be in."""

    child_id: UUID = field(default_factory=new_id)
    guardians: tuple[UUID, ...] = field(default_factory=lambda: (new_id(), new_id()))
    group_id: UUID = field(default_factory=new_id)
    enrollment_id: UUID = field(default_factory=new_id)

    def child_described(self, *guardians: UUID, version: int = 1) -> ChildDescribed:
        """The child, with its guardians or these."""
        return ChildDescribed(child_id=self.child_id, version=version, guardians=guardians or self.guardians)

    def group_described(self, english: str = "Robotics", version: int = 1) -> GroupDescribed:
        """The group, with its name."""
        return GroupDescribed(
            group_id=self.group_id,
            version=version,
            club_id=new_id(),
            provider_id=new_id(),
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
