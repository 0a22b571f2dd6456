"""What a month costs, lesson by lesson; what a provider is owed, and when it is paid."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.events.envelope import Month
from shared.http import Language, Listing, PageQuery, Router, Signed, Tx
from shared.texts import LanguageCode, Texts
from wallet.domain.items import Stage
from wallet.usecases import charges
from wallet.usecases.charges import ReadCharge, ReadItem

router = Router()


class ChargedLesson(BaseModel):
    """Whether a lesson is paid, why, and its part of the month."""

    lesson_id: UUID
    on: date
    verdict: Literal["counts", "does_not_count", "disputed"]
    code: Annotated[str, Field(examples=["confirmed"])]
    text: Annotated[str, Field(description="The same in the language of Accept-Language")]
    amount_tiyn: int


class ChargeView(BaseModel):
    """What a month costs by the latest facts. The parts of all lessons sum to what is captured or held."""

    enrollment_id: UUID
    child_id: UUID
    provider_id: UUID
    group_id: UUID
    month: str
    revision: Annotated[int, Field(description="Of the facts")]
    amount_tiyn: Annotated[int, Field(description="Captured by now")]
    disputed_tiyn: Annotated[int, Field(description="Still held for disputed lessons")]
    uncovered_tiyn: Annotated[int, Field(description="Should be paid too, but there was no money for it")]
    frozen: Annotated[bool, Field(description="Nothing is paid before a dispute is decided")]
    code: Annotated[str | None, Field(description="Why it costs nothing, if no money was held")]
    charged_at: datetime
    lessons: list[ChargedLesson]


class ItemView(BaseModel):
    """What one fund owes for an enrollment's month, and where it is on its way."""

    id: UUID
    enrollment_id: UUID
    child_id: UUID
    group_id: UUID
    month: str
    fund_id: UUID
    revision: Annotated[int, Field(description="Of the facts it was charged by")]
    amount_tiyn: Annotated[int, Field(description="Now; a decision may have lowered it")]
    charged_tiyn: Annotated[int, Field(description="At first")]
    claimed_tiyn: Annotated[int, Field(description="Claimed back after it had left")]
    stage: Stage
    frozen: bool
    reason: Annotated[str | None, Field(description="What it waits for", examples=["not_signed"])]
    text: Annotated[str | None, Field(description="The same in the language of Accept-Language")]
    due_on: date
    days_late: int
    payout_id: UUID | None


@router.get("/v1/charges", tags=["charges"])
async def read_charge(
    enrollment_id: UUID, month: Month, tx: Tx, principal: Signed, language: Language
) -> ChargeView:
    """What a month of an enrollment costs and why. Until it is closed it is not found."""
    return _charge(await charges.read_charge(tx, principal, enrollment_id, month), language)


@router.get("/v1/payable-items", tags=["charges"])
async def list_items(
    *, provider_id: UUID, month: Month, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> Listing[ItemView]:
    """What a provider is owed for a month: when each line is paid, and what holds it up."""
    after = UUID(str(page.after[0])) if page.after else None
    found = await charges.list_items(tx, principal, provider_id, month, after=after, limit=page.limit + 1)
    return page.listing(found, key=lambda one: (str(one.row["id"]),), view=lambda one: _item(one, language))


def _charge(charge: ReadCharge, language: LanguageCode) -> ChargeView:
    texts = Texts.of("wallet")
    lessons = [
        ChargedLesson(
            **one.verdict._asdict(),
            text=texts.translate(language, f"verdict.{one.verdict.code}"),
            amount_tiyn=one.price_tiyn,
        )
        for one in charge.lessons
    ]
    return ChargeView(**charge.row, amount_tiyn=charge.row["captured_tiyn"], lessons=lessons)


def _item(item: ReadItem, language: LanguageCode) -> ItemView:
    text = Texts.of("wallet").translate(language, f"item.{item.reason}") if item.reason else None
    return ItemView(**item.row, reason=item.reason, text=text, days_late=item.days_late)
