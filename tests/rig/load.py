"""Enrollments at a steady rate, open loop, on groups and money of their own beside the seeds."""

import asyncio
import base64
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx

from rig.planted_people import plant_children, plant_entitlements
from rig.system import Person, System, sign_in
from shared.database import new_id
from shared.tls import tls

STARTS_ON = "2026-09-14"
LOOKS_SECONDS_MAX = 120.0
GUARDIANS = 300
CAPACITY = 1000
"""Of a group; the largest there is."""
PRICE_TIYN = 1_000_000
"""Of a month in each of the groups."""


@dataclass(frozen=True)
class Applicant:
    """A child and the token of a guardian of it."""

    child_id: str
    token: str

    @property
    def guardian_id(self) -> UUID:
        """Who the token says it is."""
        payload = self.token.split(".")[1]
        return UUID(json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"])


@dataclass(frozen=True)
class Ground:
    """Where the load goes: every applicant may enroll in the groups once, and money and seats suffice."""

    applicants: Sequence[Applicant]
    group_ids: Sequence[str]
    program_id: str

    def requests(self) -> list[tuple[Applicant, str]]:
        """All there are, so ordered that one child's requests are far apart.

        The first thousand children go to the first groups, the next thousand to the next: so many have room.
        """
        starts = range(0, len(self.applicants), CAPACITY)
        crews = [self.applicants[start : start + CAPACITY] for start in starts]
        share = len(self.group_ids) // len(crews)
        return [
            (applicant, self.group_ids[number * share + turn])
            for turn in range(share)
            for number, crew in enumerate(crews)
            for applicant in crew
        ]


@dataclass(frozen=True)
class Outcome:
    """What became of one request: seconds from the intended time of sending until the end was read."""

    enrollment_id: str | None
    state: str
    seconds: float


async def prepare(system: System, *, groups: int, children: int = GUARDIANS, first_group: int = 0) -> Ground:
    """Open the groups, deposit the money, entitle the children.

    Groups meet at times of their own, counted from the first: more ground begins after the groups there are.
    """
    administrators = [await sign_in(system, f"administrator-{number}") for number in (1, 2)]
    director = await sign_in(system, "director-1")
    try:
        program_id, _ = await open_program(administrators)
        club_id = await open_club(director)
        group_ids = [
            await open_group(director, club_id, weekday=number % 7 + 1, hour=6 + number // 7)
            for number in range(first_group, first_group + groups)
        ]
        applicants = await find_applicants(system, children)
        await entitle(administrators[0], applicants, program_id)
        await until_projected(system, program_id, group_ids, len(applicants))
    finally:
        for person in (*administrators, director):
            await person.close()
    return Ground(applicants, group_ids, program_id)


async def with_more_children(system: System, ground: Ground, count: int) -> Ground:
    """The same guardians with so many children more, planted: the seeds do not have as many."""
    parents = itertools.islice(itertools.cycle(ground.applicants), count)
    more = [(new_id(), parent) for parent in parents]
    async with system.database() as database, database.transaction():
        now = await database.fetchval("SELECT clock_timestamp() + shift FROM development.clock")
        await plant_children(database, [(child_id, parent.guardian_id) for child_id, parent in more], now)
        await plant_entitlements(database, [child_id for child_id, _ in more], UUID(ground.program_id))
    applicants = [Applicant(str(child_id), parent.token) for child_id, parent in more]
    return replace(ground, applicants=[*ground.applicants, *applicants])


def _names(text: str) -> dict[str, str]:
    return {"kk": text, "ru": text, "en": text}


async def _made(person: Person, service: str, path: str, body: object) -> dict[str, Any]:
    """What was made, once: on a busy machine a service may be late, or hear late of what another one has."""
    key, deadline = str(uuid4()), time.monotonic() + LOOKS_SECONDS_MAX
    answer = await person.post(service, path, body, key=key)
    while answer.status_code in (404, 503) and time.monotonic() < deadline:
        await asyncio.sleep(1)
        answer = await person.post(service, path, body, key=key)
    if answer.is_error:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
    return dict(answer.json())


async def open_program(
    administrators: Sequence[Person],
    *,
    name: str = "Load",
    directions: Sequence[str] = (),
    deposit_tiyn: int = 10**12,
) -> tuple[str, str]:
    """A program that pays these directions, or all, and its fund, which pays when money is held."""
    proposer, approver = administrators
    grants = (await proposer.get("enrollment", "/v1/me")).json()["grants"]
    region_id = next(one["scope_id"] for one in grants if one["scope_kind"] == "region")

    async def decide(path: str, body: dict[str, Any]) -> str:
        proposal = await _made(proposer, "wallet", path, body)
        done = await _made(approver, "wallet", f"/v1/approvals/{proposal['id']}/approve", None)
        return str(done["made_id"])

    program_id = await decide(
        "/v1/programs",
        {
            "region_id": region_id,
            "name": _names(name),
            "place": 1,
            "starts_on": "2026-09-01",
            "ends_on": "2027-05-25",
            "rules": {
                "monthly_rate_tiyn": 1_875_000,
                "clubs_per_child_max": 10,
                "directions": list(directions),
            },
        },
    )
    fund_id = await decide(
        "/v1/funds",
        {
            "program_id": program_id,
            "region_id": region_id,
            "funder": _names(name),
            "name": _names(name),
            "mode": "on_hold",
            "budget_tiyn": 10**13,
            "last_capture_on": "2027-05-25",
        },
    )
    await _made(proposer, "wallet", f"/v1/funds/{fund_id}/deposits", {"amount_tiyn": deposit_tiyn})
    return program_id, fund_id


async def open_club(director: Person, direction: str = "load") -> str:
    """A club of the director's provider."""
    grants = (await director.get("enrollment", "/v1/me")).json()["grants"]
    provider_id = next(one["scope_id"] for one in grants if one["role"] == "director")
    club = {"provider_id": provider_id, "name": _names("Load"), "direction": direction}
    return str((await _made(director, "clubs", "/v1/clubs", club))["id"])


async def open_group(
    director: Person, club_id: str, *, weekday: int, hour: int, capacity: int = CAPACITY
) -> str:
    """A group for children of every age, once a week, in an hour of its own."""
    group = await _made(
        director,
        "clubs",
        "/v1/groups",
        {
            "club_id": club_id,
            "name": _names(f"Load {weekday} {hour:02}"),
            "price_tiyn": PRICE_TIYN,
            "capacity": capacity,
            "age_from": 0,
            "age_to": 18,
            "schedule": [{"weekday": weekday, "starts_at": f"{hour:02}:00", "ends_at": f"{hour:02}:45"}],
            "starts_on": "2026-09-01",
            "ends_on": "2027-05-25",
        },
    )
    return str(group["id"])


async def find_applicants(system: System, count: int) -> list[Applicant]:
    """One child of each of the first guardians that have one."""

    async def find(number: int) -> Applicant | None:
        token = await system.token(f"guardian-{number}")
        person = Person(system, token)
        try:
            children = (await person.get("enrollment", "/v1/children")).json()["items"]
        finally:
            await person.close()
        return Applicant(children[0]["id"], token) if children else None

    found = []
    for start in range(1, count + 1, 20):
        found += await asyncio.gather(*(find(number) for number in range(start, min(start + 20, count + 1))))
    return list({one.child_id: one for one in found if one}.values())


async def entitle(administrator: Person, applicants: Sequence[Applicant], program_id: str) -> None:
    """Let the program pay for them."""
    for start in range(0, len(applicants), 8):
        await asyncio.gather(
            *(
                _made(
                    administrator,
                    "enrollment",
                    f"/v1/children/{one.child_id}/entitlements",
                    {"program_id": program_id, "until": "2027-05-25"},
                )
                for one in applicants[start : start + 8]
            )
        )


async def until_projected(system: System, program_id: str, group_ids: Sequence[str], children: int) -> None:
    """Wait until those who decide have heard of all of it."""
    queries = (
        ("SELECT count(*) FROM wallet.entitlements WHERE program_id = $1", program_id, children),
        (
            "SELECT count(DISTINCT group_id) FROM enrollment.group_months WHERE group_id = ANY($1)",
            group_ids,
            len(group_ids),
        ),
    )
    async with system.database() as database:
        for query, argument, wanted in queries:
            deadline = time.monotonic() + LOOKS_SECONDS_MAX
            while await database.fetchval(query, argument) < wanted:
                if time.monotonic() > deadline:
                    raise AssertionError(f"never told: {query}")
                await asyncio.sleep(0.1)


async def enroll(
    system: System,
    requests: Sequence[tuple[Applicant, str]],
    *,
    rate: float,
    starts_on: str = STARTS_ON,
) -> list[Outcome]:
    """Send these requests at this rate, whatever becomes of the earlier ones, and follow each to its end."""
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
    started = time.monotonic()
    async with httpx.AsyncClient(
        base_url=system.address("enrollment"), trust_env=False, timeout=30, limits=limits, verify=tls()
    ) as http:

        async def one(number: int, applicant: Applicant, group_id: str) -> Outcome:
            intended = started + number / rate
            await asyncio.sleep(max(intended - time.monotonic(), 0))
            body = {"child_id": applicant.child_id, "group_id": group_id, "starts_on": starts_on}
            enrollment_id, state = await _follow(http, applicant, body)
            return Outcome(enrollment_id, state, time.monotonic() - intended)

        return list(
            await asyncio.gather(
                *(one(number, applicant, group_id) for number, (applicant, group_id) in enumerate(requests))
            )
        )


async def _follow(
    http: httpx.AsyncClient, applicant: Applicant, body: dict[str, str]
) -> tuple[str | None, str]:
    """Ask until there is an answer: a request without one is sent again with the same key."""
    deadline = time.monotonic() + LOOKS_SECONDS_MAX
    headers = {"Authorization": f"Bearer {applicant.token}", "Idempotency-Key": str(uuid4())}
    view: dict[str, Any] = {"state": "unanswered"}
    while time.monotonic() < deadline:
        try:
            if "id" not in view:
                answer = await http.post("/v1/enrollments", json=body, headers=headers)
            else:
                wait = {"wait": 10, "version": view["version"]}
                answer = await http.get(f"/v1/enrollments/{view['id']}", params=wait, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(0.2)
            continue
        if answer.status_code in (409, 503) and "Retry-After" in answer.headers:
            await asyncio.sleep(0.5)
        elif answer.is_error:
            return None, f"{answer.status_code} {answer.json().get('code')}"
        else:
            view = answer.json()
            if view["state"] in ("confirmed", "rejected", "queued", "canceled", "ended"):
                break
    return view.get("id"), view["state"]
