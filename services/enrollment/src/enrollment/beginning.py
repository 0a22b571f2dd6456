"""How a first deployment gets its first administrators: a job of the worker, which then has nothing to do."""

import asyncio

from enrollment.settings import EnrollmentSettings
from enrollment.usecases.rights import plant_first_administrators
from shared.edge import Edge
from shared.retrying import until_it_passes
from shared.settings import Settings


async def appoint_first_administrators(edge: Edge, settings: Settings) -> None:
    """Appoint the people that the settings name, unless somebody was an administrator before."""
    if not isinstance(settings, EnrollmentSettings):
        raise TypeError("enrollment runs with its own settings")

    async def appoint() -> None:
        async with edge.transaction() as tx:
            await plant_first_administrators(tx, settings.first_administrator_ids, settings.first_region)

    await until_it_passes(appoint)
    await asyncio.Event().wait()
