"""A service's own audit, as its worker runs it: what a check finds is seen from outside."""

import asyncio

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from shared import checks
from shared.edge import Edge
from shared.telemetry import registry
from shared.testing import eventually

CHECKS = {"nothing_is_amiss": "SELECT 1 WHERE false", "two_are_amiss": "SELECT 1 UNION ALL SELECT 2"}


def shown(name: str, *, of: CollectorRegistry = registry, **labels: str) -> float | None:
    return of.get_sample_value(name, labels)


async def test_what_the_checks_find_is_shown_with_the_time(edge: Edge) -> None:
    await checks.show_findings_once(edge, CHECKS)
    assert shown("audit_findings", check="nothing_is_amiss") == 0
    assert shown("audit_findings", check="two_are_amiss") == 2
    assert (shown("audit_timestamp_seconds") or 0) > 1_700_000_000


async def test_a_check_that_fails_is_tried_again_and_ends_nothing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It divides by the number of effects."""
    monkeypatch.setattr(checks, "FIRST_AFTER_SECONDS", 0)
    monkeypatch.setattr(checks, "AGAIN_AFTER_SECONDS", 0.05)

    async def failed_twice() -> bool:
        return caplog.text.count("audit_failed") > 1

    async def found() -> bool:
        return shown("audit_findings", check="of_effects") == 1

    showing = asyncio.create_task(
        checks.show_findings(edge, {"of_effects": "SELECT 1 / (SELECT count(*) FROM effects)"})
    )
    await eventually(failed_twice)
    async with edge.transaction() as tx:
        await tx.execute(sa.text("INSERT INTO effects (thing, number) VALUES ('a', 1)"))
    await eventually(found)
    assert not showing.done()
    showing.cancel()


async def test_checks_cannot_change_anything(edge: Edge) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        await checks.run_checks(edge.engine, {"writes": "DELETE FROM inbox RETURNING 1"})
