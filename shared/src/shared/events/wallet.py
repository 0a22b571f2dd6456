"""What wallet tells: programs and funds, and what became of a request for money."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.clubs import Names
from shared.events.envelope import Code, Event, Month, Part, Tiyn

WALLET_EVENTS = "wallet.events"
WALLET_RUNS = "wallet.runs"
CHILDREN_PER_RECORD_MAX = 500


class FundingAnswered(Event):
    """The answer to one `enrollment.funding_requested`, final for its attempt."""

    topic: ClassVar[str] = WALLET_EVENTS
    about_money: ClassVar[bool] = True
    child_id: UUID
    enrollment_id: UUID
    month: Month
    attempt: int = Field(ge=1)

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return f"{self.enrollment_id}/{self.month}/{self.attempt}"


class Layer(Part):
    """What one fund reserves of a hold, in the order of the program and the fund's expiry."""

    program_id: UUID
    fund_id: UUID
    amount_tiyn: Tiyn


class FundsHeld(FundingAnswered):
    """The month's money is reserved, fund by fund."""

    type: ClassVar[str] = "wallet.funds_held.v1"
    hold_id: UUID
    amount_tiyn: Tiyn
    layers: tuple[Layer, ...]


class FundsDeclined(FundingAnswered):
    """No money for this month: why, and how much is missing."""

    type: ClassVar[str] = "wallet.funds_declined.v1"
    code: Code
    missing_tiyn: Tiyn


class FundDeposited(Event):
    """Money came into a fund: those who were declined may be asked for again."""

    type: ClassVar[str] = "wallet.fund_deposited.v1"
    topic: ClassVar[str] = WALLET_EVENTS
    about_money: ClassVar[bool] = True
    program_id: UUID
    fund_id: UUID
    amount_tiyn: Tiyn

    @property
    def key(self) -> str:
        return str(self.program_id)


class ChildrenFunded(Event):
    """A funding run allotted money to these children. In a topic of its own, behind which nobody waits."""

    type: ClassVar[str] = "wallet.children_funded.v1"
    topic: ClassVar[str] = WALLET_RUNS
    about_money: ClassVar[bool] = True
    run_id: UUID
    program_id: UUID
    fund_id: UUID
    child_ids: tuple[UUID, ...] = Field(min_length=1, max_length=CHILDREN_PER_RECORD_MAX)

    @property
    def key(self) -> str:
        return str(self.run_id)


class ProgramDescribed(Event):
    """A program: what it pays for, and the days of its month. Full state."""

    type: ClassVar[str] = "wallet.program_described.v1"
    topic: ClassVar[str] = WALLET_EVENTS
    full_state: ClassVar[bool] = True
    program_id: UUID
    version: int = Field(ge=1)
    region_id: UUID
    name: Names
    directions: tuple[Code, ...] = Field(description="Empty: every direction")
    starts_on: date
    ends_on: date = Field(description="Last day")
    clubs_per_child_max: int = Field(ge=1)
    asks_from_day: int = Field(ge=1, le=28, description="Day on which money for the next month is asked")
    grace_ends_on_day: int = Field(
        ge=1, le=28, description="Day on which an unfunded month ends the enrollment"
    )
    declined_percent_max: int = Field(ge=0, le=100, description="Above it, ending waits for an administrator")

    @property
    def key(self) -> str:
        return str(self.program_id)


class FundDescribed(Event):
    """One budget line of a funder in a program. Full state."""

    type: ClassVar[str] = "wallet.fund_described.v1"
    topic: ClassVar[str] = WALLET_EVENTS
    full_state: ClassVar[bool] = True
    fund_id: UUID
    version: int = Field(ge=1)
    program_id: UUID
    name: Names
    mode: Literal["ahead", "on_hold"]
    last_capture_on: date

    @property
    def key(self) -> str:
        return str(self.fund_id)
