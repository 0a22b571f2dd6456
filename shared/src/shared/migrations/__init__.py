"""Brings a service's schema to what its code expects. One environment for all services.

Two roots: the plumbing's own tables (`versions/` here) and the service's (`<service>/migrations/`). Forward
only. Runs as the owner role, whose search_path names the schema.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import open_engine

LOCK = 4711
"""Two processes that migrate at once wait for each other."""


def _config(package: str, connection: Connection | None = None) -> Config:
    here = Path(str(files("shared.migrations")))
    config = Config()
    config.set_main_option("script_location", str(here))
    config.set_main_option("version_locations", f"{here / 'versions'};{files(package) / 'migrations'}")
    config.set_main_option("path_separator", ";")
    config.attributes["connection"] = connection
    return config


async def upgrade(owner_database_url: str, package: str) -> None:
    """Run what is missing of the plumbing's and the package's migrations; nothing if all is there."""
    engine = open_engine(owner_database_url, pool_size=1, statement_timeout_seconds=0)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(lambda sync: command.upgrade(_config(package, sync), "heads"))
    finally:
        await engine.dispose()


def heads(package: str) -> frozenset[str]:
    """Where the code's migrations end: the plumbing's and the package's, unless one depends on the other.

    Alembic's version table does not list what another head of it depends on.
    """
    scripts = ScriptDirectory.from_config(_config(package))
    depended_on = {name for script in scripts.walk_revisions() for name in to_tuple(script.dependencies, ())}
    return frozenset(scripts.get_heads()) - depended_on


async def drift(engine: AsyncEngine, *metadata: MetaData) -> list[Any]:
    """What the tables in the code have that the migrated schema does not, or the other way round."""

    def compare(sync: Connection) -> list[Any]:
        together = MetaData()
        for one in metadata:
            for table in one.tables.values():
                table.to_metadata(together)
        context = MigrationContext.configure(sync, opts={"compare_type": True})
        return list(compare_metadata(context, together))

    async with engine.connect() as connection:
        return await connection.run_sync(compare)
