"""Reads the way of the money, link by link. Each statement takes a set; none is asked once per row.

`orders` has the two ends, `items` what is between them. Whom a trace is shown to is a predicate there: of a
fund in one of the reader's regions or programs.
"""

from typing import Any, TypeAlias

import sqlalchemy as sa

from shared.database import Transaction

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]


async def read(tx: Transaction, statement: sa.TextClause, **values: Any) -> Rows:  # noqa: ANN401 - of any type
    """All rows."""
    return [dict(row) for row in (await tx.execute(statement, values)).mappings()]
