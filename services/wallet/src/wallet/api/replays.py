"""A month of a program priced again under other rules."""

import hashlib
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from shared.http import Language, Listing, PageQuery, Router, Signed, Tx, changes_nothing
from shared.http.problems import RefusedError
from shared.texts import LanguageCode, Texts
from wallet.usecases.replaying import Line, ReplayPlan, Totals, replay_month

router = Router()


class ReplayedLine(BaseModel):
    """A month of one enrollment: what it costs by the facts it was charged by, and what it would cost."""

    enrollment_id: UUID
    child_id: UUID
    provider_id: UUID
    group_id: UUID
    rules_version: Annotated[int, Field(description="Frozen in its hold")]
    counting_lessons: int
    charged_tiyn: int
    replayed_lessons: Annotated[int | None, Field(description="How many lessons would count")]
    replayed_tiyn: Annotated[int | None, Field(description="Null if its facts were not kept yet")]
    code: Annotated[str | None, Field(description="Why it would cost nothing, or is not known")]
    text: Annotated[str | None, Field(description="The same in the language of Accept-Language")]


class ReplayTotals(BaseModel):
    """Of this page and all before it: on the last page, of the whole month."""

    lines: int
    unknown: Annotated[int, Field(description="Lines that could not be priced again; not in the amounts")]
    charged_tiyn: int
    replayed_tiyn: int


class ReplayView(Listing[ReplayedLine]):
    """A page of lines, and the totals so far."""

    total: ReplayTotals


@router.post("/v1/programs/{program_id}/replay", tags=["programs"])
@changes_nothing
async def replay(
    *, program_id: UUID, body: ReplayPlan, tx: Tx, principal: Signed, page: PageQuery, language: Language
) -> ReplayView:
    """Price what was charged for a month again, by another version of the rules or by ones not yet proposed.

    By the terms and facts of each month. How many clubs a child had, caps and money are not asked again.
    """
    question = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    asked, after, *sums = page.after or (question, None)
    if asked != question:
        raise RefusedError(400, "cursor_invalid")
    before = Totals(*(int(one) for one in sums))
    last = UUID(str(after)) if after else None
    lines = await replay_month(
        tx, principal, program_id, body, after=last, before=before, limit=page.limit + 1
    )
    listing = page.listing(
        lines,
        key=lambda line: (question, str(line.month.enrollment_id), *line.so_far),
        view=lambda line: _line(line, language),
    )
    shown = lines[: page.limit]
    total = shown[-1].so_far if shown else before
    return ReplayView(items=listing.items, next=listing.next, total=ReplayTotals(**total._asdict()))


def _line(line: Line, language: LanguageCode) -> ReplayedLine:
    month, replayed = line.month, line.replayed
    code = replayed.code if replayed else "facts_unknown"
    return ReplayedLine(
        enrollment_id=month.enrollment_id,
        child_id=month.child_id,
        provider_id=month.provider_id,
        group_id=month.group_id,
        rules_version=line.rules_version,
        counting_lessons=line.counting,
        charged_tiyn=month.cost_tiyn,
        replayed_lessons=replayed.counting if replayed else None,
        replayed_tiyn=replayed.cost_tiyn if replayed else None,
        code=code,
        text=Texts.of("wallet").translate(language, code) if code else None,
    )
