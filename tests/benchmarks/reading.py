"""The ledger read as history, with a million postings: balances, months, pages, and files of all of it.

The postings are made by the server: a third of a million children, each with a hold, and with a charge that
captures a part and gives back the rest. What a page or a sum takes is told in milliseconds; what a file
takes, in rows a second, and in memory: the peak of this process while it writes all, against a tenth.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.askers import found_world
from rig.figures import memory, tell, tell_below
from shared.database import Transaction
from shared.edge import Edge
from wallet.api.ledger.exports import Export
from wallet.main import service as wallet
from wallet.repository.ledger import balances, postings
from wallet.repository.ledger.balances import AsOf
from wallet.repository.ledger.postings import Place, Wanted
from wallet.usecases.ledger.exports import Format
from wallet.usecases.ledger.months import derive
from wallet.usecases.ledger.postings import of_month

POSTINGS = 1_000_000
CHILDREN = POSTINGS // 3
BATCH = 500
PROVIDERS = 500
PAGE = 101
GROWTH_MAX = 1.2
A_TENTH_UNTIL = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=1000 + POSTINGS // 10 // BATCH)
"""Batches of holds, one posting each, are a second apart; the first has the number 1000."""
TIMES = 3
_PLANT = """
CREATE SCHEMA bench;
CREATE TABLE bench.months AS
SELECT n, uuidv7() AS child_id, uuidv7() AS enrollment_id, f.id AS fund_id, f.number::bigint << 40 AS fund,
    f.number::bigint << 40 | (100000 + n) AS account,
    f.number::bigint << 40 | (10000 + n % {providers}) AS payable,
    md5('provider' || n % {providers})::uuid AS provider_id
FROM generate_series(1, {children}) AS n, wallet.funds f WHERE f.mode = 'on_hold';
CREATE TABLE bench.operations AS
SELECT kind, n, uuidv7() AS id,
    (n - 1) / {batch} + CASE kind WHEN 'hold' THEN 1000 ELSE 1000000 END AS batch_id
FROM bench.months CROSS JOIN (VALUES (1, 'hold'), (2, 'charge')) AS step(step, kind) ORDER BY step, n;
INSERT INTO wallet.batches (id, posted_at, operations, postings) OVERRIDING SYSTEM VALUE
SELECT batch_id, CASE min(kind) WHEN 'hold' THEN timestamptz '2026-10-01' ELSE timestamptz '2026-11-05' END
    + (batch_id % 1000000) * interval '1 second', count(*), count(*) FROM bench.operations GROUP BY batch_id
    ORDER BY batch_id;
INSERT INTO wallet.accounts (id, kind, provider_id)
SELECT DISTINCT payable, 5, provider_id FROM bench.months;
INSERT INTO wallet.accounts (id, kind, child_id, expires_on, credited, debited)
SELECT account, 16, child_id, '2027-05-31', 1000, 1000 FROM bench.months;
INSERT INTO wallet.wallets (child_id) SELECT child_id FROM bench.months;
INSERT INTO wallet.operations (id, identity, child_id, batch_id, amount_tiyn, digest, kind)
SELECT id, gen_random_uuid(), child_id, batch_id, 1000, 0, kind
FROM bench.operations JOIN bench.months USING (n) ORDER BY batch_id, id;
INSERT INTO wallet.holds (id, child_id, enrollment_id, month, attempt, open, terms)
SELECT id, child_id, enrollment_id, '2026-10', 1, false, '{{}}'
FROM bench.operations JOIN bench.months USING (n) WHERE kind = 'hold';
INSERT INTO wallet.hold_layers (hold_id, place, account_id, amount_tiyn, released_tiyn, captured_tiyn)
SELECT id, 0, account, 1000, 250, 750 FROM bench.operations JOIN bench.months USING (n) WHERE kind = 'hold';
INSERT INTO wallet.charges (enrollment_id, month, revision, operation_id, child_id, provider_id, group_id,
    digest, cost_tiyn, captured_tiyn, disputed_tiyn, uncovered_tiyn, frozen, verdicts, charged_at)
SELECT enrollment_id, '2026-10', 1, id, child_id, provider_id, provider_id, '', 750, 750, 0, 0, false, '[]',
    '2026-11-05' FROM bench.operations JOIN bench.months USING (n) WHERE kind = 'charge';
INSERT INTO wallet.payable_items (id, child_id, enrollment_id, month, revision, provider_id, group_id,
    fund_id, place, charged_tiyn, amount_tiyn, stage, frozen, due_on, created_at)
SELECT id, child_id, enrollment_id, '2026-10', 1, provider_id, provider_id, fund_id, 0, 750, 750, 'charged',
    false, '2026-11-18', '2026-11-05'
FROM bench.operations JOIN bench.months USING (n) WHERE kind = 'charge';
INSERT INTO wallet.item_entries (item_id, operation_id, kind, amount_tiyn)
SELECT id, id, 'capture', 750 FROM bench.operations WHERE kind = 'charge';
INSERT INTO wallet.postings (operation_id, place, debit_account, credit_account, amount_tiyn)
SELECT id, place, debit, credit, amount
FROM bench.operations JOIN bench.months USING (n) CROSS JOIN LATERAL (VALUES
    ('hold', 0, fund | 2, account, 1000),
    ('charge', 0, account, payable, 750),
    ('charge', 1, account, fund | 2, 250)
) AS moved(of_kind, place, debit, credit, amount) WHERE of_kind = kind ORDER BY batch_id, id, place;
SELECT setval('wallet.batches_id_seq', 2000000);
"""

Look = Callable[[Transaction], Awaitable[Any]]


async def measure(edge: Edge, name: str, look: Look) -> None:
    """The median of a few, in a transaction each."""
    taken = []
    for _ in range(TIMES):
        async with edge.transaction() as tx:
            started = time.monotonic()
            await look(tx)
            taken.append(time.monotonic() - started)
    tell(f"reading_{name}", sorted(taken)[TIMES // 2] * 1000, "ms")


async def measure_looks(edge: Edge, superuser: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    """Sums, months and pages."""
    fund = await superuser.fetchrow("SELECT id, number FROM wallet.funds WHERE mode = 'on_hold'")
    one = await superuser.fetchrow("SELECT * FROM bench.months WHERE n = $1", CHILDREN // 2)
    middle = await superuser.fetchval(
        "SELECT id FROM bench.operations WHERE kind = 'charge' AND n = $1", CHILDREN // 2
    )
    looks: dict[str, Look] = {
        "trial_balance": lambda tx: balances.sums(tx, fund["number"], AsOf()),
        "month": lambda tx: derive(tx, fund["number"], "2026-10"),
        "wallet_then": lambda tx: balances.purses(tx, one["child_id"], AsOf()),
    }
    pages = {
        "first_page": (Wanted(), None),
        "middle_page": (Wanted(), Place(middle, 0)),
        "page_of_child": (Wanted(child_id=one["child_id"]), None),
        "page_of_provider": (Wanted(provider_id=one["provider_id"]), None),
        "page_of_kind_far_back": (Wanted(kind="deposit"), None),
        "page_of_month": (of_month(Wanted(fund_id=fund["id"]), "2026-10"), None),
    }

    def of_page(wanted: Wanted, after: Place | None) -> Look:
        return lambda tx: postings.page(tx, wanted, after=after, limit=PAGE)

    looks |= {name: of_page(*content) for name, content in pages.items()}
    for name, look in looks.items():
        await measure(edge, name, look)


async def drain(edge: Edge, wanted: Wanted, form: Format) -> tuple[int, float, float]:
    """How many bytes, in how many seconds, with how much memory at most."""
    peak = memory(os.getpid())

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, memory(os.getpid()))
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    started, size = time.monotonic(), 0
    async for chunk in Export(edge, wanted, form, "en").content():
        size += len(chunk)
    seconds = time.monotonic() - started
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return size, seconds, peak


async def measure_file(edge: Edge, form: Format) -> bool:
    """All of the ledger, against a tenth of it."""
    tenth = Wanted(recorded_until=A_TENTH_UNTIL)
    await drain(edge, tenth, form)
    _, _, few = await drain(edge, tenth, form)
    size, seconds, many = await drain(edge, Wanted(), form)
    tell(f"export_{form}", POSTINGS / seconds, "rows_per_s")
    tell(f"export_{form}_size", size / 2**20, "MB")
    tell(f"export_{form}_memory", many, "MB")
    return tell_below(f"export_{form}_memory_growth", many / few, "x", GROWTH_MAX)


async def main() -> int:
    async with (
        alone.opened(wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.superuser() as superuser,
    ):
        await found_world(stand, edge)
        await superuser.execute(_PLANT.format(children=CHILDREN, providers=PROVIDERS, batch=BATCH))
        await superuser.execute("VACUUM ANALYZE")
        await measure_looks(edge, superuser)
        reached = [await measure_file(edge, form) for form in ("csv", "parquet", "xlsx")]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
