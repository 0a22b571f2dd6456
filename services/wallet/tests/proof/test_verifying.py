"""Whatever anybody with all rights changes of a sealed ledger is found, and it is said where."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from rig.office import Desk, Office
from shared.edge import Edge
from shared.settled import Settled
from shared.testing import Database
from wallet.domain.proof import checkpoints
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.publishing import Folder, Sealer
from wallet.testing import LOG
from wallet.verifying.findings import Finding, Found
from wallet.verifying.heads import Heads
from wallet.verifying.ledger import Ledger
from wallet.verifying.rows import Rows

KEYS = LOG.verifier_keys


class Tampering(NamedTuple):
    """What somebody did, what must be found of it, and what that must say."""

    statement: str
    found: Found
    where: str = ""


FIRST = """
CREATE TEMPORARY TABLE first AS
SELECT o.batch_id, o.id FROM log_entries e JOIN operations o USING (batch_id) WHERE e.place = 0
"""
"""The batch of the first leaf of the log, and its one operation: a deposit."""
POSTING = Tampering(
    "UPDATE postings p SET amount_tiyn = p.amount_tiyn - 1 FROM first WHERE p.operation_id = first.id",
    Found.BATCH_CHANGED,
)
DATABASE = (
    Tampering(
        "UPDATE operations o SET amount_tiyn = o.amount_tiyn + 1 FROM first WHERE o.id = first.id",
        Found.BATCH_CHANGED,
        "1 operations and 1 postings",
    ),
    Tampering("UPDATE operations SET child_id = gen_random_uuid()", Found.BATCH_CHANGED),
    Tampering("UPDATE operations SET kind = 'reduce' WHERE kind = 'deposit'", Found.BATCH_CHANGED),
    Tampering("UPDATE operations SET kind = 'gift' WHERE kind = 'deposit'", Found.BATCH_CHANGED),
    Tampering("UPDATE operations SET code = 'no_money' WHERE kind = 'charge'", Found.BATCH_CHANGED),
    Tampering("UPDATE operations SET identity = gen_random_uuid()", Found.BATCH_CHANGED),
    Tampering("UPDATE operations SET digest = digest # 1", Found.BATCH_CHANGED),
    POSTING,
    Tampering("UPDATE postings SET credit_account = credit_account + 7", Found.BATCH_CHANGED),
    Tampering("UPDATE postings SET debit_account = debit_account + 7", Found.BATCH_CHANGED),
    Tampering("UPDATE postings SET place = place + 1", Found.BATCH_CHANGED),
    Tampering("UPDATE postings SET place = -1", Found.BATCH_CHANGED),
    Tampering(
        "UPDATE batches b SET posted_at = b.posted_at + interval '1 microsecond'"
        " FROM first WHERE b.id = first.batch_id",
        Found.BATCH_CHANGED,
    ),
    Tampering("UPDATE batches SET operations = operations + 1", Found.BATCH_CHANGED, "other numbers of rows"),
    Tampering("UPDATE charges SET digest = 'another'", Found.BATCH_CHANGED),
    Tampering("UPDATE payout_approvers SET approved_by = gen_random_uuid()", Found.BATCH_CHANGED),
    Tampering("DELETE FROM payout_approvers", Found.BATCH_CHANGED),
    Tampering(
        "DELETE FROM operations o USING first WHERE o.id = first.id", Found.BATCH_CHANGED, "0 operations"
    ),
    Tampering(
        "DELETE FROM operations o USING first WHERE o.id = first.id",
        Found.WITHOUT_BATCH,
        "posting of operation",
    ),
    Tampering(
        "DELETE FROM postings p USING first WHERE p.operation_id = first.id",
        Found.BATCH_CHANGED,
        "1 operations and 0 postings",
    ),
    Tampering(
        "INSERT INTO operations (id, identity, batch_id, amount_tiyn, digest, kind)"
        " SELECT gen_random_uuid(), gen_random_uuid(), batch_id, 5, 5, 'deposit' FROM first",
        Found.BATCH_CHANGED,
        "2 operations",
    ),
    Tampering(
        "INSERT INTO postings (operation_id, debit_account, credit_account, amount_tiyn, place)"
        " SELECT p.operation_id, p.debit_account, p.credit_account, 5, 9"
        " FROM postings p JOIN first ON p.operation_id = first.id",
        Found.BATCH_CHANGED,
        "2 postings",
    ),
    Tampering("DELETE FROM batches b USING first WHERE b.id = first.batch_id", Found.BATCH_MISSING),
    Tampering(
        "INSERT INTO batches OVERRIDING SYSTEM VALUE SELECT min(id) - 1, min(posted_at), 0, 0 FROM batches",
        Found.BATCH_NOT_SEALED,
    ),
    Tampering(
        "INSERT INTO operations (id, identity, batch_id, amount_tiyn, digest, kind)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), -5, 5, 5, 'deposit')",
        Found.WITHOUT_BATCH,
        "operation",
    ),
    Tampering(
        "INSERT INTO repeated_holds VALUES (gen_random_uuid(), gen_random_uuid())", Found.WITHOUT_BATCH
    ),
    Tampering("UPDATE log_entries SET hash = sha256(hash) WHERE place = 1", Found.ENTRY_CHANGED, "place 1:"),
    Tampering("DELETE FROM log_entries WHERE place = 1", Found.ENTRY_MISSING, "place 1 "),
    Tampering("DELETE FROM log_entries WHERE place = 1", Found.BATCH_NOT_SEALED, "batch"),
    Tampering(
        "DELETE FROM log_entries WHERE place = (SELECT max(place) FROM log_entries)",
        Found.LOG_CUT,
        "1 batches after",
    ),
    Tampering(
        "WITH gone AS (DELETE FROM log_entries WHERE place >= 1 RETURNING batch_id),"
        " rows AS (DELETE FROM operations WHERE batch_id IN (SELECT batch_id FROM gone)),"
        " heads AS (DELETE FROM checkpoints WHERE size > 1)"
        " DELETE FROM batches WHERE id IN (SELECT batch_id FROM gone)",
        Found.LOG_CUT,
        "after the first 1",
    ),
    Tampering(
        "UPDATE log_nodes SET hash = sha256(hash) WHERE level = 1 AND place = 0",
        Found.NODE_WRONG,
        "0 of level 1",
    ),
    Tampering("DELETE FROM log_nodes WHERE level = 1 AND place = 0", Found.NODE_WRONG, "0 of level 1"),
    Tampering("INSERT INTO log_nodes VALUES (40, 3, '')", Found.NODE_WRONG, "3 of level 40"),
    Tampering("UPDATE checkpoints SET note = replace(note, '=', '+')", Found.HEAD_CHANGED),
    Tampering(
        "DELETE FROM checkpoints WHERE size = (SELECT min(size) FROM checkpoints)",
        Found.HEAD_MISSING,
        "published",
    ),
    Tampering(
        "UPDATE accounts SET credited = credited + 1 WHERE kind = 2",
        Found.BOOKS,
        "balances_are_their_postings",
    ),
    Tampering("UPDATE hold_layers SET amount_tiyn = amount_tiyn + 1", Found.BOOKS, "holds_reserve"),
)


class Sealed(NamedTuple):
    """A ledger with everything in it, sealed batch by batch, and where its heads lie."""

    database: Database
    folder: Path


@pytest.fixture
async def sealed(owed: Office, desk: Desk, edge: Edge, database: Database, tmp_path: Path) -> Sealed:
    await desk.send()
    for _ in range(2):  # batches that nothing depends on
        await owed.world.pay_in(owed.world.ahead, 1_000)
        await Sealer(edge, LOG, Folder(tmp_path), Settled("batches")).once()
    return Sealed(database, tmp_path)


async def tamper(driver: "asyncpg.Connection[asyncpg.Record]", statement: str) -> str:
    """Do what only somebody with all rights can; how much it touched."""
    await driver.execute(FIRST)
    await driver.execute("SET session_replication_role = replica")
    return await driver.execute(statement)


async def found_in(driver: "asyncpg.Connection[asyncpg.Record]", folder: Path) -> list[Finding]:
    rows = Rows(driver)
    notes: Iterator[str] = (path.read_text() for path in Folder(folder).paths())
    return [finding async for finding in Ledger(rows, Heads(KEYS, notes, rows.heads())).verify()]


async def test_a_ledger_that_nobody_touched_is_as_it_was_signed(sealed: Sealed) -> None:
    told = run(sealed)
    assert told.returncode == 0, told.stdout
    assert re.search(r"\d+ batches of \d+ .* nothing found", told.stdout), told.stdout


def run(sealed: Sealed) -> "subprocess.CompletedProcess[str]":
    """The command, as an auditor runs it."""
    command = [
        sys.executable,
        "-m",
        "wallet.verifying",
        "ledger",
        "--database",
        sealed.database.url("auditor"),
    ]
    command += ["--checkpoints", str(sealed.folder), "--key", str(KEYS[0])]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours


async def test_each_tampering_with_the_database_is_found_and_located(sealed: Sealed) -> None:
    missed = {}
    connection = await asyncpg.connect(
        sealed.database.superuser_url, server_settings={"search_path": "wallet"}
    )
    try:
        for one in DATABASE:
            change = connection.transaction(isolation="repeatable_read")
            await change.start()
            touched = await tamper(connection, one.statement)
            findings = await found_in(connection, sealed.folder)
            await change.rollback()
            assert not touched.endswith(" 0"), one.statement
            if not any(what is one.found and one.where in where for what, where in findings):
                missed[one.statement] = findings
    finally:
        await connection.close()
    assert missed == {}
    assert {one.found for one in DATABASE} >= set(Found) - {Found.HEAD_UNREADABLE, Found.LOG_REWRITTEN}


async def test_what_changed_is_said_and_the_command_fails(sealed: Sealed) -> None:
    connection = await asyncpg.connect(
        sealed.database.superuser_url, server_settings={"search_path": "wallet"}
    )
    try:
        await tamper(connection, POSTING.statement)
        batch_id = await connection.fetchval("SELECT batch_id FROM first")
    finally:
        await connection.close()
    told = run(sealed)
    assert told.returncode == 1
    assert told.stdout.startswith(f"batch_changed: batch {batch_id}, posted "), told.stdout
    assert "books: " in told.stdout, "the books do not tie any more either"


def _forge(folder: Path, root: bytes) -> None:
    """As if another log had been published, by whoever has the key."""
    last = list(Folder(folder).paths())[-1]
    size = checkpoints.open_checkpoint(last.read_text(), KEYS[0]).size
    last.unlink()
    last.write_text(checkpoints.sign(Checkpoint(LOG.name, size, root), *LOG.keys))


FOLDERS: dict[Found, Callable[[Path], None]] = {
    Found.HEAD_UNREADABLE: lambda folder: Folder(folder).add(999_999, "no note\n"),
    Found.HEAD_CHANGED: lambda folder: _forge(folder, bytes(32)),
    Found.LOG_REWRITTEN: lambda folder: _forge(folder, bytes(32)),
    Found.LOG_CUT: lambda folder: Folder(folder).add(
        999_999, checkpoints.sign(Checkpoint(LOG.name, 999_999, bytes(32)), *LOG.keys)
    ),
}


async def test_what_was_published_is_what_the_log_is_measured_by(sealed: Sealed) -> None:
    told = {}
    kept = {path: path.read_text() for path in Folder(sealed.folder).paths()}
    for found, change in FOLDERS.items():
        change(sealed.folder)
        connection = await asyncpg.connect(
            sealed.database.superuser_url, server_settings={"search_path": "wallet"}
        )
        try:
            async with connection.transaction(readonly=True):
                told[found] = {finding.what for finding in await found_in(connection, sealed.folder)}
        finally:
            await connection.close()
        for path in list(Folder(sealed.folder).paths()):
            path.unlink()
        for path, note in kept.items():
            path.write_text(note)
    assert all(found in told[found] for found in FOLDERS), told
