"""Balances as of any moment: as recorded then, as effective on a day, or both."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from shared.http import Day, Router, Signed, Tx
from wallet.domain.accounts import Kind
from wallet.repository.ledger.balances import AsOf
from wallet.usecases.ledger import balances
from wallet.usecases.ledger.balances import PurseThen
from wallet.usecases.plans import PublicNames

router = Router()


def _written_as_moment(value: object) -> object:
    """Pydantic would also take seconds since 1970."""
    if isinstance(value, str) and not value[:5].endswith("-"):
        raise PydanticCustomError("moment_malformed", "a moment is written as 2026-11-01T00:00:00Z")
    return value


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_as_moment),
    Field(ge=datetime(2020, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC)),
]
"""A moment that somebody asks for, with its distance from UTC."""


def _as_of(
    recorded_at: Annotated[
        Moment | None, Query(description="Only what had been recorded by then; without it, by now")
    ] = None,
    effective_on: Annotated[
        Day | None,
        Query(
            description="Only what is about days up to this one: a charge is about the last day of its "
            "month, all else about the day on which it was recorded"
        ),
    ] = None,
) -> AsOf:
    return AsOf(recorded_at, effective_on)


AsOfQuery = Annotated[AsOf, Depends(_as_of)]


class KindBalanceView(BaseModel):
    """All accounts of a fund of one kind together."""

    kind: Kind
    debited_tiyn: int
    credited_tiyn: int
    balance_tiyn: Annotated[
        int, Field(description="Of bank and receivable what was debited beyond; of all others, credited")
    ]


class TrialBalanceView(BaseModel):
    """Every kind of account of a fund. What was debited in all is what was credited."""

    fund_id: UUID
    recorded_at: datetime | None
    effective_on: date | None
    accounts: list[KindBalanceView]
    debited_tiyn: int
    credited_tiyn: int
    difference_tiyn: Annotated[int, Field(description="Always 0")]


class PurseThenView(BaseModel):
    """Money of one fund for a child, as it was."""

    program_id: UUID
    program_name: PublicNames
    fund_id: UUID
    fund_name: PublicNames
    mode: Annotated[str, Field(examples=["ahead"])]
    until: date
    balance_tiyn: Annotated[int, Field(description="Free and held together")]
    held_tiyn: Annotated[
        int | None,
        Field(description="Null where it is not known: what a hold of a fund of mode ahead reserves"),
    ]

    @classmethod
    def of(cls, purse: PurseThen) -> "PurseThenView":
        """What is shown of it."""
        return cls(**purse.row, balance_tiyn=purse.balance_tiyn, held_tiyn=purse.held_tiyn)


class WalletThenView(BaseModel):
    """All money of a child, as it was."""

    child_id: UUID
    recorded_at: datetime | None
    effective_on: date | None
    purses: list[PurseThenView]
    balance_tiyn: int


@router.get("/v1/funds/{fund_id}/trial-balance", tags=["ledger"])
async def trial_balance(fund_id: UUID, as_of: AsOfQuery, tx: Tx, principal: Signed) -> TrialBalanceView:
    """What all accounts of a fund were debited and credited by a moment. Summed up from its postings."""
    found = await balances.trial_balance(tx, principal, fund_id, as_of)
    debited, credited = sum(one.debited_tiyn for one in found), sum(one.credited_tiyn for one in found)
    return TrialBalanceView(
        fund_id=fund_id,
        recorded_at=as_of.recorded_at,
        effective_on=as_of.effective_on,
        accounts=[KindBalanceView(**one._asdict(), balance_tiyn=one.balance_tiyn) for one in found],
        debited_tiyn=debited,
        credited_tiyn=credited,
        difference_tiyn=debited - credited,
    )


@router.get("/v1/wallets/{child_id}/balance", tags=["wallets"])
async def wallet_then(child_id: UUID, as_of: AsOfQuery, tx: Tx, principal: Signed) -> WalletThenView:
    """What was in a wallet at a moment. Summed up from its postings."""
    found = await balances.read_purses_then(tx, principal, child_id, as_of)
    return WalletThenView(
        child_id=child_id,
        recorded_at=as_of.recorded_at,
        effective_on=as_of.effective_on,
        purses=[PurseThenView.of(one) for one in found],
        balance_tiyn=sum(one.balance_tiyn for one in found),
    )
