"""What two persons agree on about a fund's money: it goes back to the budget, is repaid, or put right."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from wallet.domain.accounts import Kind
from wallet.domain.operations.identity import Identity


class Approval(NamedTuple):
    """Who wanted it, and who else agreed."""

    proposal_id: UUID
    proposed_by: UUID
    approved_by: UUID


@dataclass(frozen=True, slots=True)
class Return:
    """Money of a fund goes back to the budget that it came from, by an order given to the bank elsewhere."""

    id: UUID
    identity: Identity
    approval: Approval
    fund_id: UUID
    source: Literal[Kind.RETURNED, Kind.FUND]
    """What nobody may spend any more; or, of a fund that is over, what nobody has spent."""
    amount_tiyn: int
    bank_reference: str

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.fund_id, self.source, self.amount_tiyn, self.bank_reference


@dataclass(frozen=True, slots=True)
class Recover:
    """A provider repaid what was claimed back: the fund can spend it again."""

    id: UUID
    identity: Identity
    approval: Approval
    fund_id: UUID
    provider_id: UUID
    amount_tiyn: int
    bank_reference: str

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return self.fund_id, self.provider_id, self.amount_tiyn, self.bank_reference


@dataclass(frozen=True, slots=True)
class Correct:
    """Put right what an operation did: one posting between two accounts of its fund."""

    id: UUID
    identity: Identity
    approval: Approval
    fund_id: UUID
    debit: Kind
    credit: Kind
    amount_tiyn: int
    corrects: UUID
    """The operation that was wrong."""
    reason: str
    child_id: UUID | None = None
    """Of the allotment, if one of the accounts is one; with its last day."""
    expires_on: date | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What the same identity must repeat to be the same request."""
        return (
            self.fund_id,
            self.debit,
            self.credit,
            self.amount_tiyn,
            self.corrects,
            self.reason,
            self.child_id,
            self.expires_on,
        )


class Returned(NamedTuple):
    """The money left the bank, towards the budget."""

    operation_id: UUID
    amount_tiyn: int


class Recovered(NamedTuple):
    """The fund can spend it again."""

    operation_id: UUID
    amount_tiyn: int


class Corrected(NamedTuple):
    """It is where it belongs."""

    operation_id: UUID
    amount_tiyn: int
