"""What can be asked of the ledger, and what it answers: a module for each kind of asker.

An operation's identity is (origin, kind, key). The same identity with the same content gets the first result,
whatever it was; with other content it is `Mismatched` and nothing is written.
"""

from typing import NamedTuple
from uuid import UUID

from wallet.domain.operations.approved import (
    Approval,
    Correct,
    Corrected,
    Recover,
    Recovered,
    Return,
    Returned,
)
from wallet.domain.operations.enrollments import (
    Charge,
    Charged,
    Held,
    HoldMonth,
    Reduce,
    Release,
    Released,
    Share,
    Superseded,
)
from wallet.domain.operations.funds import Allot, Allotted, Deposit, Deposited, Expire, Expired
from wallet.domain.operations.identity import Identity
from wallet.domain.operations.orders import Bounce, Bounced, PaidOut, PayOut, Settle, Settled

__all__ = [
    "Allot",
    "Allotted",
    "Approval",
    "Approved",
    "Bounce",
    "Bounced",
    "Charge",
    "Charged",
    "Command",
    "Correct",
    "Corrected",
    "Declined",
    "Deposit",
    "Deposited",
    "Expire",
    "Expired",
    "Final",
    "Held",
    "HoldMonth",
    "Identity",
    "Mismatched",
    "OfEnrollment",
    "OfFund",
    "OfOrder",
    "OrderResult",
    "PaidOut",
    "PayOut",
    "Recover",
    "Recovered",
    "Reduce",
    "Release",
    "Released",
    "Result",
    "Return",
    "Returned",
    "Settle",
    "Settled",
    "Share",
    "Superseded",
    "Unready",
    "child_of",
]

Approved = Return | Recover | Correct
OfFund = Deposit | Allot | Expire | Approved
OfOrder = PayOut | Settle | Bounce
OfEnrollment = HoldMonth | Reduce | Release | Charge
Command = OfFund | OfEnrollment | OfOrder


def child_of(command: Command) -> UUID | None:
    """Whose wallet the command is about, if it is about one."""
    return None if isinstance(command, Deposit | Return | Recover | OfOrder) else command.child_id


class Unready(NamedTuple):
    """A fact that the decision needs has not arrived: nothing was written, ask again."""

    fact: str


class Declined(NamedTuple):
    """The rules do not allow it, or there is not enough. Final for this identity."""

    code: str
    missing_tiyn: int


class Mismatched(NamedTuple):
    """The identity, or the enrollment, belongs to another content: an error of the asker, nothing written."""

    identity: Identity


OrderResult = PaidOut | Settled | Bounced
FundResult = Deposited | Allotted | Expired | Returned | Recovered | Corrected
Final = FundResult | Held | Released | Charged | Superseded | OrderResult | Declined
"""What is recorded: a repetition gets it again."""
Result = Final | Mismatched | Unready
