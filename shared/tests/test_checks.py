"""A service's own audit, as its worker runs it: what a check finds is seen from outside."""

import pytest
from prometheus_client import CollectorRegistry

from shared import checks
from shared.edge import Edge
from shared.telemetry import registry

CHECKS = {"nothing_is_amiss": "SELECT 1 WHERE false", "two_are_amiss": "SELECT 1 UNION ALL SELECT 2"}


def shown(name: str, *, of: CollectorRegistry = registry, **labels: str) -> float | None:
    return of.get_sample_value(name, labels)


async def test_what_the_checks_find_is_shown_with_the_time(edge: Edge) -> None:
    await checks.show_findings_once(edge, CHECKS)
    assert shown("audit_findings", check="nothing_is_amiss") == 0
    assert shown("audit_findings", check="two_are_amiss") == 2
    assert (shown("audit_timestamp_seconds") or 0) > 1_700_000_000


async def test_checks_that_fail_are_tried_again_and_end_nothing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class EnoughError(Exception):
        pass

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 2:
            raise EnoughError

    monkeypatch.setattr("shared.checks.asyncio.sleep", sleep)
    with pytest.raises(EnoughError):
        await checks.show_findings(edge, {"broken": "SELECT 1 FROM what_does_not_exist"})
    assert pauses == [checks.FIRST_AFTER_SECONDS, checks.AGAIN_AFTER_SECONDS, checks.AGAIN_AFTER_SECONDS]


async def test_checks_cannot_change_anything(edge: Edge) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        await checks.run_checks(edge.engine, {"writes": "DELETE FROM inbox RETURNING 1"})
