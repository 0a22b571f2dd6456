"""One whole system for all tests that need it, started when the first of them runs."""

from collections.abc import Iterator

import pytest

from rig import system as rig
from rig.system import System


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The system with its seeds."""
    with rig.running() as started:
        yield started
