"""People who go on asking whatever happens: enrollments at a steady rate, and questions to every API.

Each answer is written down with its time, and each connection that gave none. A request for an enrollment is
sent again with the same key until it is accepted, at growing pauses and not before it may, as a good client
does.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from rig.load import STARTS_ON, Applicant, Ground
from rig.system import SERVICES, System

QUESTIONS_PER_SECOND = 2.0
CHANGES_PER_SECOND = 1.0
FOLLOWED = 4
"""Of so many enrollments one is followed to its end over HTTP; all are in the database in the end."""
REACHED = 60
"""So many guardians have an address for e-mail and a number for SMS."""
PAUSE_SECONDS_MAX = 5.0
_WAIT_SECONDS = 10
_SECONDS_MAX = 60.0
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


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    retry_after: int | None
    """In seconds."""
    content: Any
    """Of JSON."""

    @property
    def may_succeed_later(self) -> bool:
        """Whether the same request is worth sending again."""
        in_progress = self.status == HTTPStatus.CONFLICT and self.retry_after is not None
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or in_progress


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
    _clients: dict[str, aiohttp.ClientSession] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connections to all APIs, as many as are asked for. With a thousand, httpx is the bottleneck."""
        async with contextlib.AsyncExitStack() as stack:
            for service in SERVICES:
                self._clients[service] = await stack.enter_async_context(
                    aiohttp.ClientSession(
                        self.system.address(service),
                        connector=aiohttp.TCPConnector(limit=0),
                        timeout=aiohttp.ClientTimeout(total=_SECONDS_MAX),
                    )
                )
            yield

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        token: str,
        key: str | None = None,
        **more: Any,  # noqa: ANN401 - aiohttp's
    ) -> Reply | None:
        """Ask once, and write down what came of it."""
        api = f"{service}-api"
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        self.open[api] += 1
        began, reply = time.monotonic(), None
        try:
            async with self._clients[service].request(method, path, headers=headers, **more) as answer:
                body = await answer.read()
                content = orjson.loads(body) if answer.content_type.endswith("json") else None
                told = answer.headers.get("Retry-After")
                reply = Reply(answer.status, None if told is None else int(told), content)
        except (aiohttp.ClientError, TimeoutError):
            pass
        finally:
            self.open[api] -= 1
            status = 0 if reply is None else reply.status
            retry = reply is not None and reply.retry_after is not None
            wait = more.get("params", {}).get("wait", 0)
            self.answers.append(Answer(api, began, time.monotonic(), status, retry, wait))
        return reply

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
            if answer is not None and answer.status == HTTPStatus.CREATED:
                self.accepted.append(answer.content["id"])
                return dict(answer.content)
            if answer is not None and not answer.may_succeed_later:
                self.refused[f"{answer.status} {answer.content.get('code')}"] += 1
                return None
            await self._pause(attempt, answer)
            attempt += 1

    async def _follow(self, applicant: Applicant, view: dict[str, Any]) -> None:
        path = f"/v1/enrollments/{view['id']}"
        for attempt in itertools.count():
            wait = {"wait": _WAIT_SECONDS, "version": view["version"]}
            answer = await self.ask("enrollment", "GET", path, token=applicant.token, params=wait)
            if answer is not None and answer.status == HTTPStatus.OK:
                view = answer.content
                if view["state"] in _ENDS:
                    self.followed += 1
                    return
            else:
                await self._pause(attempt, answer)

    async def _pause(self, attempt: int, answer: Reply | None) -> None:
        growing = min(0.5 * 2 ** min(attempt, 5), PAUSE_SECONDS_MAX) * (0.5 + self.dice.random())
        told = answer and answer.retry_after
        await asyncio.sleep(max(growing, told or 0))

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


def between(answers: Sequence[Answer], windows: Sequence[tuple[float, float]]) -> list[Answer]:
    """Those whose time touches one of the windows."""
    return [one for one in answers if any(one.began < end and begin < one.ended for begin, end in windows)]
