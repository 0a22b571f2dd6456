"""Monthly statements: the sheets a provider signs."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from clubs.api.attendance import MarkView
from clubs.domain.sheets import Outcome
from clubs.domain.statements import State, Statement
from clubs.repository.statements import ShownLine
from clubs.usecases import statements as usecases
from shared.events.envelope import Month
from shared.http import Body, Listing, PageQuery, Router, Signed, Tx, Whole

router = Router()


class StatementView(BaseModel):
    """A list of sheets of a month; the first is the statement, later ones are supplements."""

    id: UUID
    version: int
    provider_id: UUID
    month: str
    number: int
    state: Annotated[State, Field(examples=["ready"])]
    signed_by: UUID | None
    signed_at: datetime | None


class SheetLessonView(BaseModel):
    """The facts of one lesson."""

    lesson_id: UUID
    on: date
    took_place: bool
    statements: list[MarkView]
    excused: bool
    disputed: bool
    decided: Outcome | None


class LineView(BaseModel):
    """One sheet as it is on the statement."""

    enrollment_id: UUID
    child_id: UUID
    group_id: UUID
    revision: int
    digest: str
    lessons: list[SheetLessonView]


class StatementPage(StatementView):
    """A statement with a page of its lines."""

    items: list[LineView]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one")] = None


class Signing(Body):
    """What the director saw."""

    version: Annotated[Whole, Field(ge=1, description="Of the statement that is signed")]


@router.get("/v1/statements", tags=["statements"])
async def find_statements(
    provider_id: UUID, month: Month, tx: Tx, principal: Signed
) -> Listing[StatementView]:
    """A provider's statement of a month and its supplements. For its director, administrators, auditors."""
    found = await usecases.find(tx, principal, provider_id, month)
    return Listing(items=[StatementView(**_content(statement)) for statement in found])


@router.get("/v1/statements/{statement_id}", tags=["statements"])
async def read_statement(statement_id: UUID, tx: Tx, principal: Signed, page: PageQuery) -> StatementPage:
    """A statement, sheet by sheet. For the provider's director, administrators, auditors."""
    after = UUID(str(page.after[0])) if page.after else None
    shown = await usecases.read(tx, principal, statement_id, after=after, limit=page.limit + 1)
    lines = page.listing(shown.lines, key=lambda shown: (str(shown.line.enrollment_id),), view=_line)
    return StatementPage(**_content(shown.statement), items=lines.items, next=lines.next)


@router.post("/v1/statements/{statement_id}/sign", tags=["statements"])
async def sign_statement(statement_id: UUID, body: Signing, tx: Tx, principal: Signed) -> StatementView:
    """Sign it as it was seen. For directors of the provider."""
    signed = await usecases.sign(tx, principal, statement_id, version=body.version)
    return StatementView(**_content(signed))


def _content(statement: Statement) -> dict[str, object]:
    return {
        "id": statement.id,
        "version": statement.version,
        "provider_id": statement.provider_id,
        "month": statement.month,
        "number": statement.number,
        "state": statement.state,
        "signed_by": statement.signed_by,
        "signed_at": statement.signed_at,
    }


def _line(shown: ShownLine) -> LineView:
    return LineView(
        enrollment_id=shown.line.enrollment_id,
        child_id=shown.content["child_id"],
        group_id=shown.content["group_id"],
        revision=shown.line.revision,
        digest=shown.line.digest,
        lessons=[SheetLessonView.model_validate(lesson) for lesson in shown.content["lessons"]],
    )
