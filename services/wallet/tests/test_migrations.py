"""A migration that writes the ledger's rows anew leaves each of them what it was."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from shared.database import connect, new_id
from shared.edge import Edge
from shared.testing import Database
from wallet.domain.operations import Deposit, Identity
from wallet.testing import PRICE, Check, Deliver, World, asked
from wallet.usecases.enrollments import ORIGIN
from wallet.usecases.post import post

OLD = import_module("wallet.migrations.0001_ledger")
NARROW = import_module("wallet.migrations.0006_narrow_ledger")
TABLES = ("operations", "postings", "repeated_holds")
_OLD_OPERATION = """
INSERT INTO operations (id, batch_id, amount_tiyn, child_id, hold_id, digest, origin, kind, key, code)
SELECT o.id, o.batch_id, o.amount_tiyn, o.child_id,
    CASE WHEN o.kind = 'hold' AND o.code IS NULL THEN coalesce(r.hold_id, o.id) END, $2, $3, $4, $5, o.code
FROM new_operations o LEFT JOIN new_repeated_holds r ON r.operation_id = o.id WHERE o.id = $1
"""
_OLD_POSTINGS = """
INSERT INTO postings (operation_id, place, debit_account, credit_account, amount_tiyn)
SELECT operation_id, place, debit_account, credit_account, amount_tiyn FROM new_postings
"""

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic for the type checker only


async def test_rows_that_become_narrow_are_found_by_the_same_identity(
    world: World, edge: Edge, database: Database, deliver: Deliver, assert_clean: Check
) -> None:
    child_id, enrollment_id = new_id(), new_id()
    await deliver(world.entitled(child_id))
    deposits = [
        Deposit(new_id(), Identity("person/1", "deposit", key), fund_id, PRICE)
        for key, fund_id in (("first", world.on_hold), ("first/ә", world.on_hold), ("other", new_id()))
    ]
    async with edge.transaction() as tx:
        await post(tx, deposits)
    requests = [asked(child_id, enrollment_id, attempt=attempt) for attempt in (1, 2)]
    requests.append(asked(child_id, new_id()))
    await deliver(*requests)

    owner = await connect(database.url("wallet_owner"), command_timeout=30)
    try:
        before = await _rows(owner)
        holds = sorted(row[0] for row in before["operations"] if row[6] == "hold")
        identities = {one.id: one.identity for one in deposits} | {
            id_: Identity(ORIGIN, "hold", request.subject)
            for id_, request in zip(holds, requests, strict=True)
        }
        assert len(before["repeated_holds"]) == 1
        async with owner.transaction():
            await _make_old(owner, before, identities)
            await owner.execute(NARROW.CHANGES)
            for table in TABLES:
                await owner.execute(f"DROP TABLE new_{table}")
        assert await _rows(owner) == before
    finally:
        owner.terminate()
    await assert_clean()


async def _rows(owner: Owner) -> dict[str, set[tuple[Any, ...]]]:
    return {
        table: {tuple(row.values()) for row in await owner.fetch(f"SELECT * FROM {table}")}  # noqa: S608 - ours
        for table in TABLES
    }


async def _make_old(
    owner: Owner, rows: Mapping[str, set[tuple[Any, ...]]], identities: Mapping[UUID, Identity]
) -> None:
    """As it was before: each operation with the text of who had asked."""
    for table in TABLES:
        await owner.execute(f"CREATE TABLE new_{table} AS SELECT * FROM {table}")  # noqa: S608 - ours
        await owner.execute(f"DROP TABLE {table}")
    for statement in OLD.TABLES.split(";"):
        if any(f" {table} (" in statement for table in TABLES):
            await owner.execute(statement)
    digests = {row[0]: row[5] for row in rows["operations"]}
    for id_, identity in identities.items():
        digest = digests[id_].to_bytes(8, signed=True) + bytes(8)
        await owner.execute(_OLD_OPERATION, id_, digest, *identity)
    await owner.execute(_OLD_POSTINGS)
