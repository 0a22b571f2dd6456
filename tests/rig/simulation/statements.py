"""Storage of clubs: the statements that directors sign."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from clubs.domain.sheets import Revision
from clubs.domain.statements import Line, Statement
from clubs.repository import statements
from rig.simulation.replacing import instead_of
from rig.simulation.store import Store, store_of
from shared.database import Transaction


def _is_over(store: Store, provider_id: UUID, month: str) -> bool:
    groups = store.rows("groups")
    return all(
        planned.closed
        for (group_id, of), planned in store.rows("group_months").items()
        if of == month and groups[group_id]["provider_id"] == provider_id
    )


@instead_of(statements.unsigned)
async def unsigned(tx: Transaction, provider_id: UUID, month: str, *, id_: UUID) -> UUID:
    store = store_of(tx)
    known = await find_statements(tx, provider_id, month)
    for one in known:
        if one.state != "signed":
            return one.id
    number = len(known) + 1
    ready = number > 1 or _is_over(store, provider_id, month)
    statement = Statement(id_, 0, provider_id, month, number, "ready" if ready else "open", None, None)
    store.put("statements", id_, statement)
    return id_


@instead_of(statements.put_on)
async def put_on(tx: Transaction, statement_id: UUID, revisions: Sequence[Revision]) -> None:
    store = store_of(tx)
    for one in revisions:
        line = Line(one.sheet.seat.enrollment_id, one.number, one.digest)
        store.put("statement_lines", (statement_id, line.enrollment_id), line)
    _change(store, statement_id, {})


def _change(store: Store, statement_id: UUID, values: dict[str, object]) -> None:
    before: Statement = store.rows("statements")[statement_id]
    after = replace(before, version=before.version + 1, **values)  # type: ignore[arg-type] # named by the callers
    store.put("statements", statement_id, after)


@instead_of(statements.make_ready)
async def make_ready(tx: Transaction, provider_id: UUID, months: Collection[str]) -> list[UUID]:
    store = store_of(tx)
    ready = [
        one.id
        for month in sorted(months)
        for one in await find_statements(tx, provider_id, month)
        if one.state == "open" and _is_over(store, provider_id, month)
    ]
    for id_ in ready:
        _change(store, id_, {"state": "ready"})
    return ready


@instead_of(statements.find_statement)
async def find_statement(
    tx: Transaction, id_: UUID, *, providers: frozenset[UUID] | None = None
) -> Statement | None:
    found: Statement | None = store_of(tx).rows("statements").get(id_)
    return found if found and (providers is None or found.provider_id in providers) else None


@instead_of(statements.find_statements)
async def find_statements(tx: Transaction, provider_id: UUID, month: str) -> list[Statement]:
    rows = store_of(tx).rows("statements").values()
    found = [one for one in rows if (one.provider_id, one.month) == (provider_id, month)]
    return sorted(found, key=lambda one: one.number)


@instead_of(statements.read_lines)
async def read_lines(tx: Transaction, statement_id: UUID) -> list[Line]:
    rows = store_of(tx).rows("statement_lines")
    return [rows[key] for key in sorted(rows) if key[0] == statement_id]


@instead_of(statements.sign)
async def sign(tx: Transaction, statement_id: UUID, *, person_id: UUID) -> None:
    signed = {"state": "signed", "signed_by": person_id, "signed_at": tx.now}
    _change(store_of(tx), statement_id, signed)
