"""Locks and reads what a batch is decided on.

Lock order: the children's wallets, then the funds' own accounts by number. Everything that these locks
protect is read by a later statement, so that it is what the transaction before us has committed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import asyncpg

from wallet.domain.accounts import Account, Balance, Kind
from wallet.domain.books import EnrollmentEnd, Snapshot, fund_account
from wallet.domain.holds import Hold, Layer, Terms
from wallet.domain.operations import (
    Allot,
    Allotted,
    Command,
    Declined,
    Deposit,
    Deposited,
    Held,
    HoldMonth,
    Identity,
    Recorded,
    Reduce,
    Release,
    Released,
    Result,
    Share,
)
from wallet.domain.programs import Entitlement, Fund, Mode, Program, Rules
from wallet.repository.frozen import read_terms
from wallet.repository.numbers import Numbers
from wallet.tables import FUND_SHIFT

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic for the type checker only

_LOCK_WALLETS = """
INSERT INTO wallets (child_id) SELECT child_id FROM unnest($1::uuid[]) AS row(child_id) ORDER BY child_id
ON CONFLICT (child_id) DO UPDATE SET version = wallets.version + 1
"""
_ALLOTMENTS = """
SELECT id, child_id, expires_on, credited, debited, held FROM accounts
WHERE kind = 16 AND child_id = ANY($1::uuid[])
"""
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
SELECT program_id, version, valid_from, directions, monthly_rate_tiyn, clubs_per_child_max, evidence, charge
FROM program_rules WHERE program_id = ANY($1::uuid[])
"""
_HOLDS = """
SELECT id, child_id, enrollment_id, month, attempt FROM holds
WHERE open AND child_id = ANY($1::uuid[]) ORDER BY id
"""
_TERMS = "SELECT id, terms FROM holds WHERE open AND enrollment_id = ANY($1::uuid[])"
_LAYERS = """
SELECT hold_id, account_id, amount_tiyn, released_tiyn FROM hold_layers
WHERE hold_id = ANY($1::uuid[]) ORDER BY hold_id, place
"""
_ENROLLMENTS = "SELECT id, child_id, ends_on, released FROM enrollments WHERE id = ANY($1::uuid[])"
_OWN_ACCOUNTS = "SELECT id, credited, debited, held FROM accounts WHERE id = ANY($1::bigint[])"
LOCK_ACCOUNTS = "SELECT 1 FROM accounts WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
_RECORDED = """
SELECT o.id, o.origin, o.kind, o.key, o.digest, o.code, o.amount_tiyn, o.hold_id
FROM operations o JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted(origin, kind, key)
    USING (key, kind, origin)
"""
_SHARES = """
SELECT l.hold_id, f.program_id, f.id AS fund_id, l.amount_tiyn
FROM hold_layers l JOIN funds f ON f.number = l.account_id >> 40
WHERE l.hold_id = ANY($1::uuid[]) ORDER BY l.hold_id, l.place
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A snapshot, and the numbers of the accounts in it."""

    snapshot: Snapshot
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class _Facts:
    """Who may pay for whom."""

    programs: dict[UUID, Program]
    funds: dict[UUID, Fund]
    entitlements: dict[UUID, list[Entitlement]]


async def read_snapshot(driver: Driver, commands: Sequence[Command], *, lock: bool) -> Read:
    """Everything the commands can depend on; with `lock`, as nobody else can change it before our commit."""
    children = sorted({one.child_id for one in commands if not isinstance(one, Deposit)})
    if lock:
        await driver.execute(_LOCK_WALLETS, children)
    rows = await driver.fetch(_ALLOTMENTS, children)
    numbers = Numbers()
    facts = await _read_facts(driver, commands, {row["id"] >> FUND_SHIFT for row in rows}, numbers)
    balances = {
        numbers.learn_allotment(row["id"], row["child_id"], row["expires_on"]): _balance(row) for row in rows
    }
    holds = await _read_holds(driver, commands, facts, numbers)
    spent = {numbers.number(account): account for account in _spent_accounts(commands, facts)}
    if lock and spent:
        await driver.execute(LOCK_ACCOUNTS, list(spent))
    for row in await driver.fetch(_OWN_ACCOUNTS, list(spent)):
        balances[spent[row["id"]]] = _balance(row)
    snapshot = Snapshot(
        programs=facts.programs,
        funds=facts.funds,
        entitlements=facts.entitlements,
        balances=balances,
        holds=holds,
        terms=await _read_terms(driver, commands),
        enrollments=await _read_enrollments(driver, commands),
        recorded=await _read_recorded(driver, commands),
    )
    return Read(snapshot, numbers)


async def _read_facts(
    driver: Driver,
    commands: Sequence[Command],
    fund_numbers: Iterable[int],
    numbers: Numbers,
) -> _Facts:
    entitlements: dict[UUID, list[Entitlement]] = {}
    payable = {one.child_id for one in commands if isinstance(one, Allot | HoldMonth)}
    for row in await driver.fetch(_ENTITLEMENTS, list(payable)):
        child_id, *content = row.values()
        entitlements.setdefault(child_id, []).append(Entitlement(*content))
    program_ids = {one.program_id for of_child in entitlements.values() for one in of_child}
    fund_ids = {one.fund_id for one in commands if isinstance(one, Deposit | Allot)}
    funds: dict[UUID, Fund] = {}
    for row in await driver.fetch(_FUNDS, list(fund_ids), list(program_ids), list(fund_numbers)):
        numbers.learn_fund(row["id"], row["number"])
        funds[row["id"]] = Fund(
            row["id"], row["program_id"], Mode(row["mode"]), row["budget_tiyn"], row["last_capture_on"]
        )
    return _Facts(await read_programs(driver, program_ids), funds, entitlements)


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
        clubs_per_child_max=row["clubs_per_child_max"],
        evidence=row["evidence"],
        charge=row["charge"],
    )


async def _read_holds(
    driver: Driver, commands: Sequence[Command], facts: _Facts, numbers: Numbers
) -> list[Hold]:
    """The open ones of the children whose enrollments the commands are about."""
    children = {one.child_id for one in commands if isinstance(one, HoldMonth | Reduce | Release)}
    rows = await driver.fetch(_HOLDS, list(children))
    accounts = {number: account for account, number in numbers.allotments.items()}
    layers: dict[UUID, list[Layer]] = {}
    for row in await driver.fetch(_LAYERS, [row["id"] for row in rows]):
        account = accounts[row["account_id"]]
        program_id = facts.funds[account.fund_id].program_id
        layer = Layer(account, program_id, row["amount_tiyn"], row["released_tiyn"])
        layers.setdefault(row["hold_id"], []).append(layer)
    return [
        Hold(
            id=row["id"],
            child_id=row["child_id"],
            enrollment_id=row["enrollment_id"],
            month=row["month"],
            attempt=row["attempt"],
            layers=tuple(layers.get(row["id"], ())),
        )
        for row in rows
    ]


async def _read_terms(driver: Driver, commands: Sequence[Command]) -> dict[UUID, Terms]:
    ending = {one.enrollment_id for one in commands if isinstance(one, Reduce)}
    rows = await driver.fetch(_TERMS, list(ending)) if ending else ()
    return {row["id"]: read_terms(row["terms"]) for row in rows}


async def _read_enrollments(driver: Driver, commands: Sequence[Command]) -> dict[UUID, EnrollmentEnd]:
    ids = {one.enrollment_id for one in commands if isinstance(one, HoldMonth | Reduce | Release)}
    return {
        row["id"]: EnrollmentEnd(row["child_id"], row["ends_on"], row["released"])
        for row in await driver.fetch(_ENROLLMENTS, list(ids))
    }


def _spent_accounts(commands: Sequence[Command], facts: _Facts) -> set[Account]:
    """The funds' own accounts that may be spent from, and then those credited in the same batch too.

    A batch that only gives back spends from none of them: it locks them last, when it writes.
    """
    touched = {command.fund_id for command in commands if isinstance(command, Deposit | Allot)}
    holding = any(isinstance(command, HoldMonth) for command in commands)
    returning = any(isinstance(command, Reduce | Release) for command in commands)
    spent: set[Account] = set()
    for fund in facts.funds.values() if touched or holding else ():
        if fund.id in touched:
            spent.add(Account(Kind.BANK, fund.id))
        if fund.id in touched or fund.mode is Mode.ON_HOLD:
            spent.add(fund_account(fund.id))
        if returning:
            spent.add(Account(Kind.RETURNED, fund.id))
    return spent


def _balance(row: asyncpg.Record) -> Balance:
    return Balance(row["credited"], row["debited"], row["held"])


async def _read_recorded(driver: Driver, commands: Sequence[Command]) -> dict[Identity, Recorded]:
    columns = zip(*(command.identity for command in commands), strict=True)
    rows = await driver.fetch(_RECORDED, *(list(column) for column in columns))
    hold_ids = {row["hold_id"] for row in rows if row["hold_id"]}
    shares: dict[UUID, list[Share]] = {}
    if hold_ids:
        for row in await driver.fetch(_SHARES, list(hold_ids)):
            hold_id, *content = row.values()
            shares.setdefault(hold_id, []).append(Share(*content))
    return {
        Identity(row["origin"], row["kind"], row["key"]): Recorded(
            row["digest"], _result(row, shares.get(row["hold_id"], ()))
        )
        for row in rows
    }


def _result(row: asyncpg.Record, shares: Sequence[Share]) -> Result:
    """The first result, from what the operation's row says. Kinds are those the use cases make."""
    amount: int = row["amount_tiyn"]
    if row["code"] is not None:
        return Declined(row["code"], amount)
    if row["hold_id"] is not None:
        return Held(row["hold_id"], amount, tuple(shares))
    match row["kind"]:
        case "deposit":
            return Deposited(row["id"], amount)
        case "allot":
            return Allotted(amount)
        case _:
            return Released(amount)
