"""Two hundred children at once: before the last seat of a group, and before money for ten.

The ground is used again in every round: what is asked for in one is given back at its end, so that the next
finds the seat and the money there only if nothing was left held.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from rig import load
from rig.load import Applicant
from rig.system import System, sign_in
from shared.tls import tls

STARTS_ON = "2026-10-01"
ENDS_ON = "2026-09-07"
"""Business day of a fresh system: what ends then never began, and costs nothing."""
MONEY_FOR = 10
SEATS, MONEY = "crowd_seats", "crowd_money"
_ON_THE_WAY = frozenset({"requested", "funding"})
_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Ground:
    """One group with a single seat and money for all, another the other way round."""

    applicants: Sequence[Applicant]
    seat_group: str
    money_group: str
    fund_id: str


@dataclass(frozen=True)
class Asked:
    """An enrollment as its guardian last saw it."""

    applicant: Applicant
    view: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.view["id"])

    @property
    def state(self) -> str:
        return str(self.view["state"])


@dataclass
class Crowd:
    """All of them, on connections of their own; what they were answered is counted."""

    http: httpx.AsyncClient
    system: System
    answers: Counter[int] = field(default_factory=Counter)
    longest_seconds: float = 0.0
    """Of the answers to what was asked for, without those that wait for news."""

    async def enroll(self, applicants: Iterable[Applicant], group_id: str) -> list[Asked]:
        """Let all of them ask at once, and wait for what becomes of each."""
        return list(await asyncio.gather(*(self._enroll(one, group_id) for one in applicants)))

    async def give_back(self, asked: Iterable[Asked]) -> None:
        """Who waits or is offered a seat cancels, who is confirmed ends before it begins; all at once."""
        await asyncio.gather(*(self._give_back(one) for one in asked))

    async def accept(self, asked: Asked) -> Asked:
        """Wait for an offer, take it, and see what becomes of it."""
        view = asked.view
        while not view["offer"]:
            view = await self._newer(asked.applicant, view)
        accepted = f"{self.system.address('clubs')}/v1/offers/{view['offer']['id']}/accept"
        await self._post(asked.applicant, accepted)
        while view["state"] != "confirmed":
            view = await self._newer(asked.applicant, view)
        return Asked(asked.applicant, view)

    async def queue(self, group_id: str) -> list[str]:
        """The enrollments that wait, as an administrator is shown them."""
        administrator = await sign_in(self.system, "administrator-1")
        found: list[str] = []
        after: dict[str, str] = {}
        try:
            while True:
                answer = await administrator.get("clubs", f"/v1/groups/{group_id}/queue", limit=100, **after)
                page = answer.raise_for_status().json()
                found += [one["enrollment_id"] for one in page["items"]]
                if not page.get("next"):
                    return found
                after = {"cursor": page["next"]}
        finally:
            await administrator.close()

    async def _enroll(self, applicant: Applicant, group_id: str) -> Asked:
        wanted = {"child_id": applicant.child_id, "group_id": group_id, "starts_on": STARTS_ON}
        view = await self._post(applicant, f"{self.system.address('enrollment')}/v1/enrollments", wanted)
        while view["state"] in _ON_THE_WAY:
            view = await self._newer(applicant, view)
        return Asked(applicant, view)

    async def _give_back(self, asked: Asked) -> None:
        address = f"{self.system.address('enrollment')}/v1/enrollments/{asked.id}"
        if asked.state == "confirmed":
            await self._post(asked.applicant, f"{address}/end", {"on": ENDS_ON, "reason": "another club"})
        elif asked.state == "queued":
            await self._post(asked.applicant, f"{address}/cancel")

    async def _newer(self, applicant: Applicant, view: dict[str, Any]) -> dict[str, Any]:
        address = f"{self.system.address('enrollment')}/v1/enrollments/{view['id']}"
        answer = await self.http.get(
            address, params={"wait": 20, "version": view["version"]}, headers=self._signed(applicant)
        )
        return self._read(answer)

    async def _post(self, applicant: Applicant, address: str, body: object = None) -> dict[str, Any]:
        headers = self._signed(applicant) | {"Idempotency-Key": str(uuid4())}
        answer = await self.http.post(address, json=body, headers=headers)
        self.longest_seconds = max(self.longest_seconds, answer.elapsed.total_seconds())
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        """What was told; a refusal ends the run, for there is no reason for any."""
        self.answers[answer.status_code] += 1
        if answer.is_error:
            raise AssertionError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    @staticmethod
    def _signed(applicant: Applicant) -> dict[str, str]:
        return {"Authorization": f"Bearer {applicant.token}"}


def connections(size: int) -> httpx.AsyncClient:
    """For so many at once."""
    return httpx.AsyncClient(
        trust_env=False,
        verify=tls(),
        timeout=_PATIENCE_SECONDS,
        limits=httpx.Limits(max_connections=size * 2, max_keepalive_connections=size),
    )


async def prepare(system: System, size: int) -> Ground:
    """Open both groups, and let everybody be paid for in both, as far as the money goes."""
    administrators = [await sign_in(system, f"administrator-{number}") for number in (1, 2)]
    director = await sign_in(system, "director-1")
    try:
        applicants = (await load.find_applicants(system, load.GUARDIANS))[:size]
        if len(applicants) < size:
            raise AssertionError(f"there are {len(applicants)} children only")
        funds = {}
        for direction, deposit_tiyn in ((SEATS, 10**12), (MONEY, MONEY_FOR * load.PRICE_TIYN)):
            funds[direction] = await load.open_program(
                administrators, name=direction, directions=[direction], deposit_tiyn=deposit_tiyn
            )
        groups = []
        for hour, (direction, capacity) in enumerate(((SEATS, 1), (MONEY, 2 * size)), start=6):
            club_id = await load.open_club(director, direction)
            groups.append(await load.open_group(director, club_id, weekday=7, hour=hour, capacity=capacity))
        for program_id, _ in funds.values():
            await load.entitle(administrators[0], applicants, program_id)
            await load.until_projected(system, program_id, groups, size)
    finally:
        for person in (*administrators, director):
            await person.close()
    seat_group, money_group = groups
    return Ground(applicants, seat_group, money_group, funds[MONEY][1])
