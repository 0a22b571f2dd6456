"""The wallet's ledger in PostgreSQL, in the world that its naive model lives in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from rig.ledger_world import ENTITLEMENTS, FUNDS, MRP, PROGRAMS, PROVIDERS, provider_of
from shared import clock
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from wallet.domain.accounts import Account
from wallet.domain.items import Item, Stage
from wallet.domain.operations import Command, Result
from wallet.domain.programs import Mode
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer
from wallet.repository.audits import AUDITS
from wallet.repository.numbers import KIND_NUMBERS
from wallet.repository.payers import Driver
from wallet.repository.signatures import write_signatures
from wallet.usecases.post import post


@dataclass(frozen=True)
class Rows:
    """The same as a store, by the statements of the service."""

    edge: Edge

    async def post(self, commands: Sequence[Command], today: date) -> list[Result]:
        """A batch, in a transaction of its own."""
        async with self.edge.transaction() as tx:
            moment = clock.civil_moment(today)
            return await post(Transaction(tx.connection, moment, Cause(new_id())), commands)

    async def sign(self, enrollment_id: UUID, month: str, revision: int, digest: str) -> None:
        """The provider signed these facts of a month."""
        signed = enrollment_id, month, revision, digest
        async with self.edge.transaction() as tx:
            row = (*signed, provider_of(enrollment_id), PROVIDERS[0], PROVIDERS[0], tx.now)
            await write_signatures(await tx.driver(), [row])

    async def run(self, payout_id: UUID, fund_id: UUID, provider_id: UUID) -> None:
        """What a payout run does with items; its own rows are not looked at here."""
        async with self.edge.transaction() as tx:
            await (await tx.driver()).execute(
                "UPDATE payable_items SET stage = 'in_run', payout_id = $1"
                " WHERE stage = 'due' AND NOT frozen AND fund_id = $2 AND provider_id = $3",
                *(payout_id, fund_id, provider_id),
            )

    async def send(self, payout_id: UUID) -> None:
        """The bank said that it has the order."""
        async with self.edge.transaction() as tx:
            await (await tx.driver()).execute(
                "UPDATE payable_items SET stage = 'sent' WHERE stage = 'submitting' AND payout_id = $1",
                payout_id,
            )

    async def picture(self) -> dict[str, Any]:
        """The rows in the form of a store's picture."""
        async with self.edge.transaction() as tx:
            return await picture_of(await tx.driver())

    async def findings(self) -> dict[str, list[Any]]:
        """What the audits find; orders of this world have no rows of their own that they could miss."""
        async with self.edge.transaction() as tx:
            driver = await tx.driver()
            found = {name: await driver.fetch(sql) for name, sql in AUDITS.items()}
            return {name: rows for name, rows in found.items() if rows}


async def lay_foundations(edge: Edge) -> None:
    """The programs, funds and entitlements of this module, as rows."""
    async with edge.transaction() as tx:
        driver = await tx.driver()
        for program in PROGRAMS.values():
            await driver.execute(
                "INSERT INTO programs (id, version, region_id, name, place, starts_on, ends_on)"
                " VALUES ($1, 1, $1, '{}', $2, $3, $4)",
                program.id,
                program.place,
                program.starts_on,
                program.ends_on,
            )
            for version in program.rules:
                await driver.execute(
                    "INSERT INTO program_rules"
                    " VALUES ($1, $2, $3, $4, $5, $6, 20, 10, 20, $7, $8, $9, $10, $11, $12)",
                    program.id,
                    version.version,
                    version.valid_from,
                    sorted(version.directions),
                    version.monthly_rate_tiyn,
                    version.clubs_per_child_max,
                    json.dumps(version.evidence),
                    json.dumps(version.charge),
                    version.monthly_rate_mrp_thousandths,
                    version.month_cap_tiyn,
                    version.year_cap_tiyn,
                    version.restore_days,
                )
        await driver.executemany("INSERT INTO mrp VALUES ($1, $2)", MRP)
        for fund in FUNDS.values():
            monthly = 100 if fund.mode is Mode.AHEAD else None
            await driver.execute(
                "WITH fund AS (INSERT INTO funds (id, version, program_id, region_id, funder, name, mode,"
                " budget_tiyn, monthly_tiyn, last_capture_on)"
                " VALUES ($1, 1, $2, $2, '{}', '{}', $3, $4, $5, $6) RETURNING number)"
                " INSERT INTO accounts (id, kind) SELECT number::bigint << 40 | kind, kind"
                " FROM fund, unnest($7::smallint[]) AS k(kind)",
                fund.id,
                fund.program_id,
                fund.mode,
                fund.budget_tiyn,
                monthly,
                fund.last_capture_on,
                [1, 2, 3, 4],
            )
        for child_id, of_child in ENTITLEMENTS.items():
            for one in of_child:
                await driver.execute(
                    "INSERT INTO entitlements VALUES ($1, 1, $2, $3, $4, $5, $6)",
                    new_id(),
                    child_id,
                    one.program_id,
                    one.starts_on,
                    one.until,
                    one.coefficient_percent,
                )


async def picture_of(driver: Driver) -> dict[str, Any]:
    """Of balances and holds, and of what came of them."""
    kinds = {number: kind for kind, number in KIND_NUMBERS.items()}
    balances = await driver.fetch(
        "SELECT a.*, f.id AS fund_id FROM accounts a JOIN funds f ON f.number = a.id >> 40"
        " WHERE (credited, debited, held) <> (0, 0, 0)"
    )
    holds = await driver.fetch("SELECT * FROM holds")
    layers = await driver.fetch(
        "SELECT l.*, f.id AS fund_id, a.expires_on FROM hold_layers l JOIN accounts a ON a.id = l.account_id"
        " JOIN funds f ON f.number = a.id >> 40 ORDER BY hold_id, place"
    )
    return {
        "balances": {
            Account(
                kinds[row["kind"]],
                row["fund_id"],
                row["child_id"],
                row["expires_on"],
                row["provider_id"] or row["payout_id"],
            ): (
                row["credited"],
                row["debited"],
                row["held"],
                row["given_back"],
                row["moved_on"] if row["child_id"] else None,
            )
            for row in balances
        },
        "holds": {
            (row["enrollment_id"], row["month"], row["id"]): (
                row["open"],
                [
                    (
                        one["fund_id"],
                        one["expires_on"],
                        one["amount_tiyn"],
                        one["released_tiyn"],
                        one["captured_tiyn"],
                    )
                    for one in layers
                    if one["hold_id"] == row["id"]
                ],
            )
            for row in holds
        },
    } | await months_and_items(driver)


async def months_and_items(driver: Driver) -> dict[str, Any]:
    """What is known of enrollments, and owed for them."""
    months = await driver.fetch("SELECT * FROM enrollment_months")
    names = [one.name for one in fields(Item)]
    return {
        "enrollments": {
            row["id"]: EnrollmentEnd(row["child_id"], row["ends_on"], row["released"])
            for row in await driver.fetch("SELECT * FROM enrollments")
        },
        "months": {
            (row["enrollment_id"], row["month"]): MonthAnswer(
                row["child_id"],
                *(row[name] for name in MonthAnswer._fields[1:]),
            )
            for row in months
        },
        "items": {
            row["id"]: Item(**{name: row[name] for name in names} | {"stage": Stage(row["stage"])})
            for row in await driver.fetch("SELECT * FROM payable_items")
        },
    }
