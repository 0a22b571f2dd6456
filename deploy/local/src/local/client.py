"""The system as people use it: over HTTP, signed in by the development issuer.

Used by the seeds and the story. Knows how to ask, and when to ask again; nothing of what is asked.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from local import people
from local.errors import LocalError
from local.layout import Layout
from shared.tls import tls

AT_ONCE = 8
"""How many requests are under way at a time: the machine is small, and shared with what answers them."""
PATIENCE_SECONDS = 30.0
"""How long to wait for what must come where others share the cores; how fast it must be is checked apart."""
_PAUSE_SECONDS = 0.1
_SECONDS_MAX = 45.0

_NOT_YET = frozenset({"role_required", "not_found", "group_not_planned_yet", "request_in_progress"})
"""What a service answers whose projection has not heard yet of what another one has just told."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    content: dict[str, Any]
    correlation_id: str
    seconds: float

    @property
    def code(self) -> str:
        """The stable code of a problem."""
        return str(self.content.get("code", ""))

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        return self.status == httpx.codes.SERVICE_UNAVAILABLE or self.code in _NOT_YET


@dataclass(slots=True)
class Client:
    """Connections to all services, and the tokens of whoever signed in."""

    system: Layout
    http: httpx.AsyncClient
    _tokens: dict[str, str] = field(default_factory=dict)

    def person(self, login: str) -> "Person":
        """Somebody, or a device, of `local.people`."""
        return Person(self, login)

    async def token(self, login: str) -> str:
        """An access token; asked for once."""
        if login not in self._tokens:
            token_endpoint = f"{self.system.address('outside')}/token"
            answer = await self.http.post(token_endpoint, data=people.sign_in(login))
            answer.raise_for_status()
            self._tokens[login] = answer.json()["access_token"]
        return self._tokens[login]

    async def sent_messages(self, recipient: str) -> list[dict[str, Any]]:
        """What the mail and SMS catchers were given for an address or a number, the latest first."""
        answer = await self.http.get(
            f"{self.system.address('outside')}/messages", params={"to": recipient, "limit": 1000}
        )
        answer.raise_for_status()
        return list(answer.json()["items"])


@dataclass(frozen=True, slots=True)
class Person:
    """One person who is signed in. Addresses begin with the service: `clubs/v1/groups`."""

    client: Client
    login: str

    async def ask(
        self,
        method: str,
        address: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        language: str = "",
        **query: str | float,
    ) -> Answer:
        """Send one request; any answer is an answer."""
        service, _, path = address.partition("/")
        headers = {"Authorization": f"Bearer {await self.client.token(self.login)}"}
        if key:
            headers["Idempotency-Key"] = key
        if language:
            headers["Accept-Language"] = language
        started = time.monotonic()
        answer = await self.client.http.request(
            method,
            f"{self.client.system.address(service)}/{path}",
            json=body,
            params=dict(query),
            headers=headers,
        )
        seconds = time.monotonic() - started
        content = answer.json() if answer.content else {}
        return Answer(answer.status_code, content, answer.headers.get("Correlation-Id", ""), seconds)

    async def get(self, address: str, *, language: str = "", **query: str | float) -> dict[str, Any]:
        """Read something, as soon as it is known there."""
        return (await self._until_done("GET", address, None, language=language, **query)).content

    async def post(self, address: str, body: dict[str, Any] | None = None, *, key: str) -> Answer:
        """Do something once, however often this is called with the same key."""
        return await self._until_done("POST", address, body or {}, key=key)

    async def put(self, address: str, body: dict[str, Any]) -> None:
        """Replace something."""
        await self._until_done("PUT", address, body)

    async def _until_done(
        self,
        method: str,
        address: str,
        body: dict[str, Any] | None,
        **more: Any,  # noqa: ANN401 - of `ask`
    ) -> Answer:
        """Ask until it is done; services hear from each other a moment later than people do."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = await self.ask(method, address, body, **more)
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise LocalError(f"{address} does not answer ({type(error).__name__})") from error
            else:
                if answer.status < httpx.codes.BAD_REQUEST:
                    return answer
                if not answer.passing or time.monotonic() > deadline:
                    raise LocalError(
                        f"{self.login} was refused at {method} {address}: {answer.status} {answer.code}"
                        f" {answer.content.get('errors', '')}"
                    )
            await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def opened(system: Layout) -> AsyncIterator[Client]:
    """A client of the running system."""
    limits = httpx.Limits(max_connections=4 * AT_ONCE, max_keepalive_connections=4 * AT_ONCE)
    async with httpx.AsyncClient(timeout=_SECONDS_MAX, limits=limits, trust_env=False, verify=tls()) as http:
        yield Client(system, http)


async def for_each(
    items: Iterable[Item], act: Callable[[Item], Awaitable[None]], *, at_once: int = AT_ONCE
) -> None:
    """Do it for all items, a few at a time; the first failure ends it."""
    left = iter(items)

    async def go_on() -> None:
        for item in left:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(go_on())
