"""A service's own audit: SQL that finds nothing when all is well. By command, and by itself in the worker.

What persons did is kept by `shared.audit`; what the services say of each other is compared by who runs them.
"""

import asyncio
import time
from collections.abc import Mapping

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.edge import Edge
from shared.retrying import is_passing
from shared.telemetry import registry

FIRST_AFTER_SECONDS = 60.0
"""A worker that keeps dying has other troubles than its books."""
EVERY_SECONDS = 60 * 60.0
AGAIN_AFTER_SECONDS = 5 * 60.0

FINDINGS = Gauge("audit_findings", "Rows that a check found, last time", ["check"], registry=registry)
CHECKED = Gauge("audit_timestamp_seconds", "When the checks last ran to their end", registry=registry)

log = structlog.get_logger()


async def run_checks(engine: AsyncEngine, checks: Mapping[str, str]) -> dict[str, int]:
    """How many rows each check finds, all of them in one snapshot."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.execute(sa.text("SET LOCAL statement_timeout = '10min'"))  # they read all there is
        return {name: len((await connection.execute(sa.text(check))).all()) for name, check in checks.items()}


async def show_findings(edge: Edge, checks: Mapping[str, str]) -> None:
    """Run the checks now and again, for ever. One that fails ends nothing: its time stays, and is seen."""
    await asyncio.sleep(FIRST_AFTER_SECONDS)
    while True:
        try:
            await show_findings_once(edge, checks)
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("audit_failed", error=type(error).__name__, passing=is_passing(error))
            await asyncio.sleep(AGAIN_AFTER_SECONDS)
        else:
            await asyncio.sleep(EVERY_SECONDS)


async def show_findings_once(edge: Edge, checks: Mapping[str, str]) -> None:
    """Show what the checks find now."""
    for name, found in (await run_checks(edge.engine, checks)).items():
        FINDINGS.labels(name).set(found)
        if found:
            log.error("audit_found", check=name, found=found)
    CHECKED.set(time.time())
