"""Programs come into being by two persons, and are told to the other services."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared import clock, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.events.clubs import Names
from shared.events.wallet import ProgramDescribed
from shared.security import Principal
from wallet.repository import programs, rules
from wallet.repository.programs import ProgramRow
from wallet.usecases.plans import Plan, PublicNames, RulesPlan

REPUBLISHED_AT_ONCE = 100


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


async def read_program(tx: Transaction, program_id: UUID) -> ProgramRow:
    """The program, with the rules that are in force today."""
    found = await programs.find_program(tx, program_id, clock.civil_date(tx.now))
    if found is None:
        raise NotFoundError
    return found


async def _create_program(tx: Transaction, _: Proposal, plan: ProgramPlan) -> UUID:
    program_id = new_id()
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
    )
    await rules.insert_version(tx, program_id, plan.starts_on, plan.rules.model_dump(mode="json"))
    outbox.publish(tx, described(await read_program(tx, program_id)))
    return program_id


PROGRAM = ApprovalKind("program", ProgramPlan, ("administrator",), _create_program)


async def republish_programs(tx: Transaction, after: UUID | None) -> UUID | None:
    """Tell a page of programs again; the last one's id, None at the end."""
    rows = await programs.list_programs(tx, clock.civil_date(tx.now), after=after, limit=REPUBLISHED_AT_ONCE)
    for row in rows:
        outbox.publish(tx, described(row))
    return rows[-1].id if rows else None


def described(row: ProgramRow) -> ProgramDescribed:
    """What the other services need to know of it, by the rules in force."""
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
