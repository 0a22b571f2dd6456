"""Locks and reads what a batch is decided on.

Lock order: signing of the providers' months, the children's wallets, accounts by number, items by id; orders
come after all of it. Everything that these locks protect is read by a later statement, so that it is what the
transaction before us has committed.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg

from wallet.domain.accounts import Account, Balance, Kind
from wallet.domain.books import fund_account
from wallet.domain.items import Item
from wallet.domain.operations import (
    Allot,
    Approved,
    Bounce,
    Charge,
    Command,
    Deposit,
    Expire,
    HoldMonth,
    OfFund,
    OfOrder,
    PayOut,
    Recover,
    Reduce,
    Release,
    Settle,
    child_of,
)
from wallet.domain.programs import Fund, Mode
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer, Snapshot
from wallet.repository.approved import read_bank_references, read_beside_budget, read_moved
from wallet.repository.caps import read_used
from wallet.repository.holdings import MonthKey, read_enrollments, read_holds, read_months, read_terms_of
from wallet.repository.items import months_of_orders, read_items
from wallet.repository.numbers import Numbers
from wallet.repository.payers import Driver, read_payers
from wallet.repository.recorded import read_recorded
from wallet.repository.signatures import lock_to_charge, read_signatures
from wallet.tables import FUND_SHIFT

_LOCK_WALLETS = """
INSERT INTO wallets (child_id) SELECT child_id FROM unnest($1::uuid[]) AS row(child_id) ORDER BY child_id
ON CONFLICT (child_id) DO UPDATE SET version = wallets.version + 1
"""
_ALLOTMENTS = """
SELECT id, child_id, expires_on, credited, debited, held, moved_on, given_back FROM accounts
WHERE kind = 16 AND child_id = ANY($1::uuid[])
"""
_BALANCES = "SELECT id, credited, debited, held FROM accounts WHERE id = ANY($1::bigint[])"
LOCK_ACCOUNTS = "SELECT 1 FROM accounts WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
OWNED_ACCOUNTS = """
SELECT id, kind, provider_id AS owner_id FROM accounts
WHERE kind IN (5, 6) AND provider_id = ANY($1::uuid[]) AND (id >> 40) = ANY($3::bigint[])
UNION ALL SELECT id, kind, payout_id FROM accounts WHERE kind = 7 AND payout_id = ANY($2::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A snapshot, and the numbers of the accounts in it."""

    snapshot: Snapshot
    numbers: Numbers


@dataclass(slots=True)
class _Scope:
    """What the commands are about, sorted by what has to be read for it."""

    commands: Sequence[Command]
    charges: list[Charge] = field(default_factory=list)
    orders: list[PayOut | Settle | Bounce] = field(default_factory=list)
    repaid: list[Recover] = field(default_factory=list)
    restored: Mapping[MonthKey, UUID] = field(default_factory=dict)
    """The months of the items that a bounce gives back, with their children."""
    months: Mapping[MonthKey, MonthAnswer] = field(default_factory=dict)
    enrollments: Mapping[UUID, EnrollmentEnd] = field(default_factory=dict)

    @property
    def children(self) -> list[UUID]:
        named = {child_of(one) for one in self.commands} - {None}
        return sorted(one for one in named | set(self.restored.values()) if one is not None)

    @property
    def enrollment_ids(self) -> set[UUID]:
        kinds = HoldMonth | Reduce | Release | Charge
        named = {one.enrollment_id for one in self.commands if isinstance(one, kinds)}
        return named | {enrollment_id for enrollment_id, _ in self.restored}

    @property
    def revised(self) -> set[MonthKey]:
        """The months out of which something may be given back, or for which more may have to be found."""
        mixed = len(self.charges) < len(self.commands)
        times = Counter((one.enrollment_id, one.month) for one in self.charges if self._is_theirs(one))
        return set(self.restored) | {
            key for key, count in times.items() if mixed or count > 1 or self._is_revised(key)
        }

    def _is_theirs(self, charge: Charge) -> bool:
        """Of a month of another child nothing is locked here: the charge is refused."""
        month = self.months.get((charge.enrollment_id, charge.month))
        return month is None or month.child_id == charge.child_id

    def _is_revised(self, key: MonthKey) -> bool:
        month, enrollment = self.months.get(key), self.enrollments.get(key[0])
        shortened = enrollment is not None and enrollment.ends_on is not None
        return shortened or month is None or month.state == "charged"


async def read_snapshot(driver: Driver, commands: Sequence[Command], *, lock: bool) -> Read:
    """Everything the commands can depend on; with `lock`, as nobody else can change it before our commit."""
    scope = await _open_scope(driver, commands, lock=lock)
    numbers = Numbers()
    allotments = await driver.fetch(_ALLOTMENTS, scope.children)
    revised = scope.revised
    payers = await read_payers(
        driver,
        numbers,
        children=_paid_for(scope, revised),
        fund_ids={one.fund_id for one in commands if isinstance(one, OfFund | OfOrder)},
        expiring={one.fund_id for one in commands if isinstance(one, Expire)},
        fund_numbers={row["id"] >> FUND_SHIFT for row in allotments},
    )
    balances = {
        numbers.learn_allotment(row["id"], row["child_id"], row["expires_on"]): replace(
            _balance(row), moved_on=row["moved_on"], given_back=row["given_back"]
        )
        for row in allotments
    }
    balances |= await _read_spent(driver, scope, payers.funds, numbers, lock=lock)
    # Items are locked after the accounts, and nothing of them is read before.
    items = await _read_items(driver, scope, lock=lock)
    charged = {(one.enrollment_id, one.month) for one in scope.charges}
    months = scope.months
    holds = await read_holds(
        driver,
        children=scope.children if scope.enrollment_ids else (),
        revised={key: months[key] for key in revised if key in months},
        funds=payers.funds,
        numbers=numbers,
    )
    snapshot = Snapshot(
        programs=payers.programs,
        funds=payers.funds,
        entitlements=payers.entitlements,
        mrp=payers.mrp,
        balances=balances,
        holds=holds,
        used=await read_used(driver, commands, payers.programs.values(), holds),
        terms=await read_terms_of(
            driver,
            ending={one.enrollment_id for one in commands if isinstance(one, Reduce)},
            hold_ids={hold_id for key in charged if key in months and (hold_id := months[key].hold_id)},
        ),
        enrollments=scope.enrollments,
        months=months,
        items=items,
        signatures=await read_signatures(driver, charged),
        recorded=await read_recorded(driver, commands),
        beside_budget=await read_beside_budget(driver, commands),
        moved=await read_moved(driver, commands),
        bank_references=await read_bank_references(driver, commands),
    )
    return Read(snapshot, numbers)


async def _open_scope(driver: Driver, commands: Sequence[Command], *, lock: bool) -> _Scope:
    scope = _Scope(
        commands,
        charges=[one for one in commands if isinstance(one, Charge)],
        orders=[one for one in commands if isinstance(one, PayOut | Settle | Bounce)],
        repaid=[one for one in commands if isinstance(one, Recover)],
    )
    bounced = [one.payout_id for one in scope.orders if isinstance(one, Bounce)]
    scope.restored = await months_of_orders(driver, bounced)
    if lock:
        if scope.charges:
            await lock_to_charge(driver, {(one.provider_id, one.month) for one in scope.charges})
        await driver.execute(_LOCK_WALLETS, scope.children)
    scope.enrollments = await read_enrollments(driver, scope.enrollment_ids)
    scope.months = await read_months(driver, scope.enrollment_ids)
    return scope


async def _read_items(driver: Driver, scope: _Scope, *, lock: bool) -> list[Item]:
    return await read_items(
        driver,
        scope.revised,
        payout_ids=[one.payout_id for one in scope.orders],
        claimed={(one.provider_id, one.fund_id) for one in scope.repaid},
        lock=lock,
    )


def _paid_for(scope: _Scope, revised: Collection[MonthKey]) -> set[UUID]:
    """The children for whom somebody may have to pay (more) by this batch."""
    asking = {one.child_id for one in scope.commands if isinstance(one, Allot | HoldMonth)}
    return asking | {one.child_id for one in scope.charges if (one.enrollment_id, one.month) in revised}


async def _read_spent(
    driver: Driver, scope: _Scope, funds: Mapping[UUID, Fund], numbers: Numbers, *, lock: bool
) -> dict[Account, Balance]:
    """The balances of accounts that may be spent from, besides allotments."""
    spent = {numbers.number(account): account for account in _spent_accounts(scope, funds)}
    if scope.revised or scope.orders or scope.repaid:
        providers = {one.provider_id for one in (*scope.charges, *scope.orders, *scope.repaid)}
        payouts = {one.payout_id for one in scope.orders}
        fund_numbers = list(numbers.fund_ids)
        for row in await driver.fetch(OWNED_ACCOUNTS, list(providers), list(payouts), fund_numbers):
            spent[row["id"]] = numbers.learn_owned(*row.values())
    if not spent:
        return {}
    if lock:
        await driver.execute(LOCK_ACCOUNTS, list(spent))
    return {spent[row["id"]]: _balance(row) for row in await driver.fetch(_BALANCES, list(spent))}


def _spent_accounts(scope: _Scope, funds: Mapping[UUID, Fund]) -> set[Account]:
    """The funds' own accounts that may be spent from, and then those credited in the same batch too.

    A batch that only gives back, or only captures what is held, spends from none of them: it locks them
    last, when it writes.
    """
    touched = {one.fund_id for one in scope.commands if isinstance(one, Deposit | Allot | Approved | OfOrder)}
    agreed = {one.fund_id for one in scope.commands if isinstance(one, Approved)}
    holding = any(isinstance(one, HoldMonth) for one in scope.commands)
    returning = any(isinstance(one, Reduce | Release | Charge | Bounce | Expire) for one in scope.commands)
    revising = bool(scope.revised)
    spent: set[Account] = set()
    for fund in funds.values() if touched or holding or revising else ():
        if fund.id in touched:
            spent.add(Account(Kind.BANK, fund.id))
        if fund.id in touched or fund.mode is Mode.ON_HOLD:
            spent.add(fund_account(fund.id))
        if returning or fund.id in agreed:
            spent.add(Account(Kind.RETURNED, fund.id))
        if revising or fund.id in agreed:
            spent.add(Account(Kind.CLAIMED, fund.id))
    return spent


def _balance(row: asyncpg.Record) -> Balance:
    return Balance(row["credited"], row["debited"], row["held"])
