"""Reads the operations of the past, with the result that each repetition gets."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from wallet.domain.operations import (
    Allotted,
    Bounced,
    Charged,
    Command,
    Corrected,
    Declined,
    Deposited,
    Expired,
    Final,
    Held,
    Identity,
    PaidOut,
    Recovered,
    Released,
    Returned,
    Settled,
    Share,
    Superseded,
)
from wallet.domain.recording import Recorded, identity_id
from wallet.repository.frozen import read_verdicts
from wallet.repository.payers import Driver

_RECORDED = """
SELECT o.id, o.identity, o.kind, o.digest, o.code, o.amount_tiyn,
    CASE WHEN o.kind = 'hold' THEN coalesce(r.hold_id, o.id) END AS hold_id
FROM operations o LEFT JOIN repeated_holds r ON r.operation_id = o.id
WHERE o.identity = ANY($1::uuid[])
"""
_SHARES = """
SELECT l.hold_id, f.program_id, f.id AS fund_id, l.amount_tiyn
FROM hold_layers l JOIN funds f ON f.number = l.account_id >> 40
WHERE l.hold_id = ANY($1::uuid[]) ORDER BY l.hold_id, l.place
"""
_CHARGES = """
SELECT operation_id, captured_tiyn AS amount_tiyn, cost_tiyn, disputed_tiyn, uncovered_tiyn, frozen, code,
    verdicts
FROM charges WHERE operation_id = ANY($1::uuid[])
"""


async def read_recorded(driver: Driver, commands: Sequence[Command]) -> dict[Identity, Recorded]:
    """Those of the commands that were decided before."""
    asked = {identity_id(command.identity): command.identity for command in commands}
    rows = await driver.fetch(_RECORDED, list(asked))
    shares = await _read_shares(driver, {row["hold_id"] for row in rows} - {None})
    charges = await _read_charges(driver, [row["id"] for row in rows if row["kind"] == "charge"])
    return {
        asked[row["identity"]]: Recorded(row["digest"], _result(row, shares.get(row["hold_id"], ()), charges))
        for row in rows
    }


async def _read_shares(driver: Driver, hold_ids: set[UUID]) -> dict[UUID, list[Share]]:
    shares: dict[UUID, list[Share]] = {}
    for row in await driver.fetch(_SHARES, list(hold_ids)) if hold_ids else ():
        hold_id, *content = row.values()
        shares.setdefault(hold_id, []).append(Share(*content))
    return shares


async def _read_charges(driver: Driver, operation_ids: Sequence[UUID]) -> dict[UUID, Charged]:
    rows = await driver.fetch(_CHARGES, operation_ids) if operation_ids else ()
    return {
        row["operation_id"]: Charged(**{**row, "verdicts": read_verdicts(row["verdicts"])}) for row in rows
    }


def _result(
    row: Mapping[str, Any] | asyncpg.Record, shares: Sequence[Share], charges: Mapping[UUID, Charged]
) -> Final:
    """The first result, from what the operation's row says. Kinds are those the use cases make."""
    amount: int = row["amount_tiyn"]
    if row["code"] is not None:
        return Declined(row["code"], amount)
    if row["hold_id"] is not None:
        return Held(row["hold_id"], amount, tuple(shares))
    if row["kind"] == "charge":
        return charges.get(row["id"]) or Superseded()
    by_kind: dict[str, type[Deposited | PaidOut | Settled | Bounced | Returned | Recovered | Corrected]] = {
        "deposit": Deposited,
        "pay_out": PaidOut,
        "settle": Settled,
        "bounce": Bounced,
        "return": Returned,
        "recover": Recovered,
        "correct": Corrected,
    }
    if row["kind"] in by_kind:
        return by_kind[row["kind"]](row["id"], amount)
    of_children: dict[str, type[Allotted | Expired]] = {"allot": Allotted, "expire": Expired}
    return of_children.get(row["kind"], Released)(amount)
