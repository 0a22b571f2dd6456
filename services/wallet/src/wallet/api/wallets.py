"""A child's wallet, its movements, and quotes."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.database import Transaction
from shared.http import (
    Body,
    Day,
    Language,
    Listing,
    PageQuery,
    Router,
    Signed,
    Tx,
    WaitQuery,
    changes_nothing,
)
from shared.security import Principal
from shared.texts import LanguageCode, Texts
from wallet.domain.operations import Declined
from wallet.usecases import quotes, wallets
from wallet.usecases.plans import PublicNames

router = Router()


class NewQuote(Body):
    """Which child, in which group, from which day."""

    child_id: UUID
    group_id: UUID
    starts_on: Day


class ShareView(BaseModel):
    """What one fund would pay."""

    program_id: UUID
    fund_id: UUID
    amount_tiyn: int


class ReasonView(BaseModel):
    """Why nobody would pay, and what to do."""

    code: Annotated[str, Field(examples=["no_money"])]
    text: str
    action: str


class QuoteView(BaseModel):
    """The month of the first lesson: what it costs at most, and who would pay what."""

    month: Annotated[str, Field(examples=["2026-10"])]
    planned_lessons: int
    covered_lessons: int
    price_tiyn: Annotated[int, Field(description="Of the whole month")]
    amount_tiyn: Annotated[int, Field(description="For the covered lessons")]
    shares: list[ShareView]
    missing_tiyn: int
    reason: ReasonView | None


class PurseView(BaseModel):
    """Money of one fund for this child, until a day."""

    model_config = ConfigDict(from_attributes=True)

    program_id: UUID
    program_name: PublicNames
    fund_id: UUID
    fund_name: PublicNames
    mode: Annotated[str, Field(examples=["ahead"])]
    until: date
    free_tiyn: int
    held_tiyn: int
    spent_tiyn: int
    expiring_tiyn: Annotated[int, Field(description="Of what is free, what is gone after `until`")]


class WalletView(BaseModel):
    """All money of a child, in the order in which it is spent."""

    child_id: UUID
    version: int
    purses: list[PurseView]


class MovementView(BaseModel):
    """Something that was done with the child's money."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    kind: Annotated[str, Field(examples=["hold"], description="Of the operation: allot, hold, charge …")]
    text: Annotated[str, Field(description="The same in the language of Accept-Language")]
    amount_tiyn: Annotated[int, Field(description="Negative: a charge was lowered, or a correction took it")]
    enrollment_id: Annotated[UUID | None, Field(description="Of a hold or a charge")]
    month: Annotated[str | None, Field(description="Of a hold or a charge", examples=["2026-10"])]


@router.post("/v1/quotes", tags=["wallets"])
@changes_nothing
async def quote(body: NewQuote, tx: Tx, principal: Signed, language: Language) -> QuoteView:
    """Who would pay what if the child were enrolled. Changes nothing and promises nothing."""
    found = await quotes.quote(
        tx, principal, child_id=body.child_id, group_id=body.group_id, starts_on=body.starts_on
    )
    declined = found.outcome if isinstance(found.outcome, Declined) else None
    shares = () if isinstance(found.outcome, Declined) else found.outcome.shares
    return QuoteView(
        month=found.month,
        planned_lessons=found.planned,
        covered_lessons=found.covered,
        price_tiyn=found.price_tiyn,
        amount_tiyn=found.amount_tiyn,
        shares=[ShareView(**share._asdict()) for share in shares],
        missing_tiyn=declined.missing_tiyn if declined else 0,
        reason=_reason(declined.code, language) if declined else None,
    )


def _reason(code: str, language: LanguageCode) -> ReasonView:
    texts = Texts.of("wallet")
    return ReasonView(
        code=code,
        text=texts.translate(language, code),
        action=texts.translate(language, f"{code}.action"),
    )


@router.get("/v1/wallets/{child_id}", tags=["wallets"])
async def get_wallet(child_id: UUID, wait: WaitQuery) -> WalletView:
    """By program and fund: free, held, spent, until when."""

    async def read(tx: Transaction, principal: Principal) -> WalletView:
        wallet = await wallets.read_wallet(tx, principal, child_id)
        purses = [PurseView.model_validate(dict(row)) for row in wallet.purses]
        return WalletView(child_id=child_id, version=wallet.version, purses=purses)

    return await wait.newer(child_id, read)


@router.get("/v1/wallets/{child_id}/movements", tags=["wallets"])
async def list_movements(
    *, child_id: UUID, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> Listing[MovementView]:
    """What was done with the money, the newest first."""
    before = UUID(str(page.after[0])) if page.after else None
    found = await wallets.list_movements(tx, principal, child_id, before=before, limit=page.limit + 1)
    return page.listing(
        found, key=lambda row: (str(row["id"]),), view=lambda row: _movement(dict(row), language)
    )


def _movement(row: dict[str, Any], language: LanguageCode) -> MovementView:
    kind = "lowered" if row["kind"] == "charge" and row["amount_tiyn"] < 0 else row["kind"]
    text = Texts.of("wallet").translate(language, f"operation.{kind}", month=row["month"] or "")
    return MovementView(**row, text=text)
