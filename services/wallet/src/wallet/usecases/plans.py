"""What people may propose of programs and funds, and in which form: unknown fields are an error."""

import unicodedata
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.events.envelope import Code
from wallet.domain.programs import RESTORE_DAYS


def composed(text: str) -> str:
    """The one form of a text that can be written in several: é is one letter."""
    return unicodedata.normalize("NFC", text)


Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\t\n\r\u2028\u2029]+$"
    ),
    AfterValidator(composed),
]
Money = Annotated[int, Field(strict=True, ge=1, le=2**53 - 1, description="In tiyn")]
Thousandths = Annotated[int, Field(strict=True, ge=1, le=10**6)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
DayOfMonth = Annotated[int, Field(strict=True, ge=1, le=28)]
Days = Annotated[int, Field(strict=True, ge=0, le=60)]


def _first_of_a_month(day: date) -> date:
    if day.day != 1:
        raise ValueError("not the first day of a month")
    return day


MonthStart = Annotated[date, AfterValidator(_first_of_a_month), Field(description="First day of a month")]
"""So that no month is priced by two values."""
Source = Literal["coach", "guardian", "device"]


class Plan(BaseModel):
    """Something that waits for a second person: unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PublicNames(Plan):
    """A public name in every language of the system."""

    kk: Line
    ru: Line
    en: Line


class EvidenceRule(Plan):
    """Which sources make a lesson count, and until when they may speak. Frozen in each hold."""

    required: Annotated[tuple[Source, ...], Field(max_length=3, description="All of these")] = ("coach",)
    one_of: Annotated[tuple[Source, ...], Field(max_length=3, description="And one of these")] = (
        "guardian",
        "device",
    )
    agreeing_min: Annotated[
        int, Field(strict=True, ge=1, le=3, description="How many of `one_of`, each by another person")
    ] = 1
    silence_counts_after_days: Annotated[
        Days | None, Field(description="A guardian's silence is a yes after so many days; null: never")
    ] = 3
    corrections_days: Days = 2
    guardians_days: Days = 3
    closes_on_day: DayOfMonth = 4

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        sources = (*self.required, *self.one_of)
        if not sources or len(set(sources)) < len(sources):
            raise ValueError("each source is named once, and at least one is")
        if self.agreeing_min > max(len(self.one_of), 1):
            raise ValueError("agreeing_min is more than one_of has")
        return self


class ChargeRule(Plan):
    """How counted lessons become money, and when it is due. Frozen in each hold."""

    formula: Annotated[
        Literal["counted_over_planned", "threshold", "flat"],
        Field(
            description="counted_over_planned: price × counting ÷ planned lessons; threshold: the whole month"
            " if enough lessons count; flat: the whole month if one counts. Rounded down to whole tiyn"
        ),
    ] = "counted_over_planned"
    threshold_percent: Annotated[
        Percent | None, Field(description="Of threshold: this part of the child's own lessons is enough")
    ] = None
    below_threshold: Annotated[
        Literal["per_lesson", "nothing"] | None,
        Field(description="Of threshold: if fewer count, as counted_over_planned or nothing at all"),
    ] = None
    excused_is_paid: bool = False
    sign_until_day: DayOfMonth = 10
    due_on_day: DayOfMonth = 18

    @model_validator(mode="after")
    def _of_its_formula(self) -> Self:
        of_threshold = self.threshold_percent is not None, self.below_threshold is not None
        if of_threshold != (self.formula == "threshold",) * 2:
            raise ValueError("threshold_percent and below_threshold belong to threshold, and only there")
        return self


class RulesPlan(Plan):
    """The rules of a program from a day on."""

    directions: Annotated[tuple[Code, ...], Field(max_length=100, description="Empty: every direction")] = ()
    monthly_rate_tiyn: Annotated[Money | None, Field(examples=[1_875_000])] = None
    monthly_rate_mrp_thousandths: Annotated[
        Thousandths | None,
        Field(
            description="Instead of an amount: 4500 is 4.5 MRP, by the MRP of the day of the month's first"
            " lesson that is paid, rounded down to whole tiyn"
        ),
    ] = None
    clubs_per_child_max: Annotated[int, Field(strict=True, ge=1, le=10)] = 2
    month_cap_tiyn: Annotated[
        Money | None, Field(description="For a child and a month at most, over all its enrollments")
    ] = None
    year_cap_tiyn: Annotated[
        Money | None, Field(description="For a child and the months of a calendar year at most")
    ] = None
    restore_days: Annotated[
        int,
        Field(
            strict=True,
            ge=1,
            le=366,
            description="What a child has not touched for so many days, and holds nothing of, goes back"
            " to the fund",
        ),
    ] = RESTORE_DAYS
    asks_from_day: DayOfMonth = 20
    grace_ends_on_day: DayOfMonth = 10
    declined_percent_max: Annotated[int, Field(strict=True, ge=0, le=100)] = 20
    evidence: EvidenceRule = EvidenceRule()
    charge: ChargeRule = ChargeRule()

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.monthly_rate_tiyn is None) == (self.monthly_rate_mrp_thousandths is None):
            raise ValueError("the rate is either an amount or counted in MRP")
        return self
