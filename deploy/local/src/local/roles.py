"""The system's database with its roles, schemas and rights: what every migration needs. May be run again."""

import asyncpg

from local import places

_SETUP = ("setup.sql", "development.sql")


async def create(admin_url: str, system_url: str, database: str) -> None:
    """Make the database if there is none and apply `deploy/postgres/*.sql` as the superuser."""
    admin = await asyncpg.connect(admin_url)
    try:
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}"')
    finally:
        await admin.close()
    system = await asyncpg.connect(system_url)
    try:
        for name in _SETUP:
            await system.execute((places.CLONE / "deploy" / "postgres" / name).read_text())
    finally:
        await system.close()
