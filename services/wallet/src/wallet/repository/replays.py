"""What months were charged by, kept and read so that they can be priced again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.database import Transaction
from wallet.domain.charging import Verdict
from wallet.domain.facts import Facts
from wallet.domain.holds import Terms
from wallet.domain.operations import Charge
from wallet.repository.frozen import read_facts, read_terms, read_verdicts, write_facts
from wallet.repository.payers import Driver

_WRITE: Final = """
INSERT INTO month_facts (month, enrollment_id, revision, facts)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::jsonb[])
ON CONFLICT (month, enrollment_id) DO UPDATE SET revision = excluded.revision, facts = excluded.facts
WHERE month_facts.revision < excluded.revision
"""
_CHARGED: Final = """
SELECT m.enrollment_id, m.child_id, c.provider_id, c.group_id, c.cost_tiyn, c.verdicts, h.terms, f.facts
FROM enrollment_months m JOIN charges c USING (enrollment_id, month, revision)
    LEFT JOIN month_facts f USING (enrollment_id, month, revision)
    JOIN holds h ON h.id = m.hold_id
WHERE m.month = $1 AND m.state = 'charged' AND c.code IS NULL
    AND h.terms -> 'rules' @> jsonb_build_array(jsonb_build_object('program_id', $2::text))
    AND ($3::uuid IS NULL OR m.enrollment_id > $3)
ORDER BY m.enrollment_id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class ChargedMonth:
    """A month as it was charged last; None: its facts were not kept yet."""

    enrollment_id: UUID
    child_id: UUID
    provider_id: UUID
    group_id: UUID
    cost_tiyn: int
    verdicts: Sequence[Verdict]
    terms: Terms
    facts: Facts | None


async def keep_facts(driver: Driver, charges: Collection[Charge]) -> None:
    """The facts of the highest revision of each month."""
    latest: dict[tuple[str, UUID], Charge] = {}
    for one in sorted(charges, key=lambda charge: charge.revision):
        latest[one.month, one.enrollment_id] = one
    rows = [(*key, one.revision, write_facts(one.facts)) for key, one in sorted(latest.items())]
    if rows:
        await driver.execute(_WRITE, *(list(column) for column in zip(*rows, strict=True)))


async def only_read(tx: Transaction) -> None:
    """From here on the database itself refuses to write."""
    await (await tx.driver()).execute("SET TRANSACTION READ ONLY")


async def charged_months(
    tx: Transaction, program_id: UUID, month: str, *, after: UUID | None, limit: int
) -> list[ChargedMonth]:
    """The months that the program has paid for, or was to, in the order of their enrollments."""
    driver = await tx.driver()
    return [_charged(row) for row in await driver.fetch(_CHARGED, month, str(program_id), after, limit)]


def _charged(row: asyncpg.Record) -> ChargedMonth:
    return ChargedMonth(
        row["enrollment_id"],
        row["child_id"],
        row["provider_id"],
        row["group_id"],
        row["cost_tiyn"],
        read_verdicts(row["verdicts"]),
        read_terms(row["terms"]),
        read_facts(row["facts"]) if row["facts"] else None,
    )
