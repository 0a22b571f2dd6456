"""A guardian announces an absence, the provider accepts it: lessons of these days are excused."""

from datetime import date
from uuid import UUID

from clubs.domain.absences import Absence, AbsenceExistsError, check_days, months_between
from clubs.domain.lessons import ChildWithoutSeatError, MonthClosedError
from clubs.repository import absences as repository
from clubs.repository.sheets import lock_provider
from shared import audit
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.security import Principal


async def announce(
    tx: Transaction, principal: Principal, *, child_id: UUID, since: date, until: date
) -> list[Absence]:
    """One absence for each provider at which the child has a seat on these days."""
    principal.require("guardian")
    if child_id not in principal.scopes("guardian"):
        raise NotFoundError
    check_days(since, until)
    providers = await repository.providers_of(tx, child_id, since, until)
    if not providers:
        raise ChildWithoutSeatError
    if await repository.is_closed(tx, providers, child_id, (since, until), months_between(since, until)):
        raise MonthClosedError
    announced = [
        Absence(new_id(), child_id, provider_id, since, until, tx.now, None) for provider_id in providers
    ]
    if not await repository.add_absences(tx, announced, person_id=principal.person_id):
        raise AbsenceExistsError
    return announced


async def accept(tx: Transaction, principal: Principal, absence_id: UUID) -> Absence:
    """The provider's director agrees, before any of the months is closed. Agreeing twice changes nothing."""
    principal.require("director")
    own = principal.scopes("director")
    found = await repository.find_absence(tx, absence_id, providers=own)
    if found is None:
        raise NotFoundError
    await lock_provider(tx, found.provider_id)
    absence = await _read(tx, absence_id, own)
    if absence.accepted_at is not None:
        return absence
    days, months = (absence.since, absence.until), months_between(absence.since, absence.until)
    if await repository.is_closed(tx, [absence.provider_id], absence.child_id, days, months):
        raise MonthClosedError
    await repository.accept_absence(tx, absence_id, person_id=principal.person_id)
    await audit.record(tx, principal, "accept", "absence", absence_id)
    return await _read(tx, absence_id, own)


async def _read(tx: Transaction, absence_id: UUID, own: frozenset[UUID]) -> Absence:
    absence = await repository.find_absence(tx, absence_id, providers=own)
    if absence is None:
        raise NotFoundError
    return absence


async def find(tx: Transaction, principal: Principal, *, before: UUID | None, limit: int) -> list[Absence]:
    """The absences of one's children, and those announced to one's providers, the newest first."""
    principal.require("guardian", "director")
    return await repository.find_absences(
        tx,
        children=principal.scopes("guardian"),
        providers=principal.scopes("director"),
        before=before,
        limit=limit,
    )
