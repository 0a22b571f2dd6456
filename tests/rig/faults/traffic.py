"""People who go on asking whatever happens: enrollments at a steady rate, and questions to every API.

Each answer is written down with its time, and each connection that gave none. A request for an enrollment is
sent again with the same key until it is accepted, at growing pauses and not before it may, as a good client
does.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from rig.load import STARTS_ON, Applicant, Ground
from rig.system import SERVICES, TLS, System

QUESTIONS_PER_SECOND = 2.0
CHANGES_PER_SECOND = 1.0
FOLLOWED = 4
"""Of so many enrollments one is followed to its end over HTTP; all are in the database in the end."""
REACHED = 60
"""So many guardians have an address for e-mail and a number for SMS."""
PAUSE_SECONDS_MAX = 5.0
_WAIT_SECONDS = 10
_ENDS = frozenset({"confirmed", "rejected", "queued", "canceled", "ended"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to. Times are of the monotonic clock; status 0 is none at all."""

    api: str
    began: float
    ended: float
    status: int
    retry_after: bool
    asked_to_wait: float = 0.0
    """Seconds that the caller was ready to wait for something newer."""

    @property
    def seconds(self) -> float:
        """How long it took, beyond what was asked for."""
        return self.ended - self.began - self.asked_to_wait


@dataclass
class Traffic:
    """Whoever asks, and what they were answered."""

    system: System
    ground: Ground
    administrator: str
    """The token of one."""
    dice: random.Random
    answers: list[Answer] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    """Requests without an answer now, by API."""
    accepted: list[str] = field(default_factory=list)
    """The ids of enrollments that were accepted."""
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    followed: int = 0
    _clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connections to all APIs."""
        limits = httpx.Limits(max_connections=2000, max_keepalive_connections=100)
        for service in SERVICES:
            self._clients[service] = httpx.AsyncClient(
                base_url=self.system.address(service), trust_env=False, timeout=30, verify=TLS, limits=limits
            )
        try:
            yield
        finally:
            for client in self._clients.values():
                await client.aclose()

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        token: str,
        key: str | None = None,
        **more: Any,  # noqa: ANN401 - httpx's
    ) -> httpx.Response | None:
        """Ask once, and write down what came of it."""
        api = f"{service}-api"
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        self.open[api] += 1
        began, answer = time.monotonic(), None
        try:
            answer = await self._clients[service].request(method, path, headers=headers, **more)
        except httpx.TransportError:
            pass
        finally:
            self.open[api] -= 1
            status = 0 if answer is None else answer.status_code
            retry = answer is not None and "Retry-After" in answer.headers
            wait = more.get("params", {}).get("wait", 0)
            self.answers.append(Answer(api, began, time.monotonic(), status, retry, wait))
        return answer

    async def reach_guardians(self) -> None:
        """Give some of them addresses."""
        for number, applicant in enumerate(self.ground.applicants[:REACHED]):
            contacts = {"email": f"load-{number}@example.kz", "phone": f"+7702000{number:04}"}
            await self.ask("notifications", "PUT", "/v1/me/contacts", token=applicant.token, json=contacts)

    async def run(self, rate: float, stopping: asyncio.Event) -> None:
        """Ask until told to stop; enrollments that are asked for then are still seen to their acceptance."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._enroll_all(group, rate, stopping))
            group.create_task(self._at_a_rate(group, CHANGES_PER_SECOND, stopping, self._change))
            for service in SERVICES:
                group.create_task(self._at_a_rate(group, QUESTIONS_PER_SECOND, stopping, self._look, service))

    async def _enroll_all(self, group: asyncio.TaskGroup, rate: float, stopping: asyncio.Event) -> None:
        requests = iter(self.ground.requests())
        await self._at_a_rate(group, rate, stopping, self._enroll_next, requests, itertools.count())

    async def _at_a_rate(
        self,
        group: asyncio.TaskGroup,
        rate: float,
        stopping: asyncio.Event,
        what: Callable[..., Coroutine[Any, Any, None]],
        *arguments: object,
    ) -> None:
        """Begin one after the other, whatever became of the earlier ones."""
        started = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(started + number / rate - time.monotonic(), 0))
            if stopping.is_set():
                return
            group.create_task(what(*arguments))

    async def _enroll_next(self, requests: Iterator[tuple[Applicant, str]], numbers: Iterator[int]) -> None:
        if (wanted := next(requests, None)) is None:
            return
        self.sent += 1
        applicant, group_id = wanted
        view = await self._accepted(applicant, group_id)
        if view and next(numbers) % FOLLOWED == 0:
            await self._follow(applicant, view)

    async def _accepted(self, applicant: Applicant, group_id: str) -> dict[str, Any] | None:
        body = {"child_id": applicant.child_id, "group_id": group_id, "starts_on": STARTS_ON}
        key = str(uuid4())
        attempt = 0
        while True:
            answer = await self.ask(
                "enrollment", "POST", "/v1/enrollments", token=applicant.token, key=key, json=body
            )
            if answer is not None and answer.status_code == httpx.codes.CREATED:
                self.accepted.append(answer.json()["id"])
                return dict(answer.json())
            if answer is not None and not _passing(answer):
                self.refused[f"{answer.status_code} {answer.json().get('code')}"] += 1
                return None
            await self._pause(attempt, answer)
            attempt += 1

    async def _follow(self, applicant: Applicant, view: dict[str, Any]) -> None:
        path = f"/v1/enrollments/{view['id']}"
        for attempt in itertools.count():
            wait = {"wait": _WAIT_SECONDS, "version": view["version"]}
            answer = await self.ask("enrollment", "GET", path, token=applicant.token, params=wait)
            if answer is not None and answer.is_success:
                view = answer.json()
                if view["state"] in _ENDS:
                    self.followed += 1
                    return
            else:
                await self._pause(attempt, answer)

    async def _pause(self, attempt: int, answer: httpx.Response | None) -> None:
        growing = min(0.5 * 2 ** min(attempt, 5), PAUSE_SECONDS_MAX) * (0.5 + self.dice.random())
        told = 0.0 if answer is None else float(answer.headers.get("Retry-After", 0))
        await asyncio.sleep(max(growing, told))

    async def _change(self) -> None:
        """A version of an entitlement more."""
        child_id = self.dice.choice(self.ground.applicants).child_id
        body = {"program_id": self.ground.program_id, "until": f"2027-05-{self.dice.randint(10, 25)}"}
        path = f"/v1/children/{child_id}/entitlements"
        await self.ask("enrollment", "POST", path, token=self.administrator, key=str(uuid4()), json=body)

    async def _look(self, service: str) -> None:
        applicant = self.dice.choice(self.ground.applicants)
        path = {
            "enrollment": "/v1/children",
            "clubs": "/v1/groups?limit=5",
            "wallet": f"/v1/wallets/{applicant.child_id}",
            "notifications": "/v1/inbox?limit=5",
        }[service]
        await self.ask(service, "GET", path, token=applicant.token)


def _passing(answer: httpx.Response) -> bool:
    """Whether the same request may succeed later."""
    in_progress = answer.status_code == httpx.codes.CONFLICT and "Retry-After" in answer.headers
    return answer.is_server_error or in_progress


def between(answers: Sequence[Answer], windows: Sequence[tuple[float, float]]) -> list[Answer]:
    """Those whose time touches one of the windows."""
    return [one for one in answers if any(one.began < end and begin < one.ended for begin, end in windows)]
