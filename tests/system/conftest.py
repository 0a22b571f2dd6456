"""One whole system, for these tests only: one that stands by takes a quarter of the machine."""

from collections.abc import Iterator

import pytest

from rig import system as rig
from rig.collector import Collector, collecting
from rig.system import System


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Where the system sends its traces."""
    with collecting() as started:
        yield started


@pytest.fixture(scope="package")
def system(collector: Collector) -> Iterator[System]:
    """The system with its seeds."""
    with rig.running(otlp_endpoint=collector.endpoint) as started:
        yield started
