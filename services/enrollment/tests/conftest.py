"""What enrollment's tests stand on: its service, and a scene whose audit is clean in the end."""

from collections.abc import AsyncIterator

import pytest

from enrollment.main import service as enrollment
from enrollment.settings import EnrollmentSettings
from enrollment.testing import MONTHS, Scene
from shared.edge import Edge
from shared.service import Service
from shared.testing import Database
from shared.testing_http import ServedApi, TokenIssuer, served_api, token_issuer


@pytest.fixture(scope="session")
def service() -> Service:
    """Enrollment."""
    return enrollment


@pytest.fixture
async def scene(edge: Edge, database: Database) -> AsyncIterator[Scene]:
    """The scene, with the audit looked at in the end."""
    made = Scene(edge, database)
    await made.clock("2026-09-10T12:00")
    await made.take(made.group(), *(made.month(month) for month in MONTHS), made.program())
    yield made
    assert await made.defects() == {}


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    """Whose tokens the API takes."""
    async with token_issuer() as one:
        yield one


@pytest.fixture
def settings(database: Database) -> EnrollmentSettings:
    """The settings of a process over the test's database."""
    return EnrollmentSettings(**database.settings("enrollment").model_dump())


@pytest.fixture
async def api(
    service: Service, settings: EnrollmentSettings, scene: Scene, issuer: TokenIssuer
) -> AsyncIterator[ServedApi]:
    """The API behind a real server, over the scene."""
    async with served_api(service, settings, scene.edge, issuer) as one:
        yield one
