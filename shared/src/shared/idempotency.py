"""A POST that is sent again has one effect and one answer: the key is claimed in the business transaction.

There is no "in progress" to be left behind: the claim, the work and the stored answer commit together or not
at all. Refusals store nothing, so that the same key may be tried again. Keys are kept for seven days.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.database import Transaction, plumbing

KEPT = timedelta(days=7)
TWIN_WAIT_SECONDS = 2

idempotency = sa.Table(
    "idempotency",
    plumbing,
    sa.Column("person_id", sa.Uuid, primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.SmallInteger),
    sa.Column("headers", JSONB),
    sa.Column("body", sa.LargeBinary),
    sa.Column(
        "created_at",
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
        index=True,
    ),
    sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
)

_CLAIM = insert(idempotency).on_conflict_do_nothing().returning(sa.true())


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a request the same one: who asks, for what, under which key of theirs."""

    person_id: UUID
    route: str
    """Method and template, as in `POST /v1/enrollments/{enrollment_id}/cancel`."""
    key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered the first time."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claimed:
    """The request is new: do the work, then store the answer."""


@dataclass(frozen=True, slots=True)
class OtherContent:
    """The key was used for something else."""


def fingerprint(pepper: str, *parts: bytes) -> bytes:
    """A digest of the content. Keyed: contents may be as guessable as an IIN."""
    digest = hmac.new(pepper.encode(), digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()


async def claim(
    tx: Transaction, request: RequestKey, content: bytes
) -> Claimed | StoredAnswer | OtherContent:
    """Claim the key for this content, or say what became of it. A running twin is waited for, for a while.

    Raises the database's LockNotAvailable (55P03) if the twin takes longer; so does, from here to the end of
    the transaction, whatever else has to wait that long for a lock.
    """
    await tx.execute(sa.text(f"SET LOCAL lock_timeout = '{TWIN_WAIT_SECONDS}s'"))
    inserted = await tx.execute(_CLAIM, _columns(request) | {"fingerprint": content})
    new = inserted.first() is not None
    if new:
        return Claimed()
    row = (await tx.execute(sa.select(idempotency).filter_by(**_columns(request)))).one()
    if not hmac.compare_digest(row.fingerprint, content):
        return OtherContent()
    return StoredAnswer(row.status, row.headers, row.body)


async def store(tx: Transaction, request: RequestKey, answer: StoredAnswer) -> None:
    """Keep the answer of a claimed request, in the same transaction."""
    await tx.execute(
        sa.update(idempotency)
        .filter_by(**_columns(request))
        .values(status=answer.status, headers=answer.headers, body=answer.body)
    )


async def forget_old(tx: Transaction) -> None:
    """Delete what nobody will repeat any more. By the real clock."""
    await tx.execute(sa.delete(idempotency).where(idempotency.c.created_at < sa.func.now() - KEPT))


def _columns(request: RequestKey) -> dict[str, UUID | str]:
    return {"person_id": request.person_id, "route": request.route, "key": request.key}
