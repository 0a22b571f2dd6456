"""Operations that take two persons: who they were, and what else such an operation needs to be decided."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from wallet.domain.accounts import Kind
from wallet.domain.operations import Approved, Command, Correct, Deposit, Recover, Return
from wallet.domain.snapshot import Moved
from wallet.repository.payers import Driver

INSERT_APPROVED: Final = """
INSERT INTO approved_operations (approved_at, operation_id, fund_id, proposal_id, proposed_by, approved_by,
    debit, credit, amount_tiyn, provider_id, bank_reference, corrects, reason)
SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
    $9::bigint[], $10::uuid[], $11::text[], $12::uuid[], $13::text[])
"""
_BESIDE_BUDGET = """
SELECT fund_id, sum(amount_tiyn)::bigint FROM approved_operations
WHERE fund_id = ANY($1::uuid[]) AND (debit = 'bank' OR (credit = 'bank' AND corrects IS NOT NULL))
GROUP BY fund_id
"""
_MOVED = """
WITH wanted AS (
    SELECT DISTINCT f.id AS fund_id, f.number, operation_id
    FROM unnest($1::uuid[], $2::uuid[]) AS row(operation_id, fund_id) JOIN funds f ON f.id = row.fund_id
), way AS (
    SELECT w.operation_id, w.fund_id, p.amount_tiyn, p.debit_account & x'FFFFFFFFFF'::bigint AS debit,
        p.credit_account & x'FFFFFFFFFF'::bigint AS credit
    FROM wanted w JOIN postings p ON p.operation_id = w.operation_id AND p.debit_account >> 40 = w.number
)
SELECT w.operation_id, w.fund_id, sum(w.amount_tiyn)::bigint,
    coalesce(sum(w.amount_tiyn) FILTER (WHERE w.debit = 1 AND w.credit = 2), 0)::bigint,
    coalesce(sum(w.amount_tiyn) FILTER (WHERE w.debit IN (2, 3) AND w.credit = 1), 0)::bigint,
    coalesce((
        SELECT sum(c.amount_tiyn) FROM approved_operations c
        WHERE c.corrects = w.operation_id AND c.fund_id = w.fund_id
    ), 0)::bigint
FROM way w GROUP BY w.operation_id, w.fund_id
"""
"""The place of a fund's own account in its number is that of its kind: bank 1, fund 2, returned 3."""
_BANK_REFERENCES = """
SELECT fund_id, bank_reference FROM approved_operations
    JOIN unnest($1::uuid[], $2::text[]) AS row(fund_id, bank_reference) USING (fund_id, bank_reference)
"""


async def read_beside_budget(driver: Driver, commands: Sequence[Command]) -> dict[UUID, int]:
    """What came to the bank accounts of these funds and was no deposit. The accounts are locked."""
    fund_ids = {one.fund_id for one in commands if isinstance(one, Deposit)}
    rows = await driver.fetch(_BESIDE_BUDGET, list(fund_ids)) if fund_ids else ()
    return {fund_id: amount for fund_id, amount in rows}  # noqa: C416 - a record is no pair


async def read_moved(driver: Driver, commands: Sequence[Command]) -> dict[tuple[UUID, UUID], Moved]:
    """What the operations that are to be corrected moved, and how much of it was corrected already."""
    corrections = [one for one in commands if isinstance(one, Correct)]
    if not corrections:
        return {}
    columns = [one.corrects for one in corrections], [one.fund_id for one in corrections]
    return {
        (operation_id, fund_id): Moved(*amounts)
        for operation_id, fund_id, *amounts in await driver.fetch(_MOVED, *columns)
    }


async def read_bank_references(driver: Driver, commands: Sequence[Command]) -> frozenset[tuple[UUID, str]]:
    """Which of them were entered before."""
    named = [one for one in commands if isinstance(one, Return | Recover)]
    if not named:
        return frozenset()
    columns = [one.fund_id for one in named], [one.bank_reference for one in named]
    rows = await driver.fetch(_BANK_REFERENCES, *columns)
    return frozenset((row["fund_id"], row["bank_reference"]) for row in rows)


def approved_rows(approved: Iterable[Approved]) -> Iterable[tuple[Any, ...]]:
    """As rows of `INSERT_APPROVED`: of several postings, from where to where they lead."""
    for one in approved:
        head = one.id, one.fund_id, *one.approval
        match one:
            case Return():
                yield *head, one.source, Kind.BANK, one.amount_tiyn, None, one.bank_reference, None, None
            case Recover(provider_id=provider_id, bank_reference=reference):
                yield *head, Kind.BANK, Kind.FUND, one.amount_tiyn, provider_id, reference, None, None
            case Correct():
                yield *head, one.debit, one.credit, one.amount_tiyn, None, None, one.corrects, one.reason
