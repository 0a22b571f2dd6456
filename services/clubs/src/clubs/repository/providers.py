"""Providers, their staff and their clubs. Staff are rows of the plumbing's `grants`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import RowMapping
from sqlalchemy.dialects.postgresql import insert

from clubs.domain.groups import Names
from clubs.tables import clubs, providers
from shared.database import Transaction
from shared.security.principal import grants

Row = RowMapping
FIRST = UUID(int=0)
"""Before every id."""


def columns_of(name: Names) -> dict[str, str]:
    """A name as its three columns."""
    return {"name_kk": name.kk, "name_ru": name.ru, "name_en": name.en}


def name_of(row: Row) -> Names:
    """The name in a row's three columns."""
    return Names(row["name_kk"], row["name_ru"], row["name_en"])


async def add_provider(tx: Transaction, *, id_: UUID, number: str, name: Names) -> bool:
    """False if there is a provider with this BIN."""
    statement = insert(providers).values(id=id_, version=1, bin=number, **columns_of(name))
    added = await tx.execute(statement.on_conflict_do_nothing(index_elements=["bin"]))
    return added.rowcount == 1


async def find_provider(tx: Transaction, id_: UUID, *, lock: bool = False) -> Row | None:
    """A provider; locked, so that two changes of its staff come one after the other."""
    statement = sa.select(providers).where(providers.c.id == id_)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await tx.execute(statement)).mappings().one_or_none()


async def providers_after(tx: Transaction, after: UUID | None, *, limit: int) -> Sequence[Row]:
    """The next providers in the order of their ids."""
    statement = (
        sa.select(providers).where(providers.c.id > (after or FIRST)).order_by(providers.c.id).limit(limit)
    )
    return (await tx.execute(statement)).mappings().all()


async def staff_of(tx: Transaction, provider_id: UUID, role: str) -> frozenset[UUID]:
    """The people with this role at a provider now."""
    rows = await tx.execute(
        sa.select(grants.c.person_id).where(
            grants.c.scope_id == provider_id, grants.c.role == role, ~grants.c.ended
        )
    )
    return frozenset(rows.scalars())


async def staff_after(tx: Transaction, after: UUID | None, *, limit: int) -> Sequence[Row]:
    """The next grants of directors and coaches in the order of their ids, ended ones included."""
    statement = (
        sa.select(grants)
        .where(grants.c.role.in_(("director", "coach")), grants.c.id > (after or FIRST))
        .order_by(grants.c.id)
        .limit(limit)
    )
    return (await tx.execute(statement)).mappings().all()


async def add_club(tx: Transaction, *, id_: UUID, provider_id: UUID, name: Names, direction: str) -> None:
    """A new offering."""
    values: dict[str, Any] = {
        "id": id_,
        "version": 1,
        "provider_id": provider_id,
        "direction": direction,
    }
    await tx.execute(sa.insert(clubs).values(values | columns_of(name)))


async def find_club(tx: Transaction, id_: UUID, *, providers_: frozenset[UUID] | None = None) -> Row | None:
    """A club; of these providers only, if they are given."""
    statement = sa.select(clubs).where(clubs.c.id == id_)
    if providers_ is not None:
        statement = statement.where(clubs.c.provider_id.in_(providers_))
    return (await tx.execute(statement)).mappings().one_or_none()
