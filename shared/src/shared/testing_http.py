"""For tests of an API over real sockets: an issuer of tokens, a server around an app, a signed-in client."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.database import new_id
from shared.edge import Edge
from shared.http.server import make_server
from shared.security import Grant, Role, ScopeKind, describe_grant
from shared.service import Service
from shared.settings import Settings
from shared.tls import tls


class TokenIssuer:
    """Signs access tokens with ES256 and publishes its keys."""

    def __init__(self) -> None:
        self.url = ""
        self.available = True
        self.fetched = 0
        self.keys: list[ECKey] = []
        self.rotate()
        self.app = Starlette(routes=[Route("/.well-known/jwks.json", self._publish)])

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is revoked."""
        self.keys = [
            ECKey.generate_key("P-256", parameters={"kid": str(new_id()), "use": "sig"}, private=True)
        ]

    async def _publish(self, _: Request) -> JSONResponse:
        self.fetched += 1
        keys = [key.as_dict(private=False) for key in self.keys]
        return JSONResponse({"keys": keys}, 200 if self.available else 503)

    def claims(self, person_id: UUID) -> dict[str, Any]:
        """Claims of a good token, valid for an hour."""
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": "social-wallet",
            "sub": str(person_id),
            "iat": now,
            "exp": now + 3600,
        }

    def token(self, person_id: UUID) -> str:
        """A good token."""
        return self.sign(self.claims(person_id))

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """A token with these claims, whatever they are."""
        key = self.keys[-1]
        return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **header}, claims, key)


@dataclass(frozen=True, slots=True)
class ServedApi:
    """An API that answers at `url`, whose tokens it takes, and the way to its database."""

    url: str
    issuer: TokenIssuer
    edge: Edge

    async def grant(self, person_id: UUID, role: Role, scope_kind: ScopeKind, scope_id: UUID) -> None:
        """Give somebody a role, as an event about it would."""
        async with self.edge.transaction() as tx:
            grant = Grant(role, scope_kind, scope_id)
            await describe_grant(tx, id_=new_id(), person_id=person_id, grant=grant, version=1, ended=False)

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        async with self.edge.transaction() as tx:
            query = sa.select(sa.func.count()).select_from(sa.table(table))
            number: int = (await tx.execute(query)).scalar_one()
            return number


@contextlib.asynccontextmanager
async def token_issuer() -> AsyncIterator[TokenIssuer]:
    """An issuer that answers at its `url`."""
    issuer = TokenIssuer()
    async with served(issuer.app) as issuer.url:
        yield issuer


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The address of a real server around this app, stopped in the end."""
    # Said to be TCP, or asyncio would not tell it to send at once: each answer would come 40 ms later.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        server = make_server(app, host=host, port=port)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(0.005)
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            await serving


@contextlib.asynccontextmanager
async def served_api(
    service: Service, settings: Settings, edge: Edge, issuer: TokenIssuer
) -> AsyncIterator[ServedApi]:
    """A service's own API over this edge, taking this issuer's tokens."""
    jwks_url = f"{issuer.url}/.well-known/jwks.json"
    trusting = settings.model_copy(update={"issuer": issuer.url, "jwks_url": jwks_url})
    async with served(service.app(trusting, edge)) as url:
        yield ServedApi(url, issuer, edge)


@contextlib.asynccontextmanager
async def signed_in(url: str, issuer: TokenIssuer, person_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is this person; each POST has an Idempotency-Key of its own unless one is given."""

    async def add_key(request: httpx.Request) -> None:
        if request.method == "POST":
            request.headers.setdefault("Idempotency-Key", str(new_id()))

    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {issuer.token(person_id)}", "Accept-Language": "en"},
        event_hooks={"request": [add_key]},
        trust_env=False,
        timeout=40,
        verify=tls(),
    ) as client:
        yield client
