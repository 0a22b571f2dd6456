"""The HTTP API of clubs: translates requests for `usecases` and their results into views, nothing else."""

from fastapi import APIRouter

from clubs.api import groups, providers, seats

router = APIRouter()
router.include_router(providers.router)
router.include_router(groups.router)
router.include_router(seats.router)
