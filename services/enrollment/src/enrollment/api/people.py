"""Who one is, the children one speaks for, and how one comes to speak for them."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from enrollment import repository
from enrollment.domain.people import Child, GuardianLink, LinkState, masked
from enrollment.repository.people import place_of
from enrollment.usecases import people as usecases
from enrollment.usecases.people import VerifiedLink
from shared import audit
from shared.database import Transaction
from shared.encryption import Keyring
from shared.errors import InvalidError, NotFoundError
from shared.http import Body, Listing, Name, PageQuery, Router, Signed, Text, Tx, WaitQuery
from shared.http.approving import ProposalView
from shared.http.wiring import wiring_of
from shared.security import Principal, Role, ScopeKind

CHILDREN_AT_ONCE = 50

router = Router()


async def _keyring(request: Request) -> Keyring:
    return Keyring.of(wiring_of(request.scope).settings)


Keys = Annotated[Keyring, Depends(_keyring)]


class GrantOfMine(BaseModel):
    """A role one has, and over what."""

    role: Role
    scope_kind: ScopeKind
    scope_id: UUID


class Me(BaseModel):
    """Who is signed in."""

    person_id: UUID
    grants: list[GrantOfMine]


class NewLink(Body):
    """The child one speaks for."""

    iin: Annotated[str, Field(max_length=40, examples=["150901500010"])]


class LinkView(BaseModel):
    """Whether one speaks for a child. A refusal does not tell whether there is such a child."""

    id: UUID
    person_id: UUID
    child_id: Annotated[UUID | None, Field(description="Once verified")]
    state: LinkState
    version: int

    @classmethod
    def of(cls, link: GuardianLink) -> Self:
        """A link as the API shows it."""
        return cls(
            id=link.id,
            person_id=link.person_id,
            child_id=link.child_id,
            state=link.state,
            version=link.version,
        )


class LinkVerification(Body):
    """What an administrator saw, when the register cannot tell."""

    given_name: Annotated[Name, Field(examples=["Айгерім"])]
    family_name: Annotated[Name, Field(examples=["Өтегенова"])]
    patronymic: Annotated[Name | None, Field(examples=["Бауыржанқызы"])] = None


class SchoolView(BaseModel):
    """Where the child learns."""

    name: str
    rural: bool


class ChildView(BaseModel):
    """A child."""

    id: UUID
    version: int
    iin: Annotated[str, Field(description="Masked", examples=["********0010"])]
    birth_date: date
    given_name: str
    family_name: str
    patronymic: str | None
    school: SchoolView | None


def _child_view(child: Child, keyring: Keyring) -> ChildView:
    identity = child.identity
    school = None
    if identity.school_name is not None:
        school = SchoolView(name=identity.school_name, rural=bool(identity.school_rural))
    return ChildView(
        id=child.id,
        version=child.version,
        iin=masked(keyring.decrypt(child.iin.encrypted, place=place_of(child.iin.index))),
        birth_date=child.iin.birth_date,
        given_name=identity.given_name,
        family_name=identity.family_name,
        patronymic=identity.patronymic,
        school=school,
    )


@router.get("/v1/me", tags=["people"])
async def read_me(principal: Signed) -> Me:
    """Who you are here, and what you may do."""
    grants = sorted(principal.grants, key=lambda grant: (grant.role, grant.scope_id))
    return Me(
        person_id=principal.person_id,
        grants=[
            GrantOfMine(role=one.role, scope_kind=one.scope_kind, scope_id=one.scope_id) for one in grants
        ],
    )


@router.post("/v1/guardian-links", status_code=201, tags=["people"])
async def claim_link(body: NewLink, tx: Tx, principal: Signed, response: Response, keyring: Keys) -> LinkView:
    """Say that you speak for a child; the register is asked, `?wait=` on the link for its verdict."""
    link = await usecases.claim_link(tx, principal, body.iin.strip(), keyring)
    response.headers["Location"] = f"/v1/guardian-links/{link.id}"
    return LinkView.of(link)


@router.get("/v1/guardian-links/{link_id}", tags=["people"])
async def read_link(link_id: UUID, wait: WaitQuery) -> LinkView:
    """A link of yours; with `wait`, as soon as it is newer than `version`."""

    async def read(tx: Transaction, principal: Principal) -> LinkView:
        link = await repository.people.find_link(tx, principal, link_id)
        if link is None:
            raise NotFoundError
        return LinkView.of(link)

    return await wait.newer(link_id, read)


@router.post("/v1/guardian-links/{link_id}/verify", status_code=202, tags=["people"])
async def verify_link(link_id: UUID, body: LinkVerification, tx: Tx, principal: Signed) -> ProposalView:
    """Propose that a claim be verified without the register; another administrator approves."""
    wanted = VerifiedLink(
        link_id=link_id,
        given_name=body.given_name,
        family_name=body.family_name,
        patronymic=body.patronymic,
    )
    return ProposalView.model_validate(await usecases.propose_verification(tx, principal, wanted))


@router.post("/v1/guardian-links/{link_id}/end", tags=["people"])
async def end_link(link_id: UUID, tx: Tx, principal: Signed) -> LinkView:
    """Stop speaking for a child."""
    return LinkView.of(await usecases.end_link(tx, principal, link_id))


@router.get("/v1/children", tags=["people"])
async def list_children(
    *,
    tx: Tx,
    principal: Signed,
    page: PageQuery,
    keyring: Keys,
    ids: Annotated[
        list[UUID] | None, Query(max_length=CHILDREN_AT_ONCE, description="Of others: with a reason, noted")
    ] = None,
    reason: Annotated[Text | None, Query(description="Why you look; kept in the audit log")] = None,
) -> Listing[ChildView]:
    """The children you speak for; or, for those with a reason, these children."""
    if ids is None:
        after = UUID(str(page.after[0])) if page.after else None
        own = await repository.people.own_children(tx, principal, limit=page.limit + 1, after=after)
        return page.listing(
            own, key=lambda child: (str(child.id),), view=lambda child: _child_view(child, keyring)
        )
    principal.require("director", "administrator", "auditor")
    if reason is None:
        raise InvalidError("reason_required")
    found = await repository.people.children_with_reason(tx, principal, set(ids))
    for child in found:
        await audit.record(tx, principal, "read", "child", child.id, reason=reason)
    return Listing(items=[_child_view(child, keyring) for child in found])


@router.get("/v1/children/{child_id}", tags=["people"])
async def read_child(
    child_id: UUID,
    tx: Tx,
    principal: Signed,
    keyring: Keys,
    reason: Annotated[
        Text | None, Query(description="Why you look, unless you speak for the child; kept in the audit log")
    ] = None,
) -> ChildView:
    """One child."""
    child = await repository.people.find_child(tx, principal, child_id)
    if child is None:
        raise NotFoundError
    if child_id not in principal.scopes("guardian"):
        if reason is None:
            raise InvalidError("reason_required")
        await audit.record(tx, principal, "read", "child", child_id, reason=reason)
    return _child_view(child, keyring)
