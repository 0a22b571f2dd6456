"""Worker and PostgreSQL die five times under everything that a wallet is asked for; 100 times in the soak."""

import os
import random
import secrets
from pathlib import Path

import pytest

from rig.wallet_kills import ordeal

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("wallet worker")]


async def test_worker_and_database_die_under_mixed_load_and_nothing_is_lost_or_done_twice(
    tmp_path: Path, kafka: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = os.environ.get("DICE") or str(secrets.randbelow(10**6))
    with capsys.disabled():
        print(f"\nDICE={seed}")  # noqa: T201 - of the run
    async with ordeal(tmp_path, kafka, random.Random(seed)) as one:  # noqa: S311 - dice
        async with one.load():
            for victim in ("postgres", "worker", "postgres", "postgres", "worker"):
                assert await one.kill(victim) == {}
        assert not any((await one.settle()).values())
        assert await one.findings() == {}
        assert await one.differs() == {}
        assert one.at_work == one.killed.total()
