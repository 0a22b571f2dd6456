"""Marks the tests that need servers: `make check` leaves them out. Fixtures are in `shared.testing`."""

import pytest

_SERVERS = {"postgres", "kafka"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "servers: needs PostgreSQL, Kafka or processes; not in make check")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
