"""Sums of postings: what a fund's accounts, or a child's allotments, came to at a moment or on a day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from shared.database import Transaction
from wallet.domain.accounts import Kind
from wallet.repository.ledger import AS_OF, DATED, Row, make_room, read
from wallet.repository.numbers import KINDS

BETWEEN_ACCOUNTS: Final = f"""
    WITH owned AS MATERIALIZED (
        SELECT id, kind FROM accounts WHERE kind IN (5, 6) AND id >> 40 = :number
        UNION ALL SELECT id, kind FROM accounts WHERE kind = 7 AND id >> 40 = :number
    ), moved AS (
        SELECT d.*,
            coalesce(debited.kind, CASE WHEN d.debit_account % (1::bigint << 40) < 1024
                THEN d.debit_account % 1024 ELSE 16 END)::smallint AS debited_kind,
            coalesce(credited.kind, CASE WHEN d.credit_account % (1::bigint << 40) < 1024
                THEN d.credit_account % 1024 ELSE 16 END)::smallint AS credited_kind
        FROM ({DATED}
            WHERE p.debit_account >= CAST(:number AS bigint) << 40
                AND p.debit_account < (CAST(:number AS bigint) + 1) << 40
            OFFSET 0 -- a fence: what is effective when is found once for each posting, not at each mention
        ) AS d
            LEFT JOIN owned debited ON debited.id = d.debit_account
            LEFT JOIN owned credited ON credited.id = d.credit_account
    )
"""  # noqa: S608 - of constants
"""A fund's postings with what both of their accounts are. An account below 1024 says so by its number, and
what is none of the few of providers and orders is an allotment: nobody has to look at all of these."""
_SUMS = sa.text(
    f"""{BETWEEN_ACCOUNTS}
    SELECT d.debited_kind, d.credited_kind, sum(d.amount_tiyn)::bigint AS amount_tiyn
    FROM moved d WHERE {AS_OF} GROUP BY 1, 2
    """  # noqa: S608 - of constants
)
_PURSES = sa.text(
    f"""
    WITH own AS (
        SELECT id, expires_on FROM accounts WHERE kind = 16 AND child_id = :child_id
    ), touching AS (
        SELECT id FROM operations WHERE child_id = :child_id AND code IS NULL
        UNION
        -- An order that bounced may give back what had been claimed: it is of a provider, not of a child.
        SELECT e.operation_id
        FROM operations o JOIN charges c ON c.operation_id = o.id
            JOIN payable_items i USING (enrollment_id, month) JOIN item_entries e ON e.item_id = i.id
        WHERE o.child_id = :child_id AND e.kind = 'refund'
    )
    SELECT f.program_id, g.name AS program_name, f.id AS fund_id, f.name AS fund_name, f.mode,
        own.expires_on AS until,
        coalesce(sum(d.amount_tiyn) FILTER (WHERE d.credit_account = own.id), 0)::bigint AS credited_tiyn,
        coalesce(sum(d.amount_tiyn) FILTER (WHERE d.debit_account = own.id), 0)::bigint AS debited_tiyn
    FROM touching JOIN ({DATED}) AS d ON d.operation_id = touching.id
        JOIN own ON own.id IN (d.debit_account, d.credit_account)
        JOIN funds f ON f.number = own.id >> 40 JOIN programs g ON g.id = f.program_id
    WHERE {AS_OF}
    GROUP BY f.id, g.id, own.id, own.expires_on ORDER BY g.place, g.id, own.expires_on, f.id
    """  # noqa: S608 - of constants
)


class AsOf(NamedTuple):
    """What counts: recorded up to this moment or batch, and effective up to this day. None: all there is."""

    recorded_at: datetime | None = None
    effective_on: date | None = None
    batch_id: int | None = None


class Moved(NamedTuple):
    """What went from accounts of one kind to those of another."""

    debited: Kind
    credited: Kind
    amount_tiyn: int


async def sums(tx: Transaction, fund_number: int, as_of: AsOf) -> Sequence[Moved]:
    """All that moved within a fund."""
    await make_room(tx)
    rows = await read(tx, _SUMS, number=fund_number, **as_of._asdict())
    return [
        Moved(KINDS[row["debited_kind"]], KINDS[row["credited_kind"]], row["amount_tiyn"]) for row in rows
    ]


async def purses(tx: Transaction, child_id: UUID, as_of: AsOf) -> list[Row]:
    """The allotments of a child that anything had moved in, in the order in which they are spent."""
    return await read(tx, _PURSES, child_id=child_id, **as_of._asdict())
