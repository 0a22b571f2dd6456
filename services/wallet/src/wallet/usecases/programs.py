"""Programs come into being by two persons, and are told to the other services."""

import unicodedata
from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared import clock, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.events.clubs import Names
from shared.events.envelope import Code
from shared.events.wallet import ProgramDescribed
from shared.security import Principal
from wallet.repository import programs
from wallet.repository.programs import ProgramRow

REPUBLISHED_AT_ONCE = 100


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
DayOfMonth = Annotated[int, Field(strict=True, ge=1, le=28)]
Days = Annotated[int, Field(strict=True, ge=0, le=60)]
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
    silence_counts_after_days: Annotated[
        Days | None, Field(description="A guardian's silence is a yes after so many days; null: never")
    ] = 3
    corrections_days: Days = 2
    guardians_days: Days = 3
    closes_on_day: DayOfMonth = 4


class ChargeRule(Plan):
    """How counted lessons become money, and when it is due. Frozen in each hold."""

    formula: Literal["counted_over_planned"] = "counted_over_planned"
    excused_is_paid: bool = False
    sign_until_day: DayOfMonth = 10
    due_on_day: DayOfMonth = 18


class RulesPlan(Plan):
    """The rules of a program from a day on."""

    directions: Annotated[tuple[Code, ...], Field(max_length=100, description="Empty: every direction")] = ()
    monthly_rate_tiyn: Annotated[Money, Field(examples=[1_875_000])]
    clubs_per_child_max: Annotated[int, Field(strict=True, ge=1, le=10)] = 2
    asks_from_day: DayOfMonth = 20
    grace_ends_on_day: DayOfMonth = 10
    declined_percent_max: Annotated[int, Field(strict=True, ge=0, le=100)] = 20
    evidence: EvidenceRule = EvidenceRule()
    charge: ChargeRule = ChargeRule()


class ProgramPlan(Plan):
    """A program to be. `place` orders the programs that pay for the same child."""

    region_id: UUID
    name: PublicNames
    place: Annotated[int, Field(strict=True, ge=1, le=1000, examples=[1])]
    starts_on: date
    ends_on: Annotated[date, Field(description="Last day")]
    rules: RulesPlan

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_on > self.ends_on:
            raise ValueError("ends_on is before starts_on")
        return self


async def propose_program(tx: Transaction, principal: Principal, plan: ProgramPlan) -> Proposal:
    """One administrator of the region proposes, another approves."""
    require_administrator(principal, plan.region_id)
    return await propose(tx, principal, PROGRAM, plan, scope_id=plan.region_id)


def require_administrator(principal: Principal, *scopes: UUID) -> None:
    """For those who administer one of these; for other administrators what is in them does not exist."""
    principal.require("administrator")
    if principal.scopes("administrator").isdisjoint(scopes):
        raise NotFoundError


async def _create_program(tx: Transaction, _: Proposal, plan: ProgramPlan) -> UUID:
    program_id = new_id()
    rules = plan.rules.model_dump(mode="json")
    await programs.insert_program(
        tx,
        {
            "id": program_id,
            "version": 1,
            "region_id": plan.region_id,
            "name": plan.name.model_dump(),
            "place": plan.place,
            "starts_on": plan.starts_on,
            "ends_on": plan.ends_on,
        },
        {"valid_from": plan.starts_on, **rules},
    )
    row = await programs.find_program(tx, program_id, clock.civil_date(tx.now))
    if row is None:
        raise AssertionError
    outbox.publish(tx, _described(row))
    return program_id


PROGRAM = ApprovalKind("program", ProgramPlan, ("administrator",), _create_program)


async def republish_programs(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of programs again; the last one's id, None at the end."""
    rows = await programs.list_programs(tx, clock.civil_date(tx.now), after=after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        outbox.publish(tx, _described(row))
    return rows[-1].id if rows else None


def _described(row: ProgramRow) -> ProgramDescribed:
    return ProgramDescribed(
        program_id=row.id,
        version=row.version,
        region_id=row.region_id,
        name=Names(**row.name),
        directions=tuple(row.directions),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        clubs_per_child_max=row.clubs_per_child_max,
        asks_from_day=row.asks_from_day,
        grace_ends_on_day=row.grace_ends_on_day,
        declined_percent_max=row.declined_percent_max,
    )
