"""The middle of a trace: holds, charges with their verdicts, and what is owed, with all that was done."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class LayerView(BaseModel):
    """What one allotment reserved, and what became of it."""

    fund_id: UUID
    account_id: int
    expires_on: date
    amount_tiyn: int
    released_tiyn: int
    captured_tiyn: int


class RulesView(BaseModel):
    """By which version of a program's rules."""

    program_id: UUID
    version: int


class TracedHoldView(BaseModel):
    """What was reserved for a month, with the terms frozen in it."""

    hold_id: UUID
    attempt: int
    open: bool
    held_at: datetime
    price_tiyn: Annotated[int, Field(description="Of the whole month")]
    planned_lessons: int
    rules: list[RulesView]
    layers: list[LayerView]


class ChargedLessonView(BaseModel):
    """Whether a lesson is paid, and why."""

    lesson_id: UUID
    on: date
    verdict: Literal["counts", "does_not_count", "disputed"]
    code: str


class TracedChargeView(BaseModel):
    """What the month cost by one revision of the facts. Absolute amounts."""

    revision: int
    operation_id: UUID
    digest: Annotated[str, Field(description="Of the facts, as the provider signs them")]
    code: Annotated[str | None, Field(description="Why the month costs nothing, if nothing was held")]
    cost_tiyn: int
    captured_tiyn: int
    disputed_tiyn: int
    uncovered_tiyn: int
    frozen: bool
    charged_at: datetime
    lessons: list[ChargedLessonView]


class SignatureView(BaseModel):
    """The provider's signature that made an item due."""

    statement_id: UUID
    revision: int
    signed_by: UUID
    signed_at: datetime


class AllotmentView(BaseModel):
    """The child's money that was spent."""

    account_id: int
    expires_on: date


class CaptureView(BaseModel):
    """Money that became owed: one posting."""

    operation_id: UUID
    posting: Annotated[int, Field(description="Its place in the operation")]
    batch_id: int
    posted_at: datetime
    amount_tiyn: int
    allotment: AllotmentView
    hold_id: UUID


class EntryView(BaseModel):
    """What an operation did with an item."""

    operation_id: UUID
    kind: Annotated[str, Field(examples=["capture"])]
    text: str
    amount_tiyn: int
    payout_id: UUID | None
    posted_at: datetime


class TracedItemView(BaseModel):
    """What one fund owes for a month, or what one revision added to it."""

    item_id: UUID
    enrollment_id: UUID
    child_id: UUID
    provider_id: UUID
    group_id: UUID
    fund_id: UUID
    month: Annotated[str, Field(examples=["2026-10"])]
    revision: int
    charged_tiyn: Annotated[int, Field(description="At first")]
    amount_tiyn: int
    claimed_tiyn: int
    recovered_tiyn: Annotated[int, Field(description="Of what is claimed, repaid")]
    stage: Annotated[str, Field(examples=["settled"])]
    frozen: bool
    due_on: date
    payout_id: UUID | None
    created_at: datetime
    signature: SignatureView | None
    captures: list[CaptureView]
    entries: list[EntryView]


class OrderedItemView(TracedItemView):
    """An item of an order; `amount_tiyn` is what the order pays of it. The rest is as it is now."""

    charge: Annotated[TracedChargeView, Field(description="That made it")]
    latest_charge: Annotated[TracedChargeView | None, Field(description="If the facts have changed since")]
    holds: list[TracedHoldView]
