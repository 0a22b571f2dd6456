"""The ledger, posting by posting."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from shared.events.envelope import Month
from shared.http import Language, Listing, PageQuery, Router, Signed, Tx
from shared.texts import LanguageCode, Texts
from wallet.api.ledger.balances import Moment
from wallet.domain.accounts import Kind
from wallet.repository.ledger import Row
from wallet.repository.ledger.postings import Place, Wanted
from wallet.repository.numbers import KINDS
from wallet.usecases.ledger import postings
from wallet.usecases.ledger.months import movement_of

router = Router()

Number = Annotated[int | None, Query(ge=1, le=2**53 - 1)]


class PostingView(BaseModel):
    """One amount from one account to another of the same fund."""

    operation_id: UUID
    place: Annotated[int, Field(description="Among the postings of its operation")]
    batch_id: int
    posted_at: datetime
    effective_on: Annotated[date, Field(description="The day that it is about")]
    kind: Annotated[str, Field(description="Of its operation", examples=["charge"])]
    movement: Annotated[str, Field(examples=["captured"])]
    text: Annotated[str, Field(description="The same in the language of Accept-Language")]
    amount_tiyn: int
    fund_id: UUID
    debit_account: int
    debited: Kind
    credit_account: int
    credited: Kind
    child_id: UUID | None
    provider_id: UUID | None
    payout_id: UUID | None
    enrollment_id: UUID | None
    month: Annotated[str | None, Field(description="Of a hold or a charge", examples=["2026-10"])]
    corrects_month: Annotated[str | None, Field(description="The locked month that it is about")]
    trace: Annotated[str, Field(description="Where it is followed from its source to the bank and back")]


class OperationView(BaseModel):
    """What was asked of the ledger and done, or declined, with all that it moved."""

    id: UUID
    kind: Annotated[str, Field(examples=["charge"])]
    code: Annotated[str | None, Field(description="Why it was declined")]
    amount_tiyn: Annotated[int, Field(description="Of a declined one: what was missing")]
    batch_id: int
    posted_at: datetime
    child_id: UUID | None
    enrollment_id: UUID | None
    month: str | None
    postings: Annotated[list[PostingView], Field(description="None if it only reserved, or was declined")]


def wanted_of(
    *,
    fund_id: UUID | None = None,
    account_id: Number = None,
    child_id: UUID | None = None,
    provider_id: UUID | None = None,
    kind: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$", description="Of the operation")] = None,
    batch_id: Number = None,
    month: Annotated[Month | None, Query(description="In which it is effective")] = None,
    recorded_from: Moment | None = None,
    recorded_until: Annotated[Moment | None, Query(description="Before this moment")] = None,
) -> Wanted:
    """Which postings somebody asks for."""
    wanted = Wanted(
        fund_id=fund_id,
        account_id=account_id,
        child_id=child_id,
        provider_id=provider_id,
        kind=kind,
        batch_id=batch_id,
        recorded_from=recorded_from,
        recorded_until=recorded_until,
    )
    return postings.of_month(wanted, month) if month else wanted


WantedQuery = Annotated[Wanted, Depends(wanted_of)]


@router.get("/v1/ledger/postings", tags=["ledger"])
async def list_postings(
    *, wanted: WantedQuery, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> Listing[PostingView]:
    """The ledger of the funds that you oversee, the newest first; or of your child, or your provider."""
    after = Place(UUID(str(page.after[0])), int(page.after[1])) if page.after else None
    found = await postings.list_postings(tx, principal, wanted, after=after, limit=page.limit + 1)
    return page.listing(
        found,
        key=lambda row: (str(row["operation_id"]), row["place"]),
        view=lambda row: _posting(row, language),
    )


@router.get("/v1/ledger/operations/{operation_id}", tags=["ledger"])
async def read_operation(operation_id: UUID, tx: Tx, principal: Signed, language: Language) -> OperationView:
    """One operation, with its postings in the funds that you oversee."""
    operation, found = await postings.read_operation(tx, principal, operation_id)
    return OperationView(**operation, postings=[_posting(row, language) for row in found])


def _posting(row: Row, language: LanguageCode) -> PostingView:
    debited, credited = KINDS[row["debited_kind"]], KINDS[row["credited_kind"]]
    movement = movement_of(row["kind"], debited, credited)
    kind, id_ = postings.trace_of(row)
    return PostingView(
        **row,
        debited=debited,
        credited=credited,
        movement=movement,
        text=Texts.of("wallet").translate(language, f"movement.{movement}"),
        trace=f"/v1/trace/{kind}/{id_}",
    )
