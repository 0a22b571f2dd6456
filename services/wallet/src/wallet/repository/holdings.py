"""Reads what is held for enrollments, by which terms, and what became of their months."""

from collections.abc import Collection, Mapping
from uuid import UUID

from wallet.domain.holds import Hold, Layer, Terms
from wallet.domain.programs import Fund
from wallet.domain.snapshot import EnrollmentEnd, MonthAnswer
from wallet.repository.frozen import read_terms
from wallet.repository.numbers import Numbers
from wallet.repository.payers import Driver

MonthKey = tuple[UUID, str]

_OPEN_HOLDS = """
SELECT id, child_id, enrollment_id, month, attempt, open FROM holds
WHERE open AND child_id = ANY($1::uuid[])
"""
_CLOSED_HOLDS = """
SELECT id, child_id, enrollment_id, month, attempt, open FROM holds
WHERE NOT open AND id = ANY($1::uuid[])
"""
_RAISED = """
SELECT c.operation_id FROM charges c
    JOIN unnest($1::uuid[], $2::text[]) AS wanted(enrollment_id, month) USING (enrollment_id, month)
"""
_TERMS = (
    "SELECT id, terms FROM holds WHERE (open AND enrollment_id = ANY($1::uuid[])) OR id = ANY($2::uuid[])"
)
_LAYERS = """
SELECT hold_id, account_id, amount_tiyn, released_tiyn, captured_tiyn FROM hold_layers
WHERE hold_id = ANY($1::uuid[]) ORDER BY hold_id, place
"""
_ENROLLMENTS = "SELECT id, child_id, ends_on, released FROM enrollments WHERE id = ANY($1::uuid[])"
_MONTHS = """
SELECT enrollment_id, month, child_id, attempt, state, code, missing_tiyn, hold_id, revision, captured_tiyn,
    disputed_tiyn, uncovered_tiyn, frozen
FROM enrollment_months WHERE enrollment_id = ANY($1::uuid[])
"""


async def read_enrollments(driver: Driver, ids: Collection[UUID]) -> dict[UUID, EnrollmentEnd]:
    """What the wallet remembers of these."""
    return {
        row["id"]: EnrollmentEnd(row["child_id"], row["ends_on"], row["released"])
        for row in await driver.fetch(_ENROLLMENTS, list(ids))
    }


async def read_months(driver: Driver, enrollment_ids: Collection[UUID]) -> dict[MonthKey, MonthAnswer]:
    """What became of all months of these enrollments."""
    months: dict[MonthKey, MonthAnswer] = {}
    for row in await driver.fetch(_MONTHS, list(enrollment_ids)):
        enrollment_id, month, *answer = row.values()
        months[enrollment_id, month] = MonthAnswer(*answer)
    return months


async def read_holds(
    driver: Driver,
    *,
    children: Collection[UUID],
    revised: Mapping[MonthKey, MonthAnswer],
    funds: Mapping[UUID, Fund],
    numbers: Numbers,
) -> list[Hold]:
    """All open ones of the children, and the closed ones out of which these months were charged."""
    rows = await driver.fetch(_OPEN_HOLDS, list(children))
    if revised:
        raised = await driver.fetch(_RAISED, *columns_of(revised))
        closed = {row["operation_id"] for row in raised} | {one.hold_id for one in revised.values()}
        rows += await driver.fetch(_CLOSED_HOLDS, list(closed - {None}))
    accounts = {number: account for account, number in numbers.places.items()}
    layers: dict[UUID, list[Layer]] = {}
    for hold_id, account_id, *amounts in await driver.fetch(_LAYERS, [row["id"] for row in rows]):
        account = accounts[account_id]
        layer = Layer(account, funds[account.fund_id].program_id, *amounts)
        layers.setdefault(hold_id, []).append(layer)
    holds = [Hold(**row, layers=tuple(layers.get(row["id"], ()))) for row in rows]
    return sorted(holds, key=lambda hold: hold.id)


async def read_terms_of(
    driver: Driver, *, ending: Collection[UUID], hold_ids: Collection[UUID]
) -> dict[UUID, Terms]:
    """The terms of these holds, and of the open ones of the enrollments that end."""
    if not ending and not hold_ids:
        return {}
    rows = await driver.fetch(_TERMS, list(ending), list(hold_ids))
    return {row["id"]: read_terms(row["terms"]) for row in rows}


def columns_of(keys: Collection[MonthKey]) -> tuple[list[UUID], list[str]]:
    """The keys as two columns."""
    return [enrollment_id for enrollment_id, _ in keys], [month for _, month in keys]
