"""The provider's monthly statement: sheets are put on it, and its director signs it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from clubs.domain.sheets import Revision
from clubs.domain.statements import Statement, check_signing, in_parts
from clubs.repository import sheets
from clubs.repository import statements as repository
from clubs.repository.statements import ShownLine
from shared import audit, outbox
from shared.database import Transaction, new_id
from shared.errors import NotFoundError
from shared.events.attendance import STATEMENT_LINES_MAX, SignedLine, StatementSigned
from shared.security import Principal


@dataclass(frozen=True, slots=True)
class Shown:
    """A statement with some of its lines, in the order of the enrollments."""

    statement: Statement
    lines: Sequence[ShownLine]


async def put_on(tx: Transaction, provider_id: UUID, revisions: Sequence[Revision]) -> None:
    """Sheets of one month go on what is to be signed next. The caller holds the provider's lock."""
    month = revisions[0].sheet.month
    statement_id = await repository.unsigned(tx, provider_id, month, id_=new_id())
    await repository.put_on(tx, statement_id, revisions)
    tx.touch(statement_id)


async def make_ready(tx: Transaction, provider_id: UUID, months: Collection[str]) -> None:
    """Once no group of the provider has a month open, its statement can be signed."""
    for statement_id in await repository.make_ready(tx, provider_id, months):
        tx.touch(statement_id)


async def find(tx: Transaction, principal: Principal, provider_id: UUID, month: str) -> list[Statement]:
    """The statement of a provider's month and its supplements."""
    principal.require("director", "administrator", "auditor")
    if not principal.has("administrator", "auditor") and provider_id not in principal.scopes("director"):
        raise NotFoundError
    return await repository.find_statements(tx, provider_id, month)


async def read(
    tx: Transaction, principal: Principal, statement_id: UUID, *, after: UUID | None, limit: int
) -> Shown:
    """A statement, with the facts of its lines."""
    principal.require("director", "administrator", "auditor")
    everywhere = principal.has("administrator", "auditor")
    own = None if everywhere else principal.scopes("director")
    statement = await repository.find_statement(tx, statement_id, providers=own)
    if statement is None:
        raise NotFoundError
    return Shown(statement, await repository.show_lines(tx, statement_id, after=after, limit=limit))


async def sign(tx: Transaction, principal: Principal, statement_id: UUID, *, version: int) -> Statement:
    """The director signs what they saw; whatever comes later goes on a supplement."""
    principal.require("director")
    own = principal.scopes("director")
    found = await repository.find_statement(tx, statement_id, providers=own)
    if found is None:
        raise NotFoundError
    await sheets.lock_provider(tx, found.provider_id)
    statement = await repository.find_statement(tx, statement_id)
    if statement is None:
        raise NotFoundError
    check_signing(statement, version=version)
    await repository.sign(tx, statement_id, person_id=principal.person_id)
    await audit.record(tx, principal, "sign", "statement", statement_id, version=version)
    tx.touch(statement_id)
    await _tell(tx, statement, principal.person_id)
    signed = await repository.find_statement(tx, statement_id)
    if signed is None:
        raise NotFoundError
    return signed


async def _tell(tx: Transaction, statement: Statement, person_id: UUID) -> None:
    lines = await repository.read_lines(tx, statement.id)
    for part, some in in_parts(lines, STATEMENT_LINES_MAX):
        outbox.publish(
            tx,
            StatementSigned(
                statement_id=statement.id,
                provider_id=statement.provider_id,
                month=statement.month,
                number=statement.number,
                part=part,
                signed_by=person_id,
                signed_at=tx.now,
                lines=tuple(
                    SignedLine(enrollment_id=line.enrollment_id, revision=line.revision, digest=line.digest)
                    for line in some
                ),
            ),
        )
