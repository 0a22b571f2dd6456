"""The principal of a request, and the projection of grants it is made of.

Enrollment owns guardians', administrators' and auditors' grants, clubs owns those of providers' staff. Every
service keeps this projection of them, fed by `describe_grant` (`follow_grant`, where they come as events) and
(a child's guardians) `describe_guardians`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Transaction, plumbing
from shared.errors import ForbiddenError
from shared.events.enrollment import GrantDescribed

Role = Literal["guardian", "director", "coach", "device", "administrator", "auditor"]
ScopeKind = Literal["child", "provider", "region", "program"]

grants = sa.Table(
    "grants",
    plumbing,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person_id", sa.Uuid, nullable=False, index=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scope_kind", sa.Text, nullable=False),
    sa.Column("scope_id", sa.Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Index(None, "scope_id"),
)

_OF_PERSON = sa.select(grants.c.role, grants.c.scope_kind, grants.c.scope_id).where(
    grants.c.person_id == sa.bindparam("person_id"), ~grants.c.ended
)

guarded_children = sa.Table(
    "guarded_children",
    plumbing,
    sa.Column("child_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)
"""Which state of a child its guardians' grants come from."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role within a scope: guardian of a child, coach of a provider, administrator of a region."""

    role: Role
    scope_kind: ScopeKind
    scope_id: UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is signed in, with the grants that hold at this moment."""

    person_id: UUID
    grants: frozenset[Grant]

    def has(self, *roles: Role) -> bool:
        """Whether any of these roles is held, whatever its scope."""
        return any(grant.role in roles for grant in self.grants)

    def scopes(self, *roles: Role) -> frozenset[UUID]:
        """The ids of the children, providers, regions or programs for which one of these roles is held."""
        return frozenset(grant.scope_id for grant in self.grants if grant.role in roles)

    def require(self, *roles: Role) -> None:
        """Raise `role_required` unless one of these roles is held in some scope."""
        if not self.has(*roles):
            raise ForbiddenError("role_required")


async def principal_of(tx: Transaction, person_id: UUID) -> Principal:
    """The person with the grants known here now; somebody unknown simply has none."""
    rows = await tx.execute(_OF_PERSON, {"person_id": person_id})
    return Principal(person_id, frozenset(Grant(row.role, row.scope_kind, row.scope_id) for row in rows))


async def describe_grant(
    tx: Transaction, *, id_: UUID, person_id: UUID, grant: Grant, version: int, ended: bool
) -> None:
    """Apply the full state of a grant, unless a newer version is already known."""
    row = {
        "id": id_,
        "person_id": person_id,
        "role": grant.role,
        "scope_kind": grant.scope_kind,
        "scope_id": grant.scope_id,
        "version": version,
        "ended": ended,
    }
    statement = insert(grants).values(row)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[grants.c.id],
            set_={name: statement.excluded[name] for name in row if name != "id"},
            where=statement.excluded.version >= grants.c.version,
        )
    )


async def follow_grant(tx: Transaction, event: GrantDescribed) -> None:
    """Apply what enrollment says of a grant."""
    await describe_grant(
        tx,
        id_=event.grant_id,
        person_id=event.person_id,
        grant=Grant(event.role, event.scope_kind, event.scope_id),
        version=event.version,
        ended=event.ended,
    )


async def describe_guardians(
    tx: Transaction, *, child_id: UUID, guardians: Iterable[UUID], version: int
) -> None:
    """Make exactly these people the guardians of a child, unless a newer state of it is already known."""
    statement = insert(guarded_children).values(child_id=child_id, version=version)
    applied = await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[guarded_children.c.child_id],
            set_={"version": version},
            where=statement.excluded.version >= guarded_children.c.version,
        ).returning(guarded_children.c.child_id)
    )
    if applied.first() is None:
        return
    people = sorted(set(guardians))
    await tx.execute(
        sa.update(grants)
        .where(grants.c.scope_id == child_id, grants.c.role == "guardian", grants.c.person_id.not_in(people))
        .values(ended=True, version=version)
    )
    for person_id in people:
        await describe_grant(
            tx,
            id_=uuid5(child_id, str(person_id)),
            person_id=person_id,
            grant=Grant("guardian", "child", child_id),
            version=version,
            ended=False,
        )
