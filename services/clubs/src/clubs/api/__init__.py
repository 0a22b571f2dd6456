"""The HTTP API of clubs: translates requests for `usecases` and their results into views, nothing else."""

from fastapi import APIRouter

from clubs.api import absences, attendance, disputes, groups, lessons, providers, seats, statements

router = APIRouter()
for part in (providers, groups, seats, lessons, attendance, absences, disputes, statements):
    router.include_router(part.router)
