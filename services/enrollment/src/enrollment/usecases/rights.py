"""What administrators decide: entitlements of children, and the grants of administrators and auditors."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Literal
from uuid import UUID, uuid5

from pydantic import BaseModel

from enrollment import repository
from enrollment.domain.rights import Entitlement, PersonalGrant
from shared import audit, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.clock import civil_date
from shared.database import Transaction, new_id
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.enrollment import EntitlementDescribed, GrantDescribed
from shared.security import Grant, Principal, describe_grant

REPUBLISHED = 500


async def entitle(
    tx: Transaction,
    principal: Principal,
    *,
    child_id: UUID,
    program_id: UUID,
    until: date,
    coefficient_percent: int,
) -> Entitlement:
    """Let a program pay for a child from today on; if it does already, on these terms from now."""
    principal.require("administrator")
    program = (await repository.groups.find_programs(tx, [program_id])).get(program_id)
    child = await repository.people.lock_child(tx, child_id)
    if program is None or child is None:
        raise NotFoundError
    if not {program.id, program.region_id} & principal.scopes("administrator"):
        raise NotFoundError
    today = civil_date(tx.now)
    if until < today:
        raise InvalidError("ends_in_past")
    known = await repository.rights.find_entitlement(tx, child_id, program_id)
    if known is None:
        entitlement = Entitlement(new_id(), child_id, program_id, today, until, coefficient_percent, 1)
        await repository.rights.add_entitlement(tx, entitlement)
    else:
        entitlement = replace(
            known, until=until, coefficient_percent=coefficient_percent, version=known.version + 1
        )
        await repository.rights.save_entitlement(tx, entitlement)
    _tell_entitlement(tx, entitlement)
    await audit.record(tx, principal, "entitle", "child", child_id, program_id=str(program_id))
    return entitlement


def _tell_entitlement(tx: Transaction, entitlement: Entitlement) -> None:
    outbox.publish(
        tx,
        EntitlementDescribed(
            child_id=entitlement.child_id,
            entitlement_id=entitlement.id,
            program_id=entitlement.program_id,
            version=entitlement.version,
            starts_on=entitlement.starts_on,
            until=entitlement.until,
            coefficient_percent=entitlement.coefficient_percent,
        ),
    )


async def republish_entitlements(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of entitlements again."""
    found = await repository.rights.entitlements_after(tx, after, limit=REPUBLISHED)
    for entitlement in found:
        _tell_entitlement(tx, entitlement)
    return found[-1].id if found else None


class NewGrant(BaseModel):
    """A role for a person over a region or a program."""

    person_id: UUID
    role: Literal["administrator", "auditor"]
    scope_kind: Literal["region", "program"]
    scope_id: UUID


class GrantEnd(BaseModel):
    """A grant that is to end."""

    grant_id: UUID


async def propose_grant(tx: Transaction, principal: Principal, wanted: NewGrant) -> Proposal:
    """Propose a grant; nobody proposes one for themselves."""
    principal.require("administrator")
    if wanted.person_id == principal.person_id:
        raise ConflictError("own_grant")
    return await propose(tx, principal, GRANT, wanted)


async def propose_grant_end(tx: Transaction, principal: Principal, grant_id: UUID) -> Proposal:
    """Propose that a grant end."""
    principal.require("administrator")
    if await repository.rights.lock_grant(tx, grant_id) is None:
        raise NotFoundError
    return await propose(tx, principal, END_GRANT, GrantEnd(grant_id=grant_id))


async def _grant(tx: Transaction, proposal: Proposal, wanted: NewGrant) -> UUID:
    """The same role over the same thing is the same grant, given again if it had ended."""
    if proposal.decided_by == wanted.person_id:
        raise ConflictError("own_grant")
    return await give(tx, wanted)


async def give(tx: Transaction, wanted: NewGrant) -> UUID:
    """Make it so, and tell it."""
    grant_id = uuid5(wanted.scope_id, f"{wanted.role}/{wanted.person_id}")
    known = await repository.rights.lock_grant(tx, grant_id)
    if known is not None and not known.ended:
        return grant_id
    await _describe(
        tx,
        PersonalGrant(
            id=grant_id,
            person_id=wanted.person_id,
            role=wanted.role,
            scope_kind=wanted.scope_kind,
            scope_id=wanted.scope_id,
            version=known.version + 1 if known else 1,
            ended=False,
        ),
    )
    return grant_id


async def _end_grant(tx: Transaction, _: Proposal, wanted: GrantEnd) -> UUID:
    known = await repository.rights.lock_grant(tx, wanted.grant_id)
    if known is None:
        raise NotFoundError
    if not known.ended:
        await _describe(tx, replace(known, ended=True, version=known.version + 1))
    return wanted.grant_id


async def _describe(tx: Transaction, grant: PersonalGrant) -> None:
    await describe_grant(
        tx,
        id_=grant.id,
        person_id=grant.person_id,
        grant=Grant(grant.role, grant.scope_kind, grant.scope_id),
        version=grant.version,
        ended=grant.ended,
    )
    _tell_grant(tx, grant)


def _tell_grant(tx: Transaction, grant: PersonalGrant) -> None:
    outbox.publish(
        tx,
        GrantDescribed(
            grant_id=grant.id,
            version=grant.version,
            person_id=grant.person_id,
            role=grant.role,
            scope_kind=grant.scope_kind,
            scope_id=grant.scope_id,
            ended=grant.ended,
        ),
    )


async def republish_grants(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of grants again."""
    found = await repository.rights.grants_after(tx, after, limit=REPUBLISHED)
    for grant in found:
        _tell_grant(tx, grant)
    return found[-1].id if found else None


async def plant_first_administrators(tx: Transaction, person_ids: Sequence[UUID], region_id: UUID) -> None:
    """Begin: somebody has to be able to propose and approve. Does nothing once anybody was one."""
    if not person_ids or await repository.rights.has_administrators(tx):
        return
    for person_id in person_ids:
        wanted = NewGrant(person_id=person_id, role="administrator", scope_kind="region", scope_id=region_id)
        grant_id = await give(tx, wanted)
        await audit.record(tx, None, "plant_first_administrator", "grant", grant_id)


GRANT = ApprovalKind("grant", NewGrant, ("administrator",), _grant)
END_GRANT = ApprovalKind("end_grant", GrantEnd, ("administrator",), _end_grant)
