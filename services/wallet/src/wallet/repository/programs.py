"""Programs, their rules and their funds, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.domain.accounts import Kind
from wallet.repository.numbers import KIND_NUMBERS, OWN_KINDS, own_account
from wallet.tables import FUND_SHIFT, accounts, funds, program_rules, programs


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """A program with the rules that are in force on a day (or will be first)."""

    id: UUID
    version: int
    region_id: UUID
    name: Mapping[str, str]
    place: int
    starts_on: date
    ends_on: date
    rules_version: int
    directions: Sequence[str]
    monthly_rate_tiyn: int | None
    monthly_rate_mrp_thousandths: int | None
    clubs_per_child_max: int
    month_cap_tiyn: int | None
    year_cap_tiyn: int | None
    restore_days: int
    asks_from_day: int
    grace_ends_on_day: int
    declined_percent_max: int
    evidence: Mapping[str, Any]
    charge: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FundRow:
    """A fund, with where its money is."""

    id: UUID
    version: int
    program_id: UUID
    region_id: UUID
    funder: Mapping[str, str]
    name: Mapping[str, str]
    mode: str
    budget_tiyn: int
    monthly_tiyn: int | None
    last_capture_on: date
    received_tiyn: int = 0
    free_tiyn: int = 0
    returned_tiyn: int = 0


async def insert_program(tx: Transaction, program: Mapping[str, Any]) -> None:
    """A program; its rules follow in the same transaction."""
    await tx.execute(sa.insert(programs).values(program))


async def lock_program(tx: Transaction, program_id: UUID) -> None:
    """Versions of its rules, and what is told of it, come one after the other."""
    locked = sa.select(programs.c.id).where(programs.c.id == program_id)
    await tx.execute(locked.with_for_update(key_share=True))


async def count_up(tx: Transaction, program_id: UUID) -> None:
    """Something that is told of it has changed."""
    counted = sa.update(programs).where(programs.c.id == program_id)
    await tx.execute(counted.values(version=programs.c.version + 1))


async def insert_fund(tx: Transaction, fund: Mapping[str, Any]) -> None:
    """A fund with its own accounts."""
    number: int = (await tx.execute(sa.insert(funds).values(fund).returning(funds.c.number))).scalar_one()
    own = [{"id": own_account(number, kind), "kind": KIND_NUMBERS[kind]} for kind in OWN_KINDS]
    await tx.execute(sa.insert(accounts), own)


async def find_program(tx: Transaction, program_id: UUID, on: date) -> ProgramRow | None:
    """The program, with its rules on a day."""
    rows = await tx.execute(_programs(on).where(programs.c.id == program_id))
    row = rows.mappings().first()
    return ProgramRow(**row) if row else None


async def list_programs(tx: Transaction, on: date, *, after: UUID | None, limit: int) -> list[ProgramRow]:
    """Programs in the order of their ids."""
    query = _programs(on).order_by(programs.c.id).limit(limit)
    if after is not None:
        query = query.where(programs.c.id > after)
    return [ProgramRow(**row) for row in (await tx.execute(query)).mappings()]


def _programs(on: date) -> sa.Select[Any]:
    """Each program with the rules valid on the day, or its first ones if that is still to come."""
    in_force = (
        sa.select(program_rules)
        .where(program_rules.c.program_id == programs.c.id)
        .order_by(
            (program_rules.c.valid_from <= on).desc(),
            sa.case((program_rules.c.valid_from <= on, program_rules.c.valid_from)).desc(),
            program_rules.c.valid_from,
        )
        .limit(1)
        .lateral("rules")
    )
    return sa.select(
        programs,
        in_force.c.version.label("rules_version"),
        *(column for column in in_force.c if column.name not in {"program_id", "version", "valid_from"}),
    ).join(in_force, sa.true())


async def find_fund(tx: Transaction, fund_id: UUID) -> FundRow | None:
    """The fund, with where its money is."""
    row = (await tx.execute(_funds().where(funds.c.id == fund_id))).mappings().first()
    return FundRow(**row) if row else None


async def list_funds(tx: Transaction, *, after: UUID | None, limit: int) -> list[FundRow]:
    """Funds in the order of their ids."""
    query = _funds().order_by(funds.c.id).limit(limit)
    if after is not None:
        query = query.where(funds.c.id > after)
    return [FundRow(**row) for row in (await tx.execute(query)).mappings()]


def _funds() -> sa.Select[Any]:
    own = {kind: accounts.alias(kind.value) for kind in (Kind.BANK, Kind.FUND, Kind.RETURNED)}
    query = sa.select(
        *(column for column in funds.c if column.name != "number"),
        own[Kind.BANK].c.debited.label("received_tiyn"),
        (own[Kind.FUND].c.credited - own[Kind.FUND].c.debited).label("free_tiyn"),
        (own[Kind.RETURNED].c.credited - own[Kind.RETURNED].c.debited).label("returned_tiyn"),
    )
    joined: sa.FromClause = funds
    for kind, account in own.items():
        number = sa.cast(funds.c.number, sa.BigInteger) * (1 << FUND_SHIFT) + KIND_NUMBERS[kind]
        joined = joined.join(account, account.c.id == number)
    return query.select_from(joined)
