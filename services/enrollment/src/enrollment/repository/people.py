"""Children, and the people who speak for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from enrollment.domain.people import Child, GuardianLink, Identity, LinkState, SealedIin
from enrollment.tables import children, enrollments, groups, guardian_links
from shared.database import Transaction
from shared.security import Principal

LEASE = "least(interval '5 minutes', interval '4 seconds' * power(2, least(asks, 10)))"
"""Until a claim is asked about again: longer than a request takes, and growing while there is no answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about to be asked about; the IIN is encrypted for the place `place`."""

    link_id: UUID
    person_id: UUID
    iin_encrypted: bytes
    place: str


_LINK_FIELDS = [guardian_links.c[name] for name in ("id", "person_id", "child_id", "state", "version")]
_IDENTITY_FIELDS = ("given_name", "family_name", "patronymic", "school_name", "school_rural", "priority")


def place_of(index: bytes) -> str:
    """What an IIN is encrypted for: its own index, so that it moves from a claim to a child without keys."""
    return f"iin|{index.hex()}"


async def claims_since(tx: Transaction, person_id: UUID, pause: timedelta) -> int:
    """How many links this person claimed lately."""
    count: int = (
        await tx.execute(
            sa.select(sa.func.count()).where(
                guardian_links.c.person_id == person_id, guardian_links.c.claimed_at > tx.now - pause
            )
        )
    ).scalar_one()
    return count


async def lock_person(tx: Transaction, person_id: UUID) -> None:
    """One claim of a person at a time: nothing else of a person is stored that could be locked."""
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(str(person_id), 0))))


async def find_live_link(tx: Transaction, person_id: UUID, index: bytes) -> GuardianLink | None:
    """The link between them that is claimed or verified, if there is one."""
    return await _one_link(
        tx,
        guardian_links.c.person_id == person_id,
        guardian_links.c.iin_index == index,
        guardian_links.c.state.in_([LinkState.CLAIMED, LinkState.VERIFIED]),
    )


async def add_link(tx: Transaction, link: GuardianLink, iin: SealedIin) -> None:
    """Write a claim; the register is asked as soon as the worker comes to it."""
    await tx.execute(
        sa.insert(guardian_links).values(
            id=link.id,
            person_id=link.person_id,
            iin_encrypted=iin.encrypted,
            iin_index=iin.index,
            birth_date=iin.birth_date,
            state=link.state,
            version=link.version,
            claimed_at=tx.now,
            next_ask_at=sa.func.clock_timestamp(),
        )
    )


async def lease_claims(tx: Transaction, *, limit: int) -> Sequence[Claim]:
    """Claims to ask about now; they are left alone by others until the next ask, which is set here."""
    due = (
        sa.select(guardian_links.c.id)
        .where(guardian_links.c.state == LinkState.CLAIMED)
        .where(guardian_links.c.next_ask_at <= sa.func.clock_timestamp())
        .order_by(guardian_links.c.next_ask_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await tx.execute(
        sa.update(guardian_links)
        .where(guardian_links.c.id.in_(due.scalar_subquery()))
        .values(asks=guardian_links.c.asks + 1, next_ask_at=sa.func.clock_timestamp() + sa.text(LEASE))
        .returning(
            guardian_links.c.id,
            guardian_links.c.person_id,
            guardian_links.c.iin_encrypted,
            guardian_links.c.iin_index,
        )
    )
    return [Claim(row.id, row.person_id, row.iin_encrypted, place_of(row.iin_index)) for row in rows]


async def lock_link(tx: Transaction, link_id: UUID) -> GuardianLink | None:
    """A link, locked and read after that."""
    mine = guardian_links.c.id == link_id
    await tx.execute(sa.select(guardian_links.c.id).where(mine).with_for_update())
    return await _one_link(tx, mine)


async def find_link(tx: Transaction, principal: Principal, link_id: UUID) -> GuardianLink | None:
    """A link, if it is this person's own or they administer."""
    if principal.has("administrator"):
        return await _one_link(tx, guardian_links.c.id == link_id)
    return await _one_link(
        tx, guardian_links.c.id == link_id, guardian_links.c.person_id == principal.person_id
    )


async def _one_link(tx: Transaction, *conditions: sa.ColumnElement[bool]) -> GuardianLink | None:
    row = (await tx.execute(sa.select(*_LINK_FIELDS).where(*conditions))).mappings().first()
    return GuardianLink(**{**row, "state": LinkState(row["state"])}) if row else None


async def iin_of_link(tx: Transaction, link_id: UUID) -> SealedIin:
    """The IIN that was claimed; only of a claim that is not settled."""
    row = (await tx.execute(sa.select(guardian_links).where(guardian_links.c.id == link_id))).one()
    return SealedIin(row.iin_encrypted, row.iin_index, row.birth_date)


async def save_link(tx: Transaction, link: GuardianLink) -> None:
    """Write what became of a locked link. A settled claim is asked about no more, its IIN forgotten."""
    await tx.execute(
        sa.update(guardian_links)
        .where(guardian_links.c.id == link.id)
        .values(
            state=link.state,
            child_id=link.child_id,
            version=link.version,
            next_ask_at=None,
            iin_encrypted=None,
        )
    )


async def renew_child(
    tx: Transaction, new_id: UUID, iin: SealedIin, identity: Identity, *, replace: bool
) -> UUID:
    """The child with this IIN, locked: added, or if it is known, given this identity or left as it is."""
    told = {name: getattr(identity, name) for name in _IDENTITY_FIELDS}
    statement = insert(children).values(
        id=new_id,
        iin_encrypted=iin.encrypted,
        iin_index=iin.index,
        birth_date=iin.birth_date,
        version=0,
        **told,
    )
    kept = ["iin_index"]
    child_id: UUID = (
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=["iin_index"],
                set_={name: statement.excluded[name] for name in (told if replace else kept)},
            ).returning(children.c.id)
        )
    ).scalar_one()
    return child_id


async def next_version(tx: Transaction, child_id: UUID) -> int:
    """Count a change of the child, which this locks."""
    version: int = (
        await tx.execute(
            sa.update(children)
            .where(children.c.id == child_id)
            .values(version=children.c.version + 1)
            .returning(children.c.version)
        )
    ).scalar_one()
    return version


async def guardians(tx: Transaction, child_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """Who verifiably speaks for each of these children, in a stable order."""
    rows = await tx.execute(
        sa.select(guardian_links.c.child_id, guardian_links.c.person_id)
        .where(guardian_links.c.child_id.in_(child_ids), guardian_links.c.state == LinkState.VERIFIED)
        .order_by(guardian_links.c.person_id)
    )
    of_each: dict[UUID, tuple[UUID, ...]] = dict.fromkeys(child_ids, ())
    for row in rows:
        of_each[row.child_id] += (row.person_id,)
    return of_each


async def lock_child(tx: Transaction, child_id: UUID) -> Child | None:
    """A child, locked: one decision about its week at a time."""
    query = sa.select(children).where(children.c.id == child_id).with_for_update(key_share=True)
    found = await _read_children(tx, query)
    return found[0] if found else None


async def lock_children(tx: Transaction, ids: Collection[UUID]) -> None:
    """Many children at once, in the order of their ids; each as by `lock_child`."""
    query = sa.select(children.c.id).where(children.c.id.in_(ids)).order_by(children.c.id)
    await tx.execute(query.with_for_update(key_share=True))


async def find_child(tx: Transaction, principal: Principal, child_id: UUID) -> Child | None:
    """A child, if this person speaks for it, administers or audits."""
    query = sa.select(children).where(children.c.id == child_id)
    if not principal.has("administrator", "auditor"):
        query = query.where(children.c.id.in_(principal.scopes("guardian")))
    found = await _read_children(tx, query)
    return found[0] if found else None


async def own_children(
    tx: Transaction, principal: Principal, *, limit: int, after: UUID | None
) -> Sequence[Child]:
    """The next children this person speaks for, in the order of their ids."""
    query = sa.select(children).where(children.c.id.in_(principal.scopes("guardian")))
    if after is not None:
        query = query.where(children.c.id > after)
    return await _read_children(tx, query.order_by(children.c.id).limit(limit))


async def children_with_reason(
    tx: Transaction, principal: Principal, ids: Collection[UUID]
) -> Sequence[Child]:
    """Those of these children whom this director has, or had, in a group; all of them for who administers."""
    query = sa.select(children).where(children.c.id.in_(ids)).order_by(children.c.id)
    if not principal.has("administrator", "auditor"):
        attending = (
            sa.select(enrollments.c.child_id)
            .join(groups, groups.c.id == enrollments.c.group_id)
            .where(groups.c.provider_id.in_(principal.scopes("director")))
        )
        query = query.where(children.c.id.in_(attending))
    return await _read_children(tx, query)


async def versions_after(tx: Transaction, after: UUID | None, *, limit: int) -> dict[UUID, int]:
    """The next children in the order of their ids, with their versions: to tell all of them again."""
    query = sa.select(children.c.id, children.c.version).order_by(children.c.id).limit(limit)
    if after is not None:
        query = query.where(children.c.id > after)
    return {row.id: row.version for row in await tx.execute(query)}


async def _read_children(tx: Transaction, query: sa.Select[tuple[object, ...]]) -> list[Child]:
    return [
        Child(
            id=row["id"],
            iin=SealedIin(row["iin_encrypted"], row["iin_index"], row["birth_date"]),
            identity=Identity(**{name: row[name] for name in _IDENTITY_FIELDS}),
            version=row["version"],
        )
        for row in (await tx.execute(query)).mappings()
    ]
