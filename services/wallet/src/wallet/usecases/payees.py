"""Whom a provider's money goes to: its director proposes an account, an administrator approves it."""

from typing import Annotated
from uuid import UUID

from idnumbers.nationalid import KAZ
from pydantic import AfterValidator, Field, StringConstraints

from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.errors import InvalidError, NotFoundError
from shared.security import Principal
from wallet.domain.payouts import COOLING, account_trouble
from wallet.repository import payees
from wallet.repository.payees import Payee
from wallet.usecases.plans import Plan, composed

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=140, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]+$"
    ),
    AfterValidator(composed),
]


class PayeePlan(Plan):
    """The account that a provider wants to be paid to."""

    provider_id: UUID
    iban: Annotated[str, Field(pattern="^KZ[0-9]{5}[0-9A-Z]{13}$", examples=["KZ64722S000001234567"])]
    name: Annotated[Name, Field(description="Of the organization, as its bank knows it")]
    bin: Annotated[str, Field(pattern="^[0-9]{12}$", examples=["100140000003"])]


async def propose_payee(tx: Transaction, principal: Principal, plan: PayeePlan) -> Proposal:
    """A director of the provider proposes. Any administrator may approve: a provider has no region."""
    principal.require("director")
    if plan.provider_id not in principal.scopes("director"):
        raise NotFoundError
    if trouble := account_trouble(plan.iban):
        raise InvalidError(trouble)
    if not KAZ.BusinessIDNumber.validate(plan.bin):
        raise InvalidError("bin_invalid")
    return await propose(tx, principal, PAYEE, plan)


async def _appoint(tx: Transaction, proposal: Proposal, plan: PayeePlan) -> UUID:
    """Two at once: the later waits, and then replaces the earlier."""
    before = await payees.lock_payee(tx, plan.provider_id)
    payee = Payee(
        id=new_id(),
        provider_id=plan.provider_id,
        iban=plan.iban,
        name=plan.name,
        bin=plan.bin,
        proposal_id=proposal.id,
        created_at=tx.now,
        payable_from=None if before is None else tx.now + COOLING,
    )
    await payees.replace_payee(tx, payee)
    return payee.id


PAYEE = ApprovalKind("payee", PayeePlan, ("administrator",), _appoint)


async def read_payee(tx: Transaction, principal: Principal, provider_id: UUID) -> Payee:
    """For directors of the provider, administrators and auditors; for all others there is none."""
    entitled = provider_id in principal.scopes("director") or principal.has("administrator", "auditor")
    payee = await payees.current_payee(tx, provider_id) if entitled else None
    if payee is None:
        raise NotFoundError
    return payee
