"""A million postings sealed, and verified from outside: how long each takes, and with how much memory.

The postings are made by the server, in batches of 500: each sets money aside for another child. They are
sealed as the worker does it; then `python -m wallet.verifying ledger` runs as the auditor runs it.
`POSTINGS=20000` tries it small.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import alone
from rig.figures import memory, tell
from shared.edge import Edge
from shared.settled import Settled
from wallet.main import service as wallet
from wallet.publishing import Folder, Sealer
from wallet.testing import LOG, World

POSTINGS = int(os.environ.get("POSTINGS", "1000000"))
AMOUNT = 1_000
_PLANT = """
CREATE SCHEMA bench;
CREATE TABLE bench.operations AS
SELECT n, uuidv7() AS id, uuidv7() AS child_id, 1000 + (n - 1) / 500 AS batch_id,
    f.number::bigint << 40 | 2 AS fund, f.number::bigint << 40 | (100000 + n) AS account
FROM generate_series(1, {postings}) AS n, wallet.funds f WHERE f.mode = 'ahead' ORDER BY n;
INSERT INTO wallet.batches (id, posted_at, operations, postings) OVERRIDING SYSTEM VALUE
SELECT batch_id, now(), count(*), count(*) FROM bench.operations GROUP BY batch_id ORDER BY batch_id;
SELECT setval('wallet.batches_id_seq', 10000000);
INSERT INTO wallet.wallets (child_id) SELECT child_id FROM bench.operations;
INSERT INTO wallet.accounts (id, kind, child_id, expires_on, credited, moved_on)
SELECT account, 16, child_id, '2027-05-31', {amount}, now() FROM bench.operations;
INSERT INTO wallet.operations (id, identity, child_id, batch_id, amount_tiyn, digest, kind)
SELECT id, gen_random_uuid(), child_id, batch_id, {amount}, 0, 'allot' FROM bench.operations ORDER BY n;
INSERT INTO wallet.postings (operation_id, place, debit_account, credit_account, amount_tiyn)
SELECT id, 0, fund, account, {amount} FROM bench.operations ORDER BY n;
UPDATE wallet.accounts SET debited = debited + {amount} * {postings}
WHERE id = (SELECT fund FROM bench.operations LIMIT 1);
"""


async def seal_all(edge: Edge, folder: Path) -> float:
    """As the worker does it, round by round. Seconds."""
    sealer = Sealer(edge, LOG, Folder(folder), Settled("batches"))
    started = time.monotonic()
    while await sealer.once():
        pass
    return time.monotonic() - started


async def verify(url: str, folder: Path) -> tuple[str, float, float]:
    """What the auditor's command says, in how many seconds, with how many MB at most."""
    command = [sys.executable, "-m", "wallet.verifying", "ledger", "--database", url]
    command += ["--checkpoints", str(folder), "--key", str(LOG.verifier_keys[0])]
    started, peak = time.monotonic(), 0.0
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said = asyncio.ensure_future(process.communicate())
    while not said.done():
        peak = max(peak, memory(process.pid))
        await asyncio.sleep(0.2)
    return (await said)[0].decode(), time.monotonic() - started, peak


async def main() -> int:
    async with (
        alone.opened(wallet) as stand,
        stand.database.edge("wallet") as edge,
        stand.superuser() as superuser,
    ):
        world = World(edge)
        await world.found()
        await superuser.execute("UPDATE wallet.funds SET budget_tiyn = $1", 10**15)
        await world.pay_in(world.ahead, AMOUNT * POSTINGS)
        await superuser.execute(_PLANT.format(postings=POSTINGS, amount=AMOUNT), timeout=900)
        await superuser.execute("VACUUM ANALYZE", timeout=900)
        with tempfile.TemporaryDirectory() as folder:
            tell("sealed", POSTINGS / await seal_all(edge, Path(folder)), "postings_per_s")
            said, seconds, peak = await verify(stand.database.url("auditor"), Path(folder))
        tell("verify", seconds, "s")
        tell("verify_rate", POSTINGS / seconds, "postings_per_s")
        tell("verify_memory", peak, "MB")
    sys.stdout.write(said)
    clean = re.search(r"nothing found$", said.strip()) is not None
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(alone.serve(main))
