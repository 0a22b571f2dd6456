"""An absence that a guardian announces and the provider accepts: lessons on these days are excused."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from shared.clock import first_day, month_of, next_month
from shared.errors import ConflictError, InvalidError

ABSENCE_DAYS_MAX = 31


class AbsenceInvalidError(InvalidError):
    """Days that make no absence. The code says why."""

    code = "absence_invalid"


class AbsenceExistsError(ConflictError):
    """The same days were announced to the provider already."""

    code = "absence_exists"


@dataclass(frozen=True, slots=True)
class Absence:
    """Of one child at one provider, first and last day included."""

    id: UUID
    child_id: UUID
    provider_id: UUID
    since: date
    until: date
    asked_at: datetime
    accepted_at: datetime | None


def check_days(since: date, until: date) -> None:
    """In order, and not too many at once."""
    if until < since:
        raise AbsenceInvalidError("absence_reversed")
    if (until - since).days >= ABSENCE_DAYS_MAX:
        raise AbsenceInvalidError("absence_too_long", days=ABSENCE_DAYS_MAX)


def months_between(since: date, until: date) -> list[str]:
    """The civil months that these days touch."""
    months = [month_of(since)]
    while first_day(next_month(months[-1])) <= until:
        months.append(next_month(months[-1]))
    return months
