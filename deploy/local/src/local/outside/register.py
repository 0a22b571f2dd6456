"""The population register: whether a person may speak for the child of an IIN, and who that child is.

It answers from the invented population, and tells a stranger nothing about whether the child exists. Its
failure can be ordered, because those who ask must live with it.
"""

import time
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from local import people
from local.population import CHILDREN, Child

_CHILD_BY_IIN = {child.iin: child for child in CHILDREN}


class Question(BaseModel):
    """Asked with POST: an IIN does not belong into an address, which is logged."""

    iin: Annotated[str, Field(pattern=r"^[0-9]{12}$")]
    person_id: UUID


class Answer(BaseModel):
    """`child` only with `verified`."""

    verdict: Literal["verified", "refused"]
    child: dict[str, Any] | None = None


class Outage(BaseModel):
    """For how long the register is down, from now."""

    seconds: Annotated[float, Field(ge=0, le=3600)]


def answer(question: Question) -> Answer:
    child = _CHILD_BY_IIN.get(question.iin)
    if child is None or question.person_id not in map(people.person_id, child.guardians):
        return Answer(verdict="refused")
    return Answer(verdict="verified", child=_extract(child))


def _extract(child: Child) -> dict[str, Any]:
    return {
        "given_name": child.given_name,
        "family_name": child.family_name,
        "patronymic": child.patronymic,
        "school": {"name": child.school.name, "rural": child.school.rural},
        "priority": child.priority,
    }


def routes() -> APIRouter:
    router = APIRouter(prefix="/register", tags=["register"])
    down_until = 0.0

    @router.post("/guardianships/verify", response_model_exclude_none=True)
    async def verify(question: Question) -> Answer:
        if time.monotonic() < down_until:
            raise HTTPException(503, "the register is down, as ordered")
        return answer(question)

    @router.post("/outage", status_code=204)
    async def outage(order: Outage) -> None:
        nonlocal down_until
        down_until = time.monotonic() + order.seconds

    return router
