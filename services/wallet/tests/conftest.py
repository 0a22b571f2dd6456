"""What the wallet's tests stand on: its service, over the fixtures of `shared.testing`."""

import pytest

from shared.service import Service
from wallet.main import service as wallet_service


@pytest.fixture(scope="session")
def service() -> Service:
    """The wallet."""
    return wallet_service
