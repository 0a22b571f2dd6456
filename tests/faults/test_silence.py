"""A database that is not heard any more, on lines that nobody says are dead: work ends, and is done again."""

import asyncio
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from local.servers import free_ports
from rig.faults.world import door
from shared import edge as edges
from shared.database import open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.retrying import until_it_passes


async def test_a_transaction_on_a_line_that_was_forgotten_ends_and_passes_on_a_new_one(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "TRANSACTION_SECONDS_MAX", 0.5)
    server = urlsplit(postgres)
    (port,) = free_ports(1)
    url = server._replace(netloc=f"{server.username}@127.0.0.1:{port}").geturl()
    with door(port, server.port or 0) as proxy:
        engine = open_engine(url, pool_size=1)
        edge = Edge(engine, Doorbell(url, "wallet"), development=False)
        attempts = 0

        async def work() -> int:
            nonlocal attempts
            attempts += 1
            async with edge.transaction() as tx:
                await tx.execute(sa.text("SELECT 1"))
                if attempts == 1:
                    proxy.order(mode="forget")
                return int((await tx.execute(sa.text("SELECT 2"))).scalar_one())

        async with asyncio.timeout(15):
            assert await until_it_passes(work) == 2
        assert attempts == 2
        await engine.dispose()
