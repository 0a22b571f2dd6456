"""One enrollment is one trace, from the request over HTTP through every service that has a part in it."""

import secrets

import httpx
import pytest

from rig import load
from rig.collector import Collector, Span
from rig.system import System
from shared.testing import eventually
from shared.tls import tls

pytestmark = [pytest.mark.xdist_group("system"), pytest.mark.timeout(1200)]

WAY = [
    ("enrollment", "POST /v1/enrollments"),
    ("clubs", "handle enrollment.seat_requested.v1"),
    ("enrollment", "handle clubs.seat_reserved.v1"),
    ("wallet", "handle enrollment.funding_requested.v1"),
    ("enrollment", "handle wallet.funds_held.v1"),
    ("notifications", "handle enrollment.confirmed.v1"),
]
"""Service and span, each caused by the one before."""
FIRST_GROUP = 7
"""Its lessons are not when those of the groups of other tests are."""


async def test_an_enrollment_is_one_trace_over_four_services(system: System, collector: Collector) -> None:
    ground = await load.prepare(system, groups=1, children=20, first_group=FIRST_GROUP)
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)

    await _enroll(system, ground, f"00-{trace_id}-{span_id}-01")

    async def complete() -> list[Span]:
        """The whole way: each process sends its spans when it gets to it, in no order."""
        spans = collector.spans(trace_id)
        last = [one for one in spans.values() if (one.service, one.name) == WAY[-1]]
        way = _way_to(last[0], spans) if last else []
        return way if way and way[0].parent_id == span_id else []

    await eventually(complete, seconds=30)
    assert [(one.service, one.name) for one in await complete()] == WAY


async def _enroll(system: System, ground: load.Ground, traceparent: str) -> None:
    applicant = ground.applicants[-1]
    async with httpx.AsyncClient(
        base_url=system.address("enrollment"), trust_env=False, verify=tls()
    ) as http:
        answer = await http.post(
            "/v1/enrollments",
            json={
                "child_id": applicant.child_id,
                "group_id": ground.group_ids[-1],
                "starts_on": load.STARTS_ON,
            },
            headers={
                "Authorization": f"Bearer {applicant.token}",
                "Idempotency-Key": secrets.token_hex(16),
                "traceparent": traceparent,
            },
        )
    assert answer.status_code == httpx.codes.CREATED, answer.text


def _way_to(last: Span, spans: dict[str, Span]) -> list[Span]:
    """The spans that led to this one, first first; a span within one of the same work counts as that."""
    way = [last]
    while parent := spans.get(way[0].parent_id):
        same = (parent.service, parent.name) == (way[0].service, way[0].name)
        way = [parent, *way[1:]] if same else [parent, *way]
    return way
