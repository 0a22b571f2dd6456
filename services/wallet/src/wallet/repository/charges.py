"""What months cost and what is owed for them, as people read it. How it is written stands in `postings`."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from shared.security import Principal
from wallet.repository.payout_runs import UNSEALED_ITEM

_CHARGE: Final = sa.text("""
    SELECT enrollment_id, child_id, provider_id, group_id, month, revision, cost_tiyn, captured_tiyn,
        disputed_tiyn, uncovered_tiyn, frozen, code, verdicts, charged_at
    FROM charges WHERE enrollment_id = :enrollment_id AND month = :month
        AND (:everywhere OR child_id = ANY(:children) OR provider_id = ANY(:providers))
    ORDER BY revision DESC LIMIT 1
""").bindparams(
    sa.bindparam("children", type_=sa.ARRAY(sa.Uuid)), sa.bindparam("providers", type_=sa.ARRAY(sa.Uuid))
)
_ITEMS: Final = sa.text(
    f"""
    SELECT i.id, i.enrollment_id, i.child_id, i.group_id, i.month, i.fund_id, i.revision, i.charged_tiyn,
        i.amount_tiyn, i.claimed_tiyn, i.stage, i.frozen, i.due_on, i.payout_id, p.state AS payout_state,
        r.state AS run_state,
        y.id IS NOT NULL AS has_payee, y.payable_from,
        i.stage = 'due' AND {UNSEALED_ITEM.format(item_id="i.id")} AS unsealed
    FROM payable_items i LEFT JOIN payouts p ON p.id = i.payout_id LEFT JOIN payout_runs r ON r.id = p.run_id
        LEFT JOIN payees y ON y.provider_id = i.provider_id AND y.replaced_at IS NULL
    WHERE i.provider_id = :provider_id AND i.month = :month
        AND (CAST(:after AS uuid) IS NULL OR i.id > CAST(:after AS uuid))
    ORDER BY i.id LIMIT :limit
"""  # noqa: S608 - ours
)


async def find_charge(
    tx: Transaction, principal: Principal, enrollment_id: UUID, month: str
) -> sa.RowMapping | None:
    """The latest charge of a month, if this person may see it."""
    values = {
        "enrollment_id": enrollment_id,
        "month": month,
        "everywhere": principal.has("administrator", "auditor"),
        "children": list(principal.scopes("guardian")),
        "providers": list(principal.scopes("director")),
    }
    return (await tx.execute(_CHARGE, values)).mappings().first()


async def items_of_provider(
    tx: Transaction, provider_id: UUID, month: str, *, after: UUID | None, limit: int
) -> Sequence[sa.RowMapping]:
    """What is owed to a provider for a month, with where it is on its way, in the order of the items' ids."""
    values = {"provider_id": provider_id, "month": month, "after": after, "limit": limit}
    return (await tx.execute(_ITEMS, values)).mappings().all()
