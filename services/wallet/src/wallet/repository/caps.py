"""Reads what programs with caps have paid for children: what counts against the caps beside what is held."""

from collections.abc import Collection, Sequence
from uuid import UUID

from wallet.domain.holds import Hold
from wallet.domain.operations import Command, HoldMonth
from wallet.domain.programs import Program
from wallet.domain.snapshot import UsedKey
from wallet.repository.payers import Driver

_USED = """
SELECT h.child_id, f.program_id, h.month, sum(l.amount_tiyn - l.released_tiyn)::bigint AS used_tiyn
FROM operations o JOIN holds h ON h.id = o.id JOIN hold_layers l ON l.hold_id = h.id
    JOIN funds f ON f.number = l.account_id >> 40
WHERE o.child_id = ANY($1::uuid[]) AND left(h.month, 4) = ANY($2::text[]) AND f.program_id = ANY($3::uuid[])
    AND NOT h.open AND h.id <> ALL($4::uuid[])
GROUP BY h.child_id, f.program_id, h.month
"""
"""Every hold is named like the operation that made it, and operations are found by their child."""


async def read_used(
    driver: Driver, commands: Sequence[Command], programs: Collection[Program], known: Collection[Hold]
) -> dict[UsedKey, int]:
    """By closed holds that are not known yet, in the calendar years of the months that are asked for."""
    asked = [one for one in commands if isinstance(one, HoldMonth)]
    capped = [program.id for program in programs if program.has_caps]
    if not asked or not capped:
        return {}
    children: set[UUID] = {one.child_id for one in asked}
    years = {one.month[:4] for one in asked}
    closed = [hold.id for hold in known if not hold.open]
    rows = await driver.fetch(_USED, list(children), list(years), capped, closed)
    return {(child_id, program_id, month): used for child_id, program_id, month, used in rows}
