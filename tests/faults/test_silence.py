"""A database that is not heard any more, on lines that nobody says are dead: work ends, and is done again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from local.servers import free_ports
from rig.faults.world import Door, door
from shared import edge as edges
from shared.database import connect, open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.retrying import until_it_passes

PATIENCE_SECONDS = 20.0
"""Much less than a forgotten line lasts (`KEEPALIVE_SECONDS`): whoever still waits on one fails."""


@contextmanager
def line_to(postgres: str) -> Iterator[tuple[str, Door]]:
    """A line that can be hurt, and its address."""
    server = urlsplit(postgres)
    (port,) = free_ports(1)
    with door(port, server.port or 0) as proxy:
        yield server._replace(netloc=f"{server.username}@127.0.0.1:{port}").geturl(), proxy


async def test_the_server_ends_lines_on_which_nobody_is_heard_any_more(postgres: str) -> None:
    """Or each would keep its connection, and the relay's its lock, for two hours."""
    engine = open_engine(postgres)
    async with Edge(engine, Doorbell(postgres, "wallet"), development=False).transaction() as tx:
        assert await (await tx.driver()).fetchval("SHOW tcp_keepalives_idle") == "15"
    await engine.dispose()
    connection = await connect(postgres, command_timeout=5)
    assert await connection.fetchval("SHOW tcp_keepalives_idle") == "15"
    connection.terminate()


async def test_where_one_line_was_silent_the_others_are_not_tried_one_by_one(postgres: str) -> None:
    with line_to(postgres) as (url, proxy):
        engine = open_engine(url, pool_size=5)

        async def ask(seconds: float) -> None:
            async with asyncio.timeout(seconds), engine.connect() as connection:
                await connection.execute(sa.text("SELECT pg_sleep(0.1)"))

        await asyncio.gather(*(ask(PATIENCE_SECONDS) for _ in range(5)))
        proxy.order(mode="forget")
        with pytest.raises(TimeoutError):
            await ask(2)
        for _ in range(5):
            await ask(PATIENCE_SECONDS)
        await engine.dispose()


@pytest.mark.parametrize("way", ["statement", "driver", "commit"])
async def test_a_transaction_whose_time_is_over_does_not_wait_for_its_rollback(
    postgres: str, way: str
) -> None:
    with line_to(postgres) as (url, proxy):
        engine = open_engine(url)
        edge = Edge(engine, Doorbell(url, "wallet"), development=False)

        async def work() -> None:
            async with edge.transaction() as tx:
                await tx.execute(sa.text("CREATE TEMP TABLE done (so int)"))
                proxy.order(mode="forget")
                if way == "statement":
                    await tx.execute(sa.text("INSERT INTO done VALUES (1)"))
                elif way == "driver":
                    await (await tx.driver()).execute("INSERT INTO done VALUES (1)")

        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work(), 2)
        await engine.dispose()


async def test_a_transaction_on_a_line_that_was_forgotten_ends_and_passes_on_a_new_one(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "TRANSACTION_SECONDS_MAX", 3.0)
    with line_to(postgres) as (url, proxy):
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

        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await until_it_passes(work) == 2
        assert attempts == 2
        await engine.dispose()
