"""The rules of a program change: by a new version from a day on, never by touching one that is there.

What is held keeps the version that is frozen in it, and a new one says nothing about the past: it begins on
the first day of a month that is still to come.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from shared import clock, deadlines, outbox
from shared.approvals import ApprovalKind, Proposal, propose
from shared.database import Transaction
from shared.errors import ConflictError, InvalidError
from shared.security import Principal
from wallet.repository import programs, rules
from wallet.repository.programs import ProgramRow
from wallet.usecases.plans import MonthStart, Plan, RulesPlan
from wallet.usecases.programs import described, read_program, require_administrator

RULES_BEGIN = "rules_begin"
"""Of a program: the next day on which another version of its rules comes into force."""


class NewRules(Plan):
    """The rules of a program from a day on that is still to come."""

    valid_from: MonthStart
    rules: RulesPlan


class RulesOfProgram(NewRules):
    """New rules, and of which program."""

    program_id: UUID


async def propose_rules(
    tx: Transaction, principal: Principal, program_id: UUID, wanted: NewRules
) -> Proposal:
    """One administrator of the program proposes, another of its region approves."""
    principal.require("administrator")
    program = await read_program(tx, program_id)
    require_administrator(principal, program.region_id, program.id)
    _check_day(program, wanted.valid_from, clock.civil_date(tx.now))
    plan = RulesOfProgram(program_id=program_id, valid_from=wanted.valid_from, rules=wanted.rules)
    return await propose(tx, principal, RULES, plan, scope_id=program.region_id)


def _check_day(program: ProgramRow, valid_from: date, today: date) -> None:
    """Asked when it is proposed, and again when it is approved: its day may have come in between."""
    if valid_from <= today:
        raise ConflictError("valid_from_passed")
    if not program.starts_on <= valid_from <= program.ends_on:
        raise InvalidError("rules_outside_program")


async def _create_rules(tx: Transaction, _: Proposal, plan: RulesOfProgram) -> UUID:
    await programs.lock_program(tx, plan.program_id)
    _check_day(await read_program(tx, plan.program_id), plan.valid_from, clock.civil_date(tx.now))
    content = plan.rules.model_dump(mode="json")
    if not await rules.insert_version(tx, plan.program_id, plan.valid_from, content):
        raise ConflictError("valid_from_taken")
    await _wait_for_next(tx, plan.program_id)
    return plan.program_id


RULES = ApprovalKind("program_rules", RulesOfProgram, ("administrator",), _create_rules)


async def begin_rules(tx: Transaction, program_id: UUID, due_at: datetime) -> None:
    """Another version is in force: the program is told again, if what others know of it has changed."""
    await programs.lock_program(tx, program_id)
    eve = clock.civil_date(due_at) - timedelta(days=1)
    before = await programs.find_program(tx, program_id, eve)
    now = await read_program(tx, program_id)
    if before is None or described(before) != described(now):
        await programs.count_up(tx, program_id)
        outbox.publish(tx, described(await read_program(tx, program_id)))
    await _wait_for_next(tx, program_id)


async def _wait_for_next(tx: Transaction, program_id: UUID) -> None:
    day = await rules.next_change(tx, program_id, clock.civil_date(tx.now))
    if day is not None:
        await deadlines.set(tx, kind=RULES_BEGIN, subject_id=program_id, due_at=clock.civil_moment(day))
