"""What wallet tells: programs and funds, what became of requests, what a month costs, who is paid."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.clubs import Names
from shared.events.envelope import Code, Day, Event, Month, Part, Tiyn

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


class LessonVerdict(Part):
    """Whether a lesson is paid, and why."""

    lesson_id: UUID
    on: Day
    verdict: Literal["counts", "does_not_count", "disputed"]
    code: Code = Field(description="Why: by which evidence, or what is missing")


class MonthCharged(Event):
    """What a month of an enrollment costs by the latest facts: absolute amounts, and a verdict a lesson."""

    type: ClassVar[str] = "wallet.month_charged.v1"
    topic: ClassVar[str] = WALLET_EVENTS
    about_money: ClassVar[bool] = True
    child_id: UUID
    enrollment_id: UUID
    group_id: UUID
    provider_id: UUID
    month: Month
    revision: int = Field(ge=1)
    amount_tiyn: Tiyn = Field(description="Captured by now, all differences together")
    disputed_tiyn: Tiyn = Field(description="Still held for disputed lessons")
    uncovered_tiyn: Tiyn = Field(description="Should be paid too, but no money was there for it")
    frozen: bool = Field(description="What is captured waits for a dispute to be decided")
    code: Code | None = Field(description="Why the month costs nothing, if no hold was there to charge")
    lessons: tuple[LessonVerdict, ...] = Field(max_length=100)

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return f"{self.enrollment_id}/{self.month}/{self.revision}"


class ItemEvent(Event):
    """Something happened to what one fund owes for an enrollment's month, in the order of the child."""

    topic: ClassVar[str] = WALLET_EVENTS
    about_money: ClassVar[bool] = True
    item_id: UUID
    child_id: UUID
    enrollment_id: UUID
    month: Month
    provider_id: UUID
    fund_id: UUID
    amount_tiyn: Tiyn

    @property
    def key(self) -> str:
        return str(self.child_id)

    @property
    def subject(self) -> str:
        return str(self.item_id)


class ItemFrozen(ItemEvent):
    """A dispute stopped it before it left: nothing is paid until the dispute is decided."""

    type: ClassVar[str] = "wallet.item_frozen.v1"


class ItemUnfrozen(ItemEvent):
    """The dispute is over; it goes on with what it amounts to now."""

    type: ClassVar[str] = "wallet.item_unfrozen.v1"


class ClaimOpened(ItemEvent):
    """A dispute came when it was on its way to the bank already: what is wrong is claimed back later."""

    type: ClassVar[str] = "wallet.claim_opened.v1"


class PayoutEvent(Event):
    """Anything about one bank order from one fund to one provider, in the order of the provider."""

    topic: ClassVar[str] = WALLET_EVENTS
    about_money: ClassVar[bool] = True
    payout_id: UUID
    run_id: UUID
    provider_id: UUID
    fund_id: UUID
    amount_tiyn: Tiyn
    items: int = Field(ge=1)
    months: tuple[Month, ...] = Field(default=(), description="Those that it pays for, the earliest first")

    @property
    def key(self) -> str:
        return str(self.provider_id)

    @property
    def subject(self) -> str:
        return str(self.payout_id)


class PayoutSent(PayoutEvent):
    """The bank has the order."""

    type: ClassVar[str] = "wallet.payout_sent.v1"


class PayoutSettled(PayoutEvent):
    """The provider has the money."""

    type: ClassVar[str] = "wallet.payout_settled.v1"


class PayoutBounced(PayoutEvent):
    """The bank did not pay; what the order was for is due again."""

    type: ClassVar[str] = "wallet.payout_bounced.v1"
    code: Code


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
    starts_on: Day
    ends_on: Day = Field(description="Last day")
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
    last_capture_on: Day

    @property
    def key(self) -> str:
        return str(self.fund_id)
