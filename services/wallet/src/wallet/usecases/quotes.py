"""Who would pay what, if the child were enrolled: the same decision on the same rows, and nothing written."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared import clock
from shared.database import Transaction, new_id
from shared.errors import ConflictError, NotFoundError
from shared.security import Principal
from wallet.domain.decisions import decide
from wallet.domain.holds import Lesson, cost, covered
from wallet.domain.operations import Declined, Held, HoldMonth, Identity
from wallet.repository import projections
from wallet.repository.snapshots import read_snapshot


@dataclass(frozen=True, slots=True)
class Quote:
    """The month of the first lesson, what it costs at most, and who would pay it or why nobody would."""

    month: str
    planned: int
    covered: int
    price_tiyn: int
    amount_tiyn: int
    outcome: Held | Declined


async def quote(
    tx: Transaction, principal: Principal, *, child_id: UUID, group_id: UUID, starts_on: date
) -> Quote:
    """For one's own child only; a group not known here yet is not found."""
    if child_id not in principal.scopes("guardian"):
        raise NotFoundError
    group = await projections.find_group(tx, group_id)
    if group is None:
        raise NotFoundError
    month, lessons = await _first_month(tx, group_id, starts_on)
    command = HoldMonth(
        id=new_id(),
        identity=Identity("quote", "hold", str(new_id())),
        child_id=child_id,
        enrollment_id=new_id(),
        month=month,
        attempt=1,
        provider_id=group["provider_id"],
        group_id=group_id,
        direction=group["direction"],
        price_tiyn=group["price_tiyn"],
        lessons=lessons,
        covers_from=starts_on,
        covers_until=None,
    )
    read = await read_snapshot(await tx.driver(), [command], lock=False)
    (outcome,) = decide(read.snapshot, [command], clock.civil_date(tx.now)).results
    if not isinstance(outcome, Held | Declined):
        raise TypeError(type(outcome).__name__)
    attended = len(covered(lessons, starts_on, None))
    price: int = group["price_tiyn"]
    return Quote(month, len(lessons), attended, price, cost(price, attended, len(lessons)), outcome)


async def _first_month(tx: Transaction, group_id: UUID, starts_on: date) -> tuple[str, tuple[Lesson, ...]]:
    """The month of the first lesson from that day on, with all its lessons."""
    for month, lessons in await projections.planned_lessons(tx, group_id, clock.month_of(starts_on)):
        if covered(lessons, starts_on, None):
            return month, tuple(lessons)
    raise ConflictError("group_has_no_lessons")
