"""Reads who may pay for whom: entitlements, programs with their rules, and funds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg

from wallet.domain.programs import Entitlement, Fund, Mode, Mrp, Program, Rules
from wallet.repository.numbers import Numbers

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic for the type checker only

_ENTITLEMENTS = """
SELECT child_id, program_id, starts_on, until, coefficient_percent FROM entitlements
WHERE child_id = ANY($1::uuid[]) ORDER BY child_id, id
"""
_FUNDS = """
SELECT id, number, program_id, mode, budget_tiyn, last_capture_on FROM funds
WHERE id = ANY($1::uuid[]) OR program_id = ANY($2::uuid[]) OR number = ANY($3::int[])
"""
_PROGRAMS = "SELECT id, place, starts_on, ends_on FROM programs WHERE id = ANY($1::uuid[])"
_RULES = """
SELECT program_id, version, valid_from, directions, monthly_rate_tiyn, monthly_rate_mrp_thousandths,
    month_cap_tiyn, year_cap_tiyn, clubs_per_child_max, evidence, charge, restore_days
FROM program_rules WHERE program_id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Payers:
    """Who may pay for whom."""

    programs: dict[UUID, Program]
    funds: dict[UUID, Fund]
    entitlements: dict[UUID, list[Entitlement]]
    mrp: list[Mrp]


async def read_payers(
    driver: Driver,
    numbers: Numbers,
    *,
    children: Iterable[UUID],
    fund_ids: Iterable[UUID],
    fund_numbers: Iterable[int],
    expiring: Collection[UUID],
) -> Payers:
    """All that may pay for these children, and these funds besides; of those expiring, the programs too."""
    entitlements: dict[UUID, list[Entitlement]] = {}
    for row in await driver.fetch(_ENTITLEMENTS, list(children)):
        child_id, *content = row.values()
        entitlements.setdefault(child_id, []).append(Entitlement(*content))
    program_ids = {one.program_id for of_child in entitlements.values() for one in of_child}
    funds: dict[UUID, Fund] = {}
    for row in await driver.fetch(_FUNDS, list(fund_ids), list(program_ids), list(fund_numbers)):
        numbers.learn_fund(row["id"], row["number"])
        funds[row["id"]] = Fund(
            row["id"], row["program_id"], Mode(row["mode"]), row["budget_tiyn"], row["last_capture_on"]
        )
    program_ids |= {funds[fund_id].program_id for fund_id in expiring if fund_id in funds}
    programs = await read_programs(driver, program_ids)
    return Payers(programs, funds, entitlements, await _mrp_for(driver, programs.values()))


async def _mrp_for(driver: Driver, programs: Iterable[Program]) -> list[Mrp]:
    """Of all days, if one of these programs counts in it."""
    if all(rules.monthly_rate_tiyn is not None for program in programs for rules in program.rules):
        return []
    return await read_mrp(driver)


async def read_mrp(driver: Driver) -> list[Mrp]:
    """The MRP of all days."""
    return [Mrp(*row) for row in await driver.fetch("SELECT valid_from, amount_tiyn FROM mrp")]


async def read_programs(driver: Driver, program_ids: Iterable[UUID]) -> dict[UUID, Program]:
    """These programs with all versions of their rules."""
    wanted = list(program_ids)
    rules: dict[UUID, list[Rules]] = {}
    for row in await driver.fetch(_RULES, wanted):
        rules.setdefault(row["program_id"], []).append(_rules(row))
    return {
        row["id"]: Program(
            row["id"], row["place"], row["starts_on"], row["ends_on"], tuple(rules.get(row["id"], ()))
        )
        for row in await driver.fetch(_PROGRAMS, wanted)
    }


def _rules(row: asyncpg.Record) -> Rules:
    return Rules(
        version=row["version"],
        valid_from=row["valid_from"],
        directions=frozenset(row["directions"]),
        monthly_rate_tiyn=row["monthly_rate_tiyn"],
        monthly_rate_mrp_thousandths=row["monthly_rate_mrp_thousandths"],
        month_cap_tiyn=row["month_cap_tiyn"],
        year_cap_tiyn=row["year_cap_tiyn"],
        restore_days=row["restore_days"],
        clubs_per_child_max=row["clubs_per_child_max"],
        evidence=row["evidence"],
        charge=row["charge"],
    )
