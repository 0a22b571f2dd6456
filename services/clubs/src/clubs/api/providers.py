"""Providers, their staff, and their clubs."""

from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from clubs.domain.groups import Names
from clubs.repository.providers import Row, name_of
from clubs.usecases import providers as usecases
from clubs.usecases.providers import StaffRole
from shared.events.envelope import Code
from shared.http import Body, Name, Router, Signed, Tx

router = Router()


class NamesView(Body):
    """A public name in every language of the system."""

    kk: Annotated[Name, Field(examples=["Робототехника"])]
    ru: Annotated[Name, Field(examples=["Робототехника"])]
    en: Annotated[Name, Field(examples=["Robotics"])]

    @classmethod
    def of(cls, name: Names) -> "NamesView":
        """The name as the API shows it."""
        return cls(kk=name.kk, ru=name.ru, en=name.en)

    def name(self) -> Names:
        """The name as the domain knows it."""
        return Names(self.kk, self.ru, self.en)


class NewProvider(Body):
    """An organization that holds clubs."""

    bin: Annotated[str, Field(max_length=12, examples=["240140001238"])]
    name: NamesView


class ProviderView(BaseModel):
    """A provider."""

    id: UUID
    version: int
    bin: str
    name: NamesView


class NewStaff(Body):
    """A person's role at a provider."""

    person_id: UUID
    role: StaffRole


class StaffView(NewStaff):
    """A role that was given."""

    id: UUID
    provider_id: UUID


class NewClub(Body):
    """An offering, of which groups are made."""

    provider_id: UUID
    name: NamesView
    direction: Annotated[Code, Field(examples=["robotics"])]


class ClubView(BaseModel):
    """An offering."""

    id: UUID
    version: int
    provider_id: UUID
    name: NamesView
    direction: str


@router.post("/v1/providers", status_code=201, tags=["providers"])
async def register_provider(body: NewProvider, tx: Tx, principal: Signed, response: Response) -> ProviderView:
    """Register an organization by its BIN. For administrators."""
    provider = await usecases.register_provider(tx, principal, number=body.bin, name=body.name.name())
    response.headers["Location"] = f"/v1/providers/{provider['id']}"
    return _provider_view(provider)


@router.get("/v1/providers/{provider_id}", tags=["providers"])
async def read_provider(provider_id: UUID, tx: Tx) -> ProviderView:
    """A provider."""
    return _provider_view(await usecases.read_provider(tx, provider_id))


@router.post("/v1/providers/{provider_id}/staff", status_code=201, tags=["providers"])
async def appoint_staff(provider_id: UUID, body: NewStaff, tx: Tx, principal: Signed) -> StaffView:
    """Give a person a role at a provider. For administrators, and directors at their own provider."""
    id_ = await usecases.appoint_staff(tx, principal, provider_id, person_id=body.person_id, role=body.role)
    return StaffView(id=id_, provider_id=provider_id, person_id=body.person_id, role=body.role)


@router.post("/v1/clubs", status_code=201, tags=["clubs"])
async def open_club(body: NewClub, tx: Tx, principal: Signed, response: Response) -> ClubView:
    """Open a club. For directors of the provider."""
    club = await usecases.open_club(
        tx, principal, provider_id=body.provider_id, name=body.name.name(), direction=body.direction
    )
    response.headers["Location"] = f"/v1/clubs/{club['id']}"
    return _club_view(club)


@router.get("/v1/clubs/{club_id}", tags=["clubs"])
async def read_club(club_id: UUID, tx: Tx) -> ClubView:
    """A club."""
    return _club_view(await usecases.read_club(tx, club_id))


def _provider_view(row: Row) -> ProviderView:
    name = NamesView.of(name_of(row))
    return ProviderView(id=row["id"], version=row["version"], bin=row["bin"], name=name)


def _club_view(row: Row) -> ClubView:
    return ClubView(
        id=row["id"],
        version=row["version"],
        provider_id=row["provider_id"],
        name=NamesView.of(name_of(row)),
        direction=row["direction"],
    )
