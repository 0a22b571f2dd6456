"""Decisions as events of the published language."""

from collections.abc import Iterable

from enrollment.domain import effects as told
from enrollment.domain.effects import Effect
from enrollment.domain.enrollment import Enrollment
from enrollment.repository.groups import KnownGroup
from shared import outbox
from shared.clock import first_day
from shared.database import Transaction
from shared.events import enrollment as events


def tell(tx: Transaction, enrollment: Enrollment, effects: Iterable[Effect], known: KnownGroup) -> None:
    """Publish what was decided, in order."""
    for effect in effects:
        outbox.publish(tx, _event(enrollment, effect, known))


def _event(enrollment: Enrollment, effect: Effect, known: KnownGroup) -> events.EnrollmentEvent:
    if isinstance(effect, told.FundingRequested):
        return _funding_requested(enrollment, effect, known)
    about = {
        "child_id": enrollment.child_id,
        "enrollment_id": enrollment.id,
        "group_id": enrollment.group_id,
    }
    match effect:
        case told.Confirmed(month):
            return events.Confirmed(
                **about, provider_id=known.group.provider_id, starts_on=enrollment.starts_on, month=month
            )
        case told.Rejected(code, missing_tiyn):
            return events.Rejected(**about, code=code, missing_tiyn=missing_tiyn)
        case told.Canceled():
            return events.Canceled(**about)
        case told.Ended(on, code):
            return events.Ended(**about, on=on, code=code)
        case told.MonthUnfunded(month, code, missing_tiyn, grace_ends_on):
            return events.MonthUnfunded(
                **about, month=month, code=code, missing_tiyn=missing_tiyn, grace_ends_on=grace_ends_on
            )


def _funding_requested(
    enrollment: Enrollment, effect: told.FundingRequested, known: KnownGroup
) -> events.FundingRequested:
    return events.FundingRequested(
        child_id=enrollment.child_id,
        enrollment_id=enrollment.id,
        month=effect.month,
        attempt=effect.attempt,
        covers_from=max(enrollment.starts_on, first_day(effect.month)),
        covers_until=enrollment.ends_on,
        provider_id=known.group.provider_id,
        group_id=enrollment.group_id,
        direction=known.group.direction,
        price_tiyn=known.group.price_tiyn,
        lessons=known.lessons[effect.month],
    )
