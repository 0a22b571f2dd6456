"""Each service with things of two kinds: those of the people who ask, and the same things of strangers.

One person per role. Their roles are over the own things; over the foreign ones only strangers have roles.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args
from uuid import UUID, uuid4

import sqlalchemy as sa

from shared import clock, outbox
from shared.database import Cause, Transaction, new_id
from shared.edge import Edge
from shared.security import Grant, Role, ScopeKind, describe_grant
from shared.service import Service
from shared.testing import Database

Who = Role | Literal["nobody", "former"]
Variant = Literal["own", "foreign", "missing"]
ROLES: tuple[Role, ...] = get_args(Role)
EVERYONE: tuple[Who, ...] = (*ROLES, "nobody", "former")
"""Nobody is signed in and has no role; a former person had all of them, and they ended."""
VARIANTS: tuple[Variant, ...] = get_args(Variant)
Things = dict[str, UUID]


class UndoneEdge(Edge):
    """An edge that does all a commit needs and then takes it back: every request sees the same world."""

    __slots__ = ()

    @contextlib.asynccontextmanager
    async def transaction(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        async with self.engine.connect() as connection:
            moment = await clock.now(connection, development=self.development)
            tx = Transaction(connection, moment, cause or Cause(correlation_id=new_id()))
            yield tx
            await outbox.flush(tx)
            await connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
            await connection.rollback()


@dataclass(frozen=True, slots=True)
class People:
    """One person per role, and where they have it."""

    edge: Edge
    ids: Mapping[Who, UUID] = field(default_factory=lambda: {who: uuid4() for who in EVERYONE})

    async def grant(self, who: Who, role: Role, kind: ScopeKind, scope_id: UUID) -> UUID:
        """Give the role; what a former person gets has ended."""
        id_ = new_id()
        async with self.edge.transaction() as tx:
            await describe_grant(
                tx,
                id_=id_,
                person_id=self.ids[who],
                grant=Grant(role, kind, scope_id),
                version=1,
                ended=who == "former",
            )
        return id_

    async def settle(self, *, provider_id: UUID, region_id: UUID) -> None:
        """The roles of those who are not guardians."""
        for role in ROLES:
            if role == "guardian":
                continue
            kind: ScopeKind = "region" if role in {"administrator", "auditor"} else "provider"
            scope_id = region_id if kind == "region" else provider_id
            await self.grant(role, role, kind, scope_id)
            await self.grant("former", role, kind, scope_id)


@dataclass(frozen=True, slots=True)
class World:
    """A service that answers, whose things they are, and who asks."""

    service: Service
    database: Database
    edge: Edge
    people: People
    tokens: Mapping[Who, str]
    own: Things
    foreign: Things
    url: str
    """Where everything is kept."""
    undone_url: str
    """Where nothing is."""

    def things(self, variant: Variant) -> Mapping[str, UUID]:
        """What the names of things mean."""
        known = {"own": self.own, "foreign": self.foreign}.get(variant)
        return known if known is not None else {name: uuid4() for name in self.own}

    def headers(self, who: Who) -> dict[str, str]:
        """Those of a person's request, with a key of its own."""
        return {
            "Authorization": f"Bearer {self.tokens[who]}",
            "Idempotency-Key": str(uuid4()),
            "Accept-Language": "en",
        }
