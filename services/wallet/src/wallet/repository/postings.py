"""Writes a decided batch, set by set: a handful of statements, whatever its size."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from wallet.domain.accounts import Account, Kind
from wallet.domain.books import Books
from wallet.domain.holds import Hold, Terms
from wallet.domain.operations import Charge, Charged, Declined, Held
from wallet.domain.recording import Operation, identity_id
from wallet.repository.approved import INSERT_APPROVED, approved_rows
from wallet.repository.frozen import write_terms, write_verdicts
from wallet.repository.items import (
    INSERT_ENTRIES,
    INSERT_ITEMS,
    UPDATE_ITEMS,
    changed_items,
    created_items,
)
from wallet.repository.numbers import KIND_NUMBERS, Numbers
from wallet.repository.payers import Driver
from wallet.repository.snapshots import LOCK_ACCOUNTS, OWNED_ACCOUNTS

_BATCH = "INSERT INTO batches (posted_at, operations, postings) VALUES ($1, $2, $3) RETURNING id"
_ALLOTMENTS = """
INSERT INTO accounts (id, kind, child_id, expires_on, credited, debited, held, version, moved_on)
SELECT number << 40 | nextval('allotment_places'), 16, child_id, expires_on, credited, debited, held, 1, $7
FROM unnest($1::bigint[], $2::uuid[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS row(number, child_id, expires_on, credited, debited, held)
RETURNING id, child_id, expires_on
"""
_OWNED_ACCOUNTS = """
INSERT INTO accounts (id, kind, provider_id, payout_id)
SELECT number << 40 | nextval('allotment_places'), kind, CASE WHEN kind = 7 THEN NULL ELSE owner_id END,
    CASE WHEN kind = 7 THEN owner_id END
FROM unnest($1::bigint[], $2::smallint[], $3::uuid[]) AS row(number, kind, owner_id)
ON CONFLICT DO NOTHING
"""
_OPERATIONS = ("batch_id", "id", "identity", "digest", "kind", "child_id", "code", "amount_tiyn")
_POSTINGS = ("operation_id", "place", "debit_account", "credit_account", "amount_tiyn")
_REPEATED_HOLDS = """
INSERT INTO repeated_holds (operation_id, hold_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
"""
_BALANCES = """
UPDATE accounts SET credited = accounts.credited + row.credited, debited = accounts.debited + row.debited,
    held = accounts.held + row.held, version = accounts.version + 1, moved_on = $1,
    given_back = row.given_back
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[])
    AS row(id, credited, debited, held, given_back)
WHERE accounts.id = row.id
"""
_HOLDS = """
INSERT INTO holds (id, child_id, enrollment_id, month, attempt, open, terms)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::boolean[], $7::jsonb[])
"""
_LAYERS = """
INSERT INTO hold_layers (hold_id, place, account_id, amount_tiyn, released_tiyn, captured_tiyn)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
"""
_CHANGED_LAYERS = """
UPDATE hold_layers SET released_tiyn = row.released_tiyn, captured_tiyn = row.captured_tiyn
FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[])
    AS row(hold_id, place, released_tiyn, captured_tiyn)
WHERE hold_layers.hold_id = row.hold_id AND hold_layers.place = row.place
"""
_CHANGED_HOLDS = """
UPDATE holds SET open = row.open FROM unnest($1::uuid[], $2::boolean[]) AS row(id, open)
WHERE holds.id = row.id AND holds.open
"""
_ENROLLMENTS = """
INSERT INTO enrollments (id, child_id, ends_on, released)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::boolean[])
ON CONFLICT (id) DO UPDATE SET ends_on = excluded.ends_on, released = excluded.released
WHERE enrollments.child_id = excluded.child_id
"""
_MONTHS = """
INSERT INTO enrollment_months (enrollment_id, month, child_id, attempt, state, code, missing_tiyn, hold_id,
    revision, captured_tiyn, disputed_tiyn, uncovered_tiyn, frozen)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::bigint[],
    $8::uuid[], $9::int[], $10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[])
ON CONFLICT (enrollment_id, month) DO UPDATE SET attempt = excluded.attempt, state = excluded.state,
    code = excluded.code, missing_tiyn = excluded.missing_tiyn, hold_id = excluded.hold_id,
    revision = excluded.revision, captured_tiyn = excluded.captured_tiyn,
    disputed_tiyn = excluded.disputed_tiyn, uncovered_tiyn = excluded.uncovered_tiyn,
    frozen = excluded.frozen
"""
_CHARGES = """
INSERT INTO charges (charged_at, enrollment_id, month, revision, operation_id, child_id, provider_id,
    group_id, digest, code, cost_tiyn, captured_tiyn, disputed_tiyn, uncovered_tiyn, frozen, verdicts)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::int[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
    $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::boolean[],
    $16::jsonb[])
"""


class StaleBooksError(RuntimeError):
    """Rows that were read under lock are not there any more: nothing of the batch may be written."""


async def write_books(driver: Driver, books: Books, numbers: Numbers, posted_at: datetime) -> None:
    """Write the outcome of a batch. Nothing at all if every command was a repetition."""
    if not books.operations:
        return
    batch_id = await driver.fetchval(_BATCH, posted_at, len(books.operations), len(books.postings))
    rows = [_operation(batch_id, one) for one in books.operations]
    await driver.copy_records_to_table("operations", records=rows, columns=_OPERATIONS)
    await _write_rows(driver, _REPEATED_HOLDS, _repeated_holds(books))
    opened = await _open_allotments(driver, books, numbers)
    await _open_owned_accounts(driver, books, numbers)
    if books.postings:
        rows = list(_posting_rows(books, numbers))
        await driver.copy_records_to_table("postings", records=rows, columns=_POSTINGS)
    await _write_balances(driver, books, numbers, opened)
    await _write_holds(driver, books, numbers)
    await _write_enrollments(driver, books)
    await _write_charges(driver, books, posted_at)
    await _write_rows(driver, INSERT_APPROVED, approved_rows(books.approved), posted_at)


async def _write_rows(driver: Driver, statement: str, rows: Iterable[Sequence[Any]], *first: object) -> int:
    """Run a statement over the rows, as columns; how many rows it wrote."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return 0
    status = await driver.execute(statement, *first, *columns)
    return int(status.rsplit(" ", 1)[-1])


def _operation(batch_id: int, operation: Operation) -> tuple[Any, ...]:
    result = operation.result
    if isinstance(result, Declined):
        code, amount = result
    else:
        code, amount = None, result.amount_tiyn
    return (
        batch_id,
        operation.id,
        identity_id(operation.identity),
        operation.digest,
        operation.identity.kind,
        operation.child_id,
        code,
        amount,
    )


def _repeated_holds(books: Books) -> Iterable[tuple[UUID, UUID]]:
    """The operations that found their month held already, by another."""
    for operation in books.operations:
        if isinstance(operation.result, Held) and operation.result.hold_id != operation.id:
            yield operation.id, operation.result.hold_id


async def _open_allotments(driver: Driver, books: Books, numbers: Numbers) -> set[Account]:
    """Make the allotments that are not there, with what is in them at once. Which ones they are."""
    new = [account for account in books.deltas if account.kind is Kind.ALLOTMENT and not numbers.has(account)]
    if new:
        deltas = [books.deltas[account] for account in new]
        rows = await driver.fetch(
            _ALLOTMENTS,
            [numbers.fund_numbers[account.fund_id] for account in new],
            [account.child_id for account in new],
            [account.expires_on for account in new],
            [delta.credited for delta in deltas],
            [delta.debited for delta in deltas],
            [delta.held for delta in deltas],
            books.today,
        )
        for row in rows:
            numbers.learn_allotment(row["id"], row["child_id"], row["expires_on"])
    return set(new)


async def _open_owned_accounts(driver: Driver, books: Books, numbers: Numbers) -> None:
    """Learn the accounts of providers and orders, and make those that are not there; another may be first."""
    needed = [account for account in books.deltas if not numbers.has(account)]
    owners = sorted({account.owner_id for account in needed if account.owner_id}, key=str)
    for missing in (False, True):
        if missing and needed:
            await driver.execute(
                _OWNED_ACCOUNTS,
                [numbers.fund_numbers[account.fund_id] for account in needed],
                [KIND_NUMBERS[account.kind] for account in needed],
                [account.owner_id for account in needed],
            )
        if needed:
            for row in await driver.fetch(OWNED_ACCOUNTS, owners, owners, list(numbers.fund_ids)):
                numbers.learn_owned(*row.values())
            needed = sorted((one for one in needed if not numbers.has(one)), key=str)


def _posting_rows(books: Books, numbers: Numbers) -> Iterable[tuple[UUID, int, int, int, int]]:
    operation_id, place = None, 0
    for posting in books.postings:
        place = place + 1 if posting.operation_id == operation_id else 0
        operation_id = posting.operation_id
        debit, credit = numbers.number(posting.debit), numbers.number(posting.credit)
        yield operation_id, place, debit, credit, posting.amount_tiyn


async def _write_balances(driver: Driver, books: Books, numbers: Numbers, opened: set[Account]) -> None:
    rows = [
        (
            numbers.number(account),
            delta.credited,
            delta.debited,
            delta.held,
            books.balances[account].given_back,
        )
        for account, delta in books.deltas.items()
        if account not in opened
    ]
    # Locked already if they may be spent from; those that are only credited come last, in order.
    own = [numbers.number(account) for account in books.deltas if account.kind is not Kind.ALLOTMENT]
    await driver.execute(LOCK_ACCOUNTS, own)
    if await _write_rows(driver, _BALANCES, rows, books.today) != len(rows):
        raise StaleBooksError("an account is missing")


async def _write_holds(driver: Driver, books: Books, numbers: Numbers) -> None:
    await _write_rows(driver, _HOLDS, (_hold(hold, books.terms[hold.id]) for hold in books.created.values()))
    layers: list[tuple[Any, ...]] = [
        (
            hold.id,
            place,
            numbers.number(layer.account),
            layer.amount_tiyn,
            layer.released_tiyn,
            layer.captured_tiyn,
        )
        for hold in books.created.values()
        for place, layer in enumerate(hold.layers)
    ]
    await _write_rows(driver, _LAYERS, layers)
    were_open = {hold.id for hold in books.snapshot.holds if hold.open}
    changed = [(hold.id, hold.open) for hold in books.changed.values() if hold.id in were_open]
    if await _write_rows(driver, _CHANGED_HOLDS, changed) != len(changed):
        raise StaleBooksError("a hold is not open any more")
    layers = [
        (hold.id, place, layer.released_tiyn, layer.captured_tiyn)
        for hold in books.changed.values()
        for place, layer in enumerate(hold.layers)
    ]
    await _write_rows(driver, _CHANGED_LAYERS, layers)


def _hold(hold: Hold, terms: Terms) -> tuple[Any, ...]:
    frozen = write_terms(terms)
    return hold.id, hold.child_id, hold.enrollment_id, hold.month, hold.attempt, hold.open, frozen


async def _write_enrollments(driver: Driver, books: Books) -> None:
    known = books.snapshot.enrollments
    enrollments = sorted(
        (id_, *enrollment) for id_, enrollment in books.enrollments.items() if known.get(id_) != enrollment
    )
    if await _write_rows(driver, _ENROLLMENTS, enrollments) != len(enrollments):
        raise StaleBooksError("an enrollment belongs to another child")
    await _write_rows(driver, _MONTHS, sorted((*key, *answer) for key, answer in books.months.items()))


async def _write_charges(driver: Driver, books: Books, charged_at: datetime) -> None:
    charges = (_charge(command, charged) for command, charged in books.charges)
    await _write_rows(driver, _CHARGES, charges, charged_at)
    await _write_rows(driver, INSERT_ITEMS, created_items(books), charged_at)
    if await _write_rows(driver, UPDATE_ITEMS, changed_items(books)) != len(books.changed_items):
        raise StaleBooksError("an item is missing")
    await _write_rows(driver, INSERT_ENTRIES, books.entries)


def _charge(command: Charge, charged: Charged) -> tuple[Any, ...]:
    return (
        command.enrollment_id,
        command.month,
        command.revision,
        charged.operation_id,
        command.child_id,
        command.provider_id,
        command.group_id,
        command.digest,
        charged.code,
        charged.cost_tiyn,
        charged.amount_tiyn,
        charged.disputed_tiyn,
        charged.uncovered_tiyn,
        charged.frozen,
        write_verdicts(charged.verdicts),
    )
