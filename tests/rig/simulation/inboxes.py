"""Storage of notifications: what was heard, what is known, and people's inboxes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from notifications.domain.bills import Bill
from notifications.domain.news import EnrollmentSeen, MonthMoney, News
from notifications.domain.reaching import Preferences, Recipient, Told
from notifications.repository import bills, heard, messages, people
from notifications.repository.heard import HeardEnrollment, MonthKey
from rig.simulation.replacing import instead_of
from rig.simulation.store import store_of
from shared.database import Transaction


class ToldTwiceError(AssertionError):
    """The inbox of events should have kept a second message away; the table's key would have, too."""


@instead_of(heard.describe)
async def describe(tx: Transaction, id_: UUID, version: int, said: Mapping[str, str]) -> None:
    known = store_of(tx).rows("names").get(id_)
    if known is None or version >= known[0]:
        store_of(tx).put("names", id_, (version, said))


@instead_of(heard.names_of)
async def names_of(tx: Transaction, ids: Iterable[UUID]) -> Mapping[UUID, Mapping[str, str]]:
    rows = store_of(tx).rows("names")
    return {id_: rows[id_][1] for id_ in set(ids) & rows.keys()}


@instead_of(heard.lock_enrollments)
async def lock_enrollments(tx: Transaction, news: Sequence[News]) -> dict[UUID, HeardEnrollment]:
    rows = store_of(tx).rows("enrollments")
    for one in news:
        if one.enrollment_id and one.group_id and one.enrollment_id not in rows:
            store_of(tx).put("enrollments", one.enrollment_id, HeardEnrollment(one.group_id, None))
    return {id_: rows[id_] for one in news if (id_ := one.enrollment_id) and id_ in rows}


@instead_of(heard.save_seen)
async def save_seen(tx: Transaction, seen: Mapping[UUID, EnrollmentSeen]) -> None:
    rows = store_of(tx).rows("enrollments")
    for id_, one in seen.items():
        store_of(tx).put("enrollments", id_, HeardEnrollment(rows[id_].group_id, one))


@instead_of(heard.lock_months)
async def lock_months(tx: Transaction, keys: Iterable[MonthKey]) -> dict[MonthKey, MonthMoney]:
    rows = store_of(tx).rows("months")
    return {key: rows.get(key, MonthMoney()) for key in keys}


@instead_of(heard.save_months)
async def save_months(tx: Transaction, known: Mapping[MonthKey, MonthMoney]) -> None:
    for key, money in known.items():
        store_of(tx).put("months", key, money)


@instead_of(bills.lock)
async def lock_bills(tx: Transaction, keys: Iterable[MonthKey]) -> dict[MonthKey, Bill]:
    rows = store_of(tx).rows("bills")
    return {key: rows.get(key, Bill()) for key in keys}


@instead_of(bills.save)
async def save_bills(tx: Transaction, known: Mapping[MonthKey, Bill]) -> None:
    for key, bill in known.items():
        store_of(tx).put("bills", key, bill)


@instead_of(people.recipients_of)
async def recipients_of(tx: Transaction, child_ids: Collection[UUID]) -> Mapping[UUID, tuple[Recipient, ...]]:
    return _recipients(tx, "guardians", child_ids)


@instead_of(people.directors_of)
async def directors_of(
    tx: Transaction, provider_ids: Collection[UUID]
) -> Mapping[UUID, tuple[Recipient, ...]]:
    return _recipients(tx, "directors", provider_ids)


def _recipients(tx: Transaction, table: str, ids: Collection[UUID]) -> Mapping[UUID, tuple[Recipient, ...]]:
    rows = store_of(tx).rows(table)
    return {id_: (Recipient(rows[id_], frozenset(), Preferences()),) for id_ in set(ids) & rows.keys()}


@instead_of(messages.add)
async def add(tx: Transaction, told: Sequence[Told]) -> None:
    for one in told:
        key = one.news.event_id, one.person_id
        if key in store_of(tx).rows("messages"):
            raise ToldTwiceError(f"{one.person_id} is told {one.news.kind} twice")
        store_of(tx).put("messages", key, one)
