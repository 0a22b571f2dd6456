"""Traces: from the budget line to the bank's answer and back, for administrators and auditors."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from shared.http import Language, Page, PageQuery, Router, Signed, Tx
from shared.texts import LanguageCode, Texts
from wallet.api.traces.items import OrderedItemView, TracedChargeView, TracedHoldView, TracedItemView
from wallet.api.traces.orders import (
    AgreedView,
    AnsweredOrderView,
    BankReportView,
    BudgetLineView,
    RunOfOrderView,
    TotalsView,
    TracedDepositView,
    TracedOrderView,
)
from wallet.usecases import traces
from wallet.usecases.plans import PublicNames
from wallet.usecases.traces import Link

router = Router()

Next = Annotated[str | None, Field(description="The cursor of the next page; null on the last one")]


class PayoutTraceView(BaseModel):
    """From a bank order back to the budget line."""

    payout: TracedOrderView
    reports: list[BankReportView]
    run: RunOfOrderView
    fund: BudgetLineView
    deposits: Annotated[list[TracedDepositView], Field(description="The latest 100")]
    items: list[OrderedItemView]
    next: Next = None


class TracedEnrollmentView(BaseModel):
    """What the wallet remembers of an enrollment."""

    id: UUID
    child_id: UUID
    ends_on: Annotated[date | None, Field(description="First day that must not be charged any more")]
    released: bool


class FundNameView(BaseModel):
    """A fund that pays."""

    id: UUID
    name: PublicNames
    funder: PublicNames


class TracedMonthView(BaseModel):
    """What became of one month."""

    month: Annotated[str, Field(examples=["2026-10"])]
    attempt: int
    state: Annotated[str, Field(examples=["charged"])]
    code: str | None
    missing_tiyn: int
    revision: int
    captured_tiyn: int
    disputed_tiyn: int
    uncovered_tiyn: int
    frozen: bool
    holds: list[TracedHoldView]
    charges: Annotated[list[TracedChargeView], Field(description="The latest 20")]
    items: list[TracedItemView]
    payouts: list[AnsweredOrderView]


class EnrollmentTraceView(BaseModel):
    """From an enrollment forward, month by month, to the bank's answers."""

    enrollment: TracedEnrollmentView
    funds: list[FundNameView]
    months: list[TracedMonthView]
    next: Next = None


class FundTraceView(BaseModel):
    """From a budget line to its orders."""

    fund: BudgetLineView
    totals: TotalsView
    deposits: Annotated[list[TracedDepositView], Field(description="The latest 100")]
    agreed: Annotated[list[AgreedView], Field(description="The latest 100")]
    payouts: list[AnsweredOrderView]
    next: Next = None


@router.get("/v1/trace/payouts/{payout_id}", tags=["traces"])
async def trace_payout(
    *, payout_id: UUID, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> PayoutTraceView:
    """From a bank order back to the budget line. Pages are of its items."""
    found = await traces.trace_payout(tx, principal, payout_id, after=_after(page), limit=page.limit + 1)
    _say_entries(found.items, language)
    items = page.listing(found.items, key=_by("item_id"), view=OrderedItemView.model_validate)
    return PayoutTraceView.model_validate(
        {
            "payout": found.payout,
            "reports": found.payout["reports"],
            "run": found.payout["run"],
            "fund": found.fund,
            "deposits": found.deposits,
            "items": items.items,
            "next": items.next,
        }
    )


@router.get("/v1/trace/enrollments/{enrollment_id}", tags=["traces"])
async def trace_enrollment(
    *, enrollment_id: UUID, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> EnrollmentTraceView:
    """From an enrollment forward to the bank's answers. Pages are of its months."""
    after = str(page.after[0]) if page.after else None
    found = await traces.trace_enrollment(tx, principal, enrollment_id, after=after, limit=page.limit + 1)
    _say_entries([item for month in found.months for item in month["items"]], language)
    months = page.listing(found.months, key=_by("month"), view=TracedMonthView.model_validate)
    return EnrollmentTraceView.model_validate(
        {
            "enrollment": found.enrollment,
            "funds": found.funds,
            "months": months.items,
            "next": months.next,
        }
    )


@router.get("/v1/trace/funds/{fund_id}", tags=["traces"])
async def trace_fund(
    *, fund_id: UUID, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> FundTraceView:
    """From a budget line to its orders. Pages are of these."""
    found = await traces.trace_fund(tx, principal, fund_id, after=_after(page), limit=page.limit + 1)
    payouts = page.listing(found.payouts, key=_by("id"), view=AnsweredOrderView.model_validate)
    return FundTraceView.model_validate(
        {
            "fund": found.fund,
            "totals": found.totals,
            "deposits": found.deposits,
            "agreed": [{**link, "text": _said(language, "agreed", link["kind"])} for link in found.agreed],
            "payouts": payouts.items,
            "next": payouts.next,
        }
    )


def _say_entries(items: Iterable[Link], language: LanguageCode) -> None:
    """What was done with each item, in plain words."""
    for item in items:
        for entry in item["entries"]:
            entry["text"] = _said(language, "entry", entry["kind"])


def _said(language: LanguageCode, what: str, kind: str) -> str:
    return Texts.of("wallet").translate(language, f"{what}.{kind}")


def _after(page: Page) -> UUID | None:
    return UUID(str(page.after[0])) if page.after else None


def _by(name: str) -> Callable[[Link], tuple[str]]:
    return lambda link: (str(link[name]),)
