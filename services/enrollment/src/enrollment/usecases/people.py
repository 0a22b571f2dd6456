"""Who speaks for a child: a claim, the register's or two administrators' verdict, an end."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel

from enrollment import repository
from enrollment.domain.admission import age_on
from enrollment.domain.people import (
    ADULT_AGE,
    GuardianLink,
    Identity,
    LinkState,
    SealedIin,
    birth_date_of,
)
from enrollment.repository.people import place_of
from shared import audit, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.clock import civil_date
from shared.database import Transaction, new_id
from shared.encryption import Keyring
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.enrollment import ChildDescribed
from shared.security import Principal, describe_guardians

CLAIMS_MAX = 10
CLAIMS_PAUSE = timedelta(days=1)
"""A person claims few children a day: the register is not to be searched by trying IINs."""
REPUBLISHED = 500


async def claim_link(tx: Transaction, principal: Principal, iin: str, keyring: Keyring) -> GuardianLink:
    """Say that one speaks for the child with this IIN. The answer never tells whether there is one."""
    birth_date = birth_date_of(iin)
    if birth_date is None or birth_date > civil_date(tx.now):
        raise InvalidError("iin_invalid")
    if age_on(birth_date, civil_date(tx.now)) >= ADULT_AGE:
        raise InvalidError("iin_not_of_a_child")
    index = keyring.blind_index(iin, purpose="iin")
    await repository.people.lock_person(tx, principal.person_id)
    live = await repository.people.find_live_link(tx, principal.person_id, index)
    if live is not None:
        return live
    if await repository.people.claims_since(tx, principal.person_id, CLAIMS_PAUSE) >= CLAIMS_MAX:
        raise ConflictError("too_many_claims")
    link = GuardianLink(new_id(), principal.person_id, None, LinkState.CLAIMED, version=1)
    sealed = SealedIin(keyring.encrypt(iin, place=place_of(index)), index, birth_date)
    await repository.people.add_link(tx, link, sealed)
    return link


async def settle_claim(
    tx: Transaction, link_id: UUID, identity: Identity | None, *, from_register: bool = True
) -> None:
    """The verdict on a claim: an identity of the child, or none. Nothing if it is settled already.

    What the register says replaces what was known of the child; what an administrator says does not.
    """
    link = await repository.people.lock_link(tx, link_id)
    if link is None or link.state is not LinkState.CLAIMED:
        return
    if identity is None:
        await _save(tx, replace(link, state=LinkState.REFUSED))
        return
    iin = await repository.people.iin_of_link(tx, link_id)
    child_id = await repository.people.renew_child(tx, new_id(), iin, identity, replace=from_register)
    await _save(tx, replace(link, state=LinkState.VERIFIED, child_id=child_id))
    await describe_child(tx, child_id)


async def end_link(tx: Transaction, principal: Principal, link_id: UUID) -> GuardianLink:
    """A guardian no longer speaks for the child; said by themselves or by an administrator."""
    if await repository.people.find_link(tx, principal, link_id) is None:
        raise NotFoundError
    link = await repository.people.lock_link(tx, link_id)
    if link is None or link.child_id is None:
        raise ConflictError("link_not_verified")
    if link.state is LinkState.ENDED:
        return link
    ended = await _save(tx, replace(link, state=LinkState.ENDED))
    await describe_child(tx, link.child_id)
    await audit.record(tx, principal, "end", "guardian_link", link_id)
    return ended


async def describe_child(tx: Transaction, child_id: UUID) -> None:
    """Tell who speaks for a child by now, here and to the others."""
    version = await repository.people.next_version(tx, child_id)
    guardians = (await repository.people.guardians(tx, [child_id]))[child_id]
    await describe_guardians(tx, child_id=child_id, guardians=guardians, version=version)
    outbox.publish(tx, ChildDescribed(child_id=child_id, version=version, guardians=guardians))


async def republish_children(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of children again."""
    versions = await repository.people.versions_after(tx, after, limit=REPUBLISHED)
    guardians = await repository.people.guardians(tx, versions)
    for child_id, version in versions.items():
        outbox.publish(tx, ChildDescribed(child_id=child_id, version=version, guardians=guardians[child_id]))
    return max(versions, default=None)


async def _save(tx: Transaction, link: GuardianLink) -> GuardianLink:
    renewed = replace(link, version=link.version + 1)
    await repository.people.save_link(tx, renewed)
    tx.touch(link.id)
    return renewed


class VerifiedLink(BaseModel):
    """What an administrator has seen with their own eyes, for when the register cannot tell."""

    link_id: UUID
    given_name: str
    family_name: str
    patronymic: str | None = None


async def propose_verification(tx: Transaction, principal: Principal, wanted: VerifiedLink) -> Proposal:
    """Propose that a claim be verified by another administrator."""
    principal.require("administrator")
    link = await repository.people.find_link(tx, principal, wanted.link_id)
    if link is None:
        raise NotFoundError
    if link.state is not LinkState.CLAIMED:
        raise ConflictError("link_not_claimed")
    return await propose(tx, principal, VERIFY_LINK, wanted)


async def _verify(tx: Transaction, proposal: Proposal, wanted: VerifiedLink) -> UUID:
    link = await repository.people.lock_link(tx, wanted.link_id)
    if link is None or link.state is not LinkState.CLAIMED:
        raise ConflictError("link_not_claimed")
    if link.person_id in {proposal.proposed_by, proposal.decided_by}:
        raise ConflictError("own_link")
    identity = Identity(
        given_name=wanted.given_name,
        family_name=wanted.family_name,
        patronymic=wanted.patronymic,
        school_name=None,
        school_rural=None,
        priority=0,
    )
    await settle_claim(tx, wanted.link_id, identity, from_register=False)
    return wanted.link_id


VERIFY_LINK = ApprovalKind("verify_guardian_link", VerifiedLink, ("administrator",), _verify)
