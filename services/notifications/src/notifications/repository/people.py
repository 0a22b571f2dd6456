"""The people who are told: a child's guardians and a provider's directors, their contacts and preferences."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from notifications.domain.kinds import TOPICS
from notifications.domain.reaching import CHANNELS, Channel, Preferences, QuietHours, Recipient
from notifications.tables import contacts, preferences
from shared.database import Transaction
from shared.security.principal import grants, guarded_children


@dataclass(frozen=True, slots=True)
class Sealed:
    """A person's contacts as they are stored; version 0 if there are none yet."""

    email: bytes | None = None
    phone: bytes | None = None
    version: int = 0


async def lock_guardians(tx: Transaction, child_id: UUID) -> frozenset[UUID]:
    """The guardians of a child as known so far; who describes it next has to wait."""
    await tx.execute(
        sa.select(guarded_children.c.child_id)
        .where(guarded_children.c.child_id == child_id)
        .with_for_update()
    )
    return await guardians_of(tx, child_id)


async def guardians_of(tx: Transaction, child_id: UUID) -> frozenset[UUID]:
    """The people who are guardians of a child now."""
    rows = await tx.execute(
        sa.select(grants.c.person_id).where(
            grants.c.scope_id == child_id, grants.c.role == "guardian", ~grants.c.ended
        )
    )
    return frozenset(rows.scalars())


async def recipients_of(tx: Transaction, child_ids: Collection[UUID]) -> Mapping[UUID, tuple[Recipient, ...]]:
    """The guardians of each child that is known; a child without any has an empty tuple."""
    guardian = sa.and_(
        grants.c.scope_id == guarded_children.c.child_id, grants.c.role == "guardian", ~grants.c.ended
    )
    rows = await tx.execute(
        sa.select(guarded_children.c.child_id, *_REACHED)
        .select_from(guarded_children)
        .outerjoin(grants, guardian)
        .outerjoin(contacts, contacts.c.person_id == grants.c.person_id)
        .outerjoin(preferences, preferences.c.person_id == grants.c.person_id)
        .where(guarded_children.c.child_id.in_(child_ids))
        .order_by(guarded_children.c.child_id, grants.c.person_id)
    )
    found: defaultdict[UUID, list[Recipient]] = defaultdict(list)
    for row in rows:
        of_child = found[row.child_id]
        if row.person_id is not None:
            of_child.append(_recipient(row))
    return {child_id: tuple(people) for child_id, people in found.items()}


async def directors_of(
    tx: Transaction, provider_ids: Collection[UUID]
) -> Mapping[UUID, tuple[Recipient, ...]]:
    """The directors of each provider of which one was ever heard; with none left it has an empty tuple."""
    rows = await tx.execute(
        sa.select(grants.c.scope_id, grants.c.ended, *_REACHED)
        .select_from(grants)
        .outerjoin(contacts, contacts.c.person_id == grants.c.person_id)
        .outerjoin(preferences, preferences.c.person_id == grants.c.person_id)
        .where(grants.c.role == "director", grants.c.scope_id.in_(provider_ids))
        .order_by(grants.c.scope_id, grants.c.person_id)
    )
    found: defaultdict[UUID, list[Recipient]] = defaultdict(list)
    for row in rows:
        of_provider = found[row.scope_id]
        if not row.ended:
            of_provider.append(_recipient(row))
    return {provider_id: tuple(people) for provider_id, people in found.items()}


_REACHED = (
    grants.c.person_id,
    contacts.c.email.is_not(None).label("email"),
    contacts.c.phone.is_not(None).label("sms"),
    preferences.c.language,
    preferences.c.topics,
    preferences.c.quiet_from,
    preferences.c.quiet_until,
)


def _recipient(row: Any) -> Recipient:  # noqa: ANN401 - SQLAlchemy's rows are
    reachable = frozenset(channel for channel in CHANNELS if getattr(row, channel))
    return Recipient(row.person_id, reachable, _preferences(row))


def _preferences(row: Any) -> Preferences:  # noqa: ANN401 - SQLAlchemy's rows are
    if row.language is None:
        return Preferences()
    # A topic that is newer than what they said is on, as for everybody who never said anything.
    topics = {topic: frozenset[Channel](row.topics.get(topic, CHANNELS)) for topic in TOPICS}
    return Preferences(row.language, topics, QuietHours(row.quiet_from, row.quiet_until))


async def contacts_of(tx: Transaction, person_id: UUID) -> Sealed:
    """Where a person is reached, as far as they said."""
    rows = await tx.execute(sa.select(contacts).where(contacts.c.person_id == person_id))
    row = rows.one_or_none()
    return Sealed() if row is None else Sealed(row.email, row.phone, row.version)


async def save_contacts(tx: Transaction, person_id: UUID, email: bytes | None, phone: bytes | None) -> int:
    """Replace a person's contacts; their new version."""
    row = insert(contacts).values(person_id=person_id, email=email, phone=phone, version=1)
    saved = await tx.execute(
        row.on_conflict_do_update(
            index_elements=[contacts.c.person_id],
            set_={"email": email, "phone": phone, "version": contacts.c.version + 1},
        ).returning(contacts.c.version)
    )
    version: int = saved.scalar_one()
    return version


async def preferences_of(tx: Transaction, person_id: UUID) -> tuple[Preferences, int]:
    """How a person wants to be told, and the version of that; version 0 if they never said."""
    rows = await tx.execute(sa.select(preferences).where(preferences.c.person_id == person_id))
    row = rows.one_or_none()
    return (Preferences(), 0) if row is None else (_preferences(row), row.version)


async def save_preferences(tx: Transaction, person_id: UUID, wanted: Preferences) -> int:
    """Replace a person's preferences; their new version."""
    columns = {
        "language": wanted.language,
        "topics": {topic: sorted(channels) for topic, channels in wanted.topics.items()},
        "quiet_from": wanted.quiet.starts_at,
        "quiet_until": wanted.quiet.ends_at,
    }
    row = insert(preferences).values(person_id=person_id, version=1, **columns)
    saved = await tx.execute(
        row.on_conflict_do_update(
            index_elements=[preferences.c.person_id],
            set_={**columns, "version": preferences.c.version + 1},
        ).returning(preferences.c.version)
    )
    version: int = saved.scalar_one()
    return version
