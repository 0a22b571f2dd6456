"""What a system has in its tables, hashed table by table: as it is, to the last time and id.

Two runs that only did the same are compared by `rig/likeness.py`.
"""

import hashlib
from typing import Any

from rig.system import SERVICES, System

PLUMBING = frozenset(
    {
        "alembic_version",
        "consumer_offsets",
        "idempotency",
        "inbox",
        "outbox",
        "parked_keys",
        "parked_records",
    }
)
LOCKS = {("wallet", "wallets")}
"""Tables whose version counts locks, not changes."""

Connection = Any
"""Of asyncpg, which has no types."""


async def hashes(system: System) -> dict[str, str]:
    """One for each table of each service, without what the plumbing keeps."""
    async with system.database() as database:
        return {
            f"{service}.{table}": await _hash(database, service, table)
            for service in SERVICES
            for table in await tables(database, service)
        }


async def tables(database: Connection, service: str) -> list[str]:
    """Those of a service that are not the plumbing's own."""
    rows = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", service
    )
    return [row["tablename"] for row in rows if row["tablename"] not in PLUMBING]


async def _hash(database: Connection, service: str, table: str) -> str:
    without = " - 'version'" if (service, table) in LOCKS else ""
    rows = await database.fetch(
        f"SELECT (to_jsonb(t){without})::text AS content FROM {service}.{table} AS t ORDER BY 1"  # noqa: S608 - ours
    )
    digest = hashlib.sha256("\n".join(row["content"] for row in rows).encode()).hexdigest()
    return f"{len(rows)} rows {digest[:16]}"
