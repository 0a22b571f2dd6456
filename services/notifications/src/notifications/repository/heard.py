"""What was heard of names, enrollments and their months: the projections that messages are made from.

Rows are locked in the order of their ids, whether they are there already or not: two events of one enrollment
that come over two topics are judged one after the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from notifications.domain.kinds import Kind
from notifications.domain.news import EnrollmentSeen, MonthMoney, News
from notifications.tables import enrollments, months, names
from shared.database import Transaction

MonthKey = tuple[UUID, str]
"""An enrollment and a civil month."""


@dataclass(frozen=True, slots=True)
class HeardEnrollment:
    """Where an enrollment wants to be, and the latest that was told of it, if anything was."""

    group_id: UUID
    seen: EnrollmentSeen | None


async def describe(tx: Transaction, id_: UUID, version: int, said: Mapping[str, str]) -> None:
    """Keep how a group, a provider or a fund is called, unless something newer is known."""
    row = insert(names).values(id=id_, version=version, names=said)
    await tx.execute(
        row.on_conflict_do_update(
            index_elements=[names.c.id],
            set_={"version": row.excluded.version, "names": row.excluded.names},
            where=row.excluded.version >= names.c.version,
        )
    )


async def names_of(tx: Transaction, ids: Iterable[UUID]) -> Mapping[UUID, Mapping[str, str]]:
    """How these are called in every language, as far as known."""
    rows = await tx.execute(sa.select(names.c.id, names.c.names).where(names.c.id.in_(list(ids))))
    return {row.id: row.names for row in rows}


async def lock_enrollments(tx: Transaction, news: Sequence[News]) -> dict[UUID, HeardEnrollment]:
    """The enrollments of these news, locked until the commit. News that name no group find it here."""
    named = {
        one.enrollment_id: {
            "enrollment_id": one.enrollment_id,
            "child_id": one.child_id,
            "group_id": one.group_id,
        }
        for one in news
        if one.enrollment_id and one.group_id
    }
    if named:
        rows = [named[enrollment_id] for enrollment_id in sorted(named)]
        await tx.execute(insert(enrollments).on_conflict_do_nothing(), rows)
    wanted = {one.enrollment_id for one in news if one.enrollment_id}
    locked = await tx.execute(
        sa.select(enrollments)
        .where(enrollments.c.enrollment_id.in_(wanted))
        .order_by(enrollments.c.enrollment_id)
        .with_for_update()
    )
    return {row.enrollment_id: HeardEnrollment(row.group_id, _seen(row)) for row in locked}


def _seen(row: Any) -> EnrollmentSeen | None:  # noqa: ANN401 - SQLAlchemy's rows are
    return None if row.kind is None else EnrollmentSeen(Kind(row.kind), row.as_of)


async def save_seen(tx: Transaction, seen: Mapping[UUID, EnrollmentSeen]) -> None:
    """What guardians now know of these (locked) enrollments."""
    if not seen:
        return
    statement = (
        sa.update(enrollments)
        .where(enrollments.c.enrollment_id == sa.bindparam("id"))
        .values(kind=sa.bindparam("seen_kind"), as_of=sa.bindparam("seen_as_of"))
    )
    await tx.execute(
        statement,
        [{"id": id_, "seen_kind": one.kind, "seen_as_of": one.as_of} for id_, one in seen.items()],
    )


async def lock_months(tx: Transaction, keys: Iterable[MonthKey]) -> dict[MonthKey, MonthMoney]:
    """What is known of the money of these months, locked until the commit."""
    wanted = sorted(set(keys))
    await tx.execute(
        insert(months).on_conflict_do_nothing(),
        [{"enrollment_id": enrollment_id, "month": month} for enrollment_id, month in wanted],
    )
    locked = await tx.execute(
        sa.select(months)
        .where(sa.tuple_(months.c.enrollment_id, months.c.month).in_(wanted))
        .order_by(months.c.enrollment_id, months.c.month)
        .with_for_update()
    )
    return {
        (row.enrollment_id, row.month): MonthMoney(row.unfunded_at, row.missing_tiyn, row.funded_at)
        for row in locked
    }


async def save_months(tx: Transaction, known: Mapping[MonthKey, MonthMoney]) -> None:
    """Keep what is now known of these (locked) months."""
    statement = (
        sa.update(months)
        .where(months.c.enrollment_id == sa.bindparam("of"), months.c.month == sa.bindparam("in_month"))
        .values(
            unfunded_at=sa.bindparam("unfunded"),
            missing_tiyn=sa.bindparam("missing"),
            funded_at=sa.bindparam("funded"),
        )
    )
    await tx.execute(
        statement,
        [
            {
                "of": enrollment_id,
                "in_month": month,
                "unfunded": money.unfunded_at,
                "missing": money.missing_tiyn,
                "funded": money.funded_at,
            }
            for (enrollment_id, month), money in known.items()
        ],
    )
