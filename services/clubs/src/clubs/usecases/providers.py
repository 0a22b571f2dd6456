"""Register providers and clubs, appoint staff."""

from typing import Literal
from uuid import UUID, uuid5

from clubs.domain.groups import Names
from clubs.domain.providers import AlreadyStaffError, ProviderExistsError, check_bin
from clubs.repository import providers as repository
from clubs.repository.providers import Row, name_of
from shared import outbox
from shared.database import Transaction, new_id
from shared.errors import ForbiddenError, NotFoundError
from shared.events import clubs as events
from shared.security import Grant, Principal, describe_grant

REPUBLISHED_AT_ONCE = 200
"""How many facts one transaction of a republication tells again."""

StaffRole = Literal["director", "coach", "device"]
"""A device is a program with client credentials of its own: its `sub` is the person."""


async def register_provider(tx: Transaction, principal: Principal, *, number: str, name: Names) -> Row:
    """A new provider under its BIN."""
    principal.require("administrator")
    id_ = new_id()
    if not await repository.add_provider(tx, id_=id_, number=check_bin(number), name=name):
        raise ProviderExistsError
    provider = await read_provider(tx, id_)
    outbox.publish(tx, _describe_provider(provider))
    return provider


async def read_provider(tx: Transaction, id_: UUID) -> Row:
    """A provider: public."""
    provider = await repository.find_provider(tx, id_)
    if provider is None:
        raise NotFoundError
    return provider


async def appoint_staff(
    tx: Transaction, principal: Principal, provider_id: UUID, *, person_id: UUID, role: StaffRole
) -> UUID:
    """Give a person a role at a provider; the id of the grant, which is the same for the same role.

    Administrators appoint anywhere, directors at their own provider: for them every other one is missing.
    """
    principal.require("administrator", "director")
    own = principal.has("administrator") or provider_id in principal.scopes("director")
    if not own or await repository.find_provider(tx, provider_id, lock=True) is None:
        raise NotFoundError
    if person_id == principal.person_id:
        raise ForbiddenError("own_role")
    if person_id in await repository.staff_of(tx, provider_id, role):
        raise AlreadyStaffError
    id_ = uuid5(provider_id, f"{person_id}/{role}")
    grant = Grant(role, "provider", provider_id)
    await describe_grant(tx, id_=id_, person_id=person_id, grant=grant, version=1, ended=False)
    if role != "device":  # whose marks are nobody else's business
        described = events.StaffDescribed(
            grant_id=id_, version=1, person_id=person_id, provider_id=provider_id, role=role
        )
        outbox.publish(tx, described)
    return id_


async def open_club(
    tx: Transaction, principal: Principal, *, provider_id: UUID, name: Names, direction: str
) -> Row:
    """A new offering of the director's provider."""
    principal.require("director")
    if provider_id not in principal.scopes("director"):
        raise NotFoundError
    id_ = new_id()
    await repository.add_club(tx, id_=id_, provider_id=provider_id, name=name, direction=direction)
    return await read_club(tx, id_)


async def read_club(tx: Transaction, id_: UUID) -> Row:
    """A club: public."""
    club = await repository.find_club(tx, id_)
    if club is None:
        raise NotFoundError
    return club


def names_of(name: Names) -> events.Names:
    """A public name, as events carry it."""
    return events.Names(kk=name.kk, ru=name.ru, en=name.en)


def _describe_provider(provider: Row) -> events.ProviderDescribed:
    return events.ProviderDescribed(
        provider_id=provider["id"], version=provider["version"], name=names_of(name_of(provider))
    )


async def republish_providers(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell the next providers again; the last one's id, None when all are told."""
    rows = await repository.providers_after(tx, after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        outbox.publish(tx, _describe_provider(row))
    return rows[-1]["id"] if rows else None


async def republish_staff(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell the next grants of providers' staff again; the last one's id, None when all are told."""
    rows = await repository.staff_after(tx, after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        described = events.StaffDescribed(
            grant_id=row["id"],
            version=row["version"],
            person_id=row["person_id"],
            provider_id=row["scope_id"],
            role=row["role"],
            ended=row["ended"],
        )
        outbox.publish(tx, described)
    return rows[-1]["id"] if rows else None
