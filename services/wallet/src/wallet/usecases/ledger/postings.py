"""Who may look at which postings: overseers of funds, a child's guardians, a provider's directors."""

from uuid import UUID

from shared import clock
from shared.database import Transaction
from shared.errors import ForbiddenError, NotFoundError
from shared.security import Principal
from wallet.repository.ledger import Row, postings
from wallet.repository.ledger.postings import Place, Wanted
from wallet.usecases.ledger import visible_fund

POSTINGS_SHOWN = 1_000
"""Of one operation: as many as an order with that many claims may give back if it bounces."""


async def list_postings(
    tx: Transaction, principal: Principal, wanted: Wanted, *, after: Place | None, limit: int
) -> list[Row]:
    """The newest first."""
    seen = await narrowed(tx, principal, wanted)
    return await postings.page(tx, seen, after=after, limit=limit)


async def read_operation(tx: Transaction, principal: Principal, operation_id: UUID) -> tuple[Row, list[Row]]:
    """An operation with its postings, for those who oversee a fund that it moved or reserved money of."""
    principal.require("administrator", "auditor")
    scopes = sorted(principal.scopes("administrator", "auditor"))
    operation = await postings.find_operation(tx, operation_id, scopes)
    if operation is None:
        raise NotFoundError
    wanted = Wanted(scopes=scopes)
    return operation, await postings.of_operation(tx, operation_id, wanted, limit=POSTINGS_SHOWN)


async def narrowed(tx: Transaction, principal: Principal, wanted: Wanted) -> Wanted:
    """What this person may see of it. Of a fund, a child or a provider of others nothing is there.

    Guardians and directors name their child or provider, and see what went in and out of its accounts.
    """
    if _of_own(principal, wanted):
        return wanted
    if principal.has("administrator", "auditor"):
        if wanted.fund_id is not None:
            await visible_fund(tx, principal, wanted.fund_id)
        return wanted._replace(scopes=sorted(principal.scopes("administrator", "auditor")))
    principal.require("guardian", "director")
    if wanted.child_id is None and wanted.provider_id is None:
        raise ForbiddenError("role_required")
    raise NotFoundError


def _of_own(principal: Principal, wanted: Wanted) -> bool:
    return wanted.child_id in principal.scopes("guardian") or wanted.provider_id in principal.scopes(
        "director"
    )


def of_month(wanted: Wanted, month: str) -> Wanted:
    """Only what is effective in this month."""
    first, after = clock.first_day(month), clock.first_day(clock.next_month(month))
    begins_at = clock.civil_moment(first)
    return wanted._replace(
        effective_from=first,
        effective_until=after,
        # Nothing is effective after it was recorded.
        recorded_from=max(wanted.recorded_from, begins_at) if wanted.recorded_from else begins_at,
    )


def trace_of(row: Row) -> tuple[str, UUID]:
    """Of what the trace tells the most about a posting: its order, its enrollment, or its fund."""
    for kind, name in (("payouts", "payout_id"), ("enrollments", "enrollment_id")):
        if row[name] is not None:
            return kind, row[name]
    return "funds", row["fund_id"]
