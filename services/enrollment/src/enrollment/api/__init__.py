"""The HTTP API of enrollment: translates requests for `usecases`, and results into views; nothing else."""

from fastapi import APIRouter

from enrollment.api import enrollments, people, rights

router = APIRouter()
router.include_router(people.router)
router.include_router(rights.router)
router.include_router(enrollments.router)
