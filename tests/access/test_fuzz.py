"""Schemathesis against each service's own OpenAPI, in all roles: no 5xx, and no answer it does not describe.

Always the same requests, whose effects are taken back; `tests/soak/fuzz.py` makes other ones, and more.
"""

import asyncio
import os
from functools import partial

import httpx
import pytest

from access.requests import SERVICES
from access.worlds import EVERYONE, World
from shared.tls import tls

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("access"), pytest.mark.timeout(3600)]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
SEED = int(os.environ.get("FUZZ_SEED", "5"))


@pytest.mark.parametrize("world", SERVICES, indirect=True)
async def test_no_answer_is_undocumented(world: World) -> None:
    from rig.fuzzing import Fuzzed, fuzz  # noqa: PLC0415 - takes seconds, which other tests need not wait for

    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=tls()) as http:
        description = (await http.get("/openapi.json")).json()
    service = Fuzzed(
        url=world.undone_url,
        description=description,
        people=[partial(world.headers, who) for who in EVERYONE],
        known={f"{name}_id": str(id_) for name, id_ in world.own.items()},
    )
    answered = await asyncio.to_thread(fuzz, service, examples=EXAMPLES, number=SEED)
    print(f"{world.service.name}: {dict(answered)}")  # noqa: T201 - shown if it fails, and by soak
    assert {200, 404, 422} <= answered.keys()
