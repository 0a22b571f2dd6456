"""A month of a program priced again under other rules: per enrollment and in total, and nothing changes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared import clock
from shared.database import Transaction
from shared.errors import InvalidError, NotFoundError
from shared.events.envelope import Month
from shared.security import Principal
from wallet.domain.programs import Mrp, Rules
from wallet.domain.replaying import Replayed, replay, rules_of
from wallet.repository import replays
from wallet.repository.payers import read_mrp, read_programs
from wallet.repository.replays import ChargedMonth
from wallet.usecases.plans import Plan, RulesPlan
from wallet.usecases.programs import read_program


class ReplayPlan(Plan):
    """Which month, under which rules: a version that the program has, or ones that might be proposed."""

    month: Month
    version: Annotated[int | None, Field(strict=True, ge=1)] = None
    rules: RulesPlan | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.version is None) == (self.rules is None):
            raise ValueError("either a version or rules")
        return self


class Totals(NamedTuple):
    """Of the lines up to one. Both amounts are of the lines that could be priced again."""

    lines: int = 0
    unknown: int = 0
    charged_tiyn: int = 0
    replayed_tiyn: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One enrollment's month; None: what it was charged by is not known any more."""

    month: ChargedMonth
    rules_version: int
    counting: int
    replayed: Replayed | None
    so_far: Totals


async def replay_month(
    tx: Transaction,
    principal: Principal,
    program_id: UUID,
    plan: ReplayPlan,
    *,
    after: UUID | None,
    before: Totals,
    limit: int,
) -> list[Line]:
    """A page of lines, for administrators and auditors of the program or its region."""
    await replays.only_read(tx)
    principal.require("administrator", "auditor")
    program = await read_program(tx, program_id)
    if principal.scopes("administrator", "auditor").isdisjoint({program.region_id, program.id}):
        raise NotFoundError
    rules = await _rules(tx, program_id, plan)
    mrp = await read_mrp(await tx.driver())
    months = await replays.charged_months(tx, program_id, plan.month, after=after, limit=limit)
    return list(_lines(program_id, rules, mrp, months, before))


async def _rules(tx: Transaction, program_id: UUID, plan: ReplayPlan) -> Rules:
    if plan.rules is not None:
        return _planned(plan.rules, clock.first_day(plan.month))
    program = (await read_programs(await tx.driver(), [program_id]))[program_id]
    found = next((one for one in program.rules if one.version == plan.version), None)
    if found is None:
        raise InvalidError("rules_version_unknown")
    return found


def _planned(plan: RulesPlan, valid_from: date) -> Rules:
    return Rules(
        version=0,
        valid_from=valid_from,
        directions=frozenset(plan.directions),
        monthly_rate_tiyn=plan.monthly_rate_tiyn,
        clubs_per_child_max=plan.clubs_per_child_max,
        evidence=plan.evidence.model_dump(mode="json"),
        charge=plan.charge.model_dump(mode="json"),
        monthly_rate_mrp_thousandths=plan.monthly_rate_mrp_thousandths,
        month_cap_tiyn=plan.month_cap_tiyn,
        year_cap_tiyn=plan.year_cap_tiyn,
        restore_days=plan.restore_days,
    )


def _lines(
    program_id: UUID, rules: Rules, mrp: Sequence[Mrp], months: Sequence[ChargedMonth], so_far: Totals
) -> Iterator[Line]:
    for one in months:
        replayed = replay(one.terms, one.facts, program_id, rules, mrp) if one.facts else None
        so_far = _add(so_far, one, replayed)
        counting = sum(verdict.verdict == "counts" for verdict in one.verdicts)
        yield Line(one, rules_of(one.terms, program_id).version, counting, replayed, so_far)


def _add(so_far: Totals, month: ChargedMonth, replayed: Replayed | None) -> Totals:
    if replayed is None:
        return so_far._replace(lines=so_far.lines + 1, unknown=so_far.unknown + 1)
    return so_far._replace(
        lines=so_far.lines + 1,
        charged_tiyn=so_far.charged_tiyn + month.cost_tiyn,
        replayed_tiyn=so_far.replayed_tiyn + replayed.cost_tiyn,
    )
