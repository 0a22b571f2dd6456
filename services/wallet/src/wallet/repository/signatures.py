"""What providers signed, and what falls due by it: whichever of facts and signature comes last promotes.

Charges and signatures of one provider's month therefore wait for each other, before any other lock.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

from wallet.repository.holdings import MonthKey, columns_of
from wallet.repository.payers import Driver

ProviderMonth = tuple[UUID, str]

_LOCK: Final = """
SELECT pg_advisory_xact_lock{shared}(hashtextextended('signing/' || name, 0))
FROM (SELECT name FROM unnest($1::text[]) AS row(name) ORDER BY name OFFSET 0) AS ordered
"""
_LOCK_TO_CHARGE: Final = _LOCK.format(shared="_shared")
_LOCK_TO_SIGN: Final = _LOCK.format(shared="")
_SIGNATURES = """
SELECT s.enrollment_id, s.month, s.revision, s.digest FROM signed_revisions s
    JOIN unnest($1::uuid[], $2::text[]) AS wanted(enrollment_id, month) USING (enrollment_id, month)
"""
_INSERT = """
INSERT INTO signed_revisions
    (enrollment_id, month, revision, digest, provider_id, statement_id, signed_by, signed_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[],
    $8::timestamptz[])
ON CONFLICT DO NOTHING
"""
# A signature counts for every item up to its revision, if what was signed is what was charged.
_LOCK_PROMOTED = """
SELECT i.id FROM payable_items i
WHERE i.stage = 'charged' AND EXISTS (
    SELECT FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[])
            AS signed(enrollment_id, month, revision, digest)
        JOIN charges c USING (enrollment_id, month, revision, digest)
    WHERE (signed.enrollment_id, signed.month) = (i.enrollment_id, i.month)
        AND signed.revision >= i.revision
) AND (i.enrollment_id, i.month) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
    AND i.provider_id = ANY($5::uuid[])
ORDER BY i.id FOR NO KEY UPDATE OF i
"""
_PROMOTE = """
UPDATE payable_items SET stage = 'due', version = version + 1
WHERE id = ANY($1::uuid[]) AND stage = 'charged'
"""
_MISMATCHES = """
SELECT s.enrollment_id, s.month, s.revision
FROM signed_revisions s JOIN charges c USING (enrollment_id, month, revision)
    JOIN unnest($1::uuid[], $2::text[]) AS wanted(enrollment_id, month) USING (enrollment_id, month)
WHERE s.digest <> c.digest
"""


async def lock_to_charge(driver: Driver, months: Iterable[ProviderMonth]) -> None:
    """Before charges read signatures: together with other charges, never beside a signing."""
    await driver.execute(_LOCK_TO_CHARGE, _names(months))


async def lock_to_sign(driver: Driver, months: Iterable[ProviderMonth]) -> None:
    """Before signatures are written and items looked for."""
    await driver.execute(_LOCK_TO_SIGN, _names(months))


def _names(months: Iterable[ProviderMonth]) -> list[str]:
    return sorted({f"{provider_id}/{month}" for provider_id, month in months})


async def read_signatures(
    driver: Driver, months: Collection[MonthKey]
) -> dict[MonthKey, frozenset[tuple[int, str]]]:
    """What the providers have signed of these months. Whoever reads it holds `lock_to_charge`."""
    found: dict[MonthKey, set[tuple[int, str]]] = {}
    if months:
        for enrollment_id, month, revision, digest in await driver.fetch(_SIGNATURES, *columns_of(months)):
            found.setdefault((enrollment_id, month), set()).add((revision, digest))
    return {key: frozenset(signed) for key, signed in found.items()}


async def write_signatures(driver: Driver, rows: Collection[tuple[Any, ...]]) -> list[UUID]:
    """Keep what was signed, and let fall due what was charged by the same facts. Returns these items."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    await driver.execute(_INSERT, *columns)
    promoted = [row["id"] for row in await driver.fetch(_LOCK_PROMOTED, *columns[:5])]
    await driver.execute(_PROMOTE, promoted)
    return promoted


async def mismatches(driver: Driver, months: Collection[MonthKey]) -> list[tuple[UUID, str, int]]:
    """What was signed of these months with other facts than were charged."""
    return [tuple(row) for row in await driver.fetch(_MISMATCHES, *columns_of(months))]
