"""Lists in pages: a cursor is the key of the last item seen, signed, and good for the same question only.

Keys, not offsets: stable while rows are added, and equally fast on every page.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from shared.http.access import Person
from shared.http.problems import RefusedError
from shared.http.wiring import wiring_of

Item = TypeVar("Item")
View = TypeVar("View")
Key = tuple[str | int, ...]
_SIGNATURE_BYTES = 16


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one")] = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for. Select `limit + 1` rows after `after`, in the order of the key."""

    limit: int
    after: Key | None
    secret: bytes
    question: bytes

    def listing(
        self, rows: Sequence[Item], *, key: Callable[[Item], Key], view: Callable[[Item], View]
    ) -> Listing[View]:
        """The page made of these rows: one more than `limit` means that there is a next page."""
        shown = rows[: self.limit]
        cursor = self._cursor(key(shown[-1])) if len(rows) > self.limit else None
        return Listing(items=[view(row) for row in shown], next=cursor)

    def _cursor(self, key: Key) -> str:
        content = orjson.dumps(key)
        signature = _sign(self.secret, self.question, content)
        return base64.urlsafe_b64encode(signature + content).decode().rstrip("=")


def _sign(secret: bytes, question: bytes, content: bytes) -> bytes:
    message = b"cursor" + len(question).to_bytes(4) + question + content
    return hmac.digest(secret, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def _read(cursor: str, secret: bytes, question: bytes) -> Key:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise RefusedError(400, "cursor_invalid") from None
    signature, content = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(secret, question, content)):
        raise RefusedError(400, "cursor_invalid")
    return tuple(orjson.loads(content))


async def _page(
    request: Request,
    person_id: Person,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Page:
    secret = wiring_of(request.scope).settings.pepper.get_secret_value().encode()
    filters = sorted(
        item for item in request.query_params.multi_items() if item[0] not in ("cursor", "limit")
    )
    question = orjson.dumps([request.url.path, filters, str(person_id)])
    after = None if cursor is None else _read(cursor, secret, question)
    return Page(limit, after, secret, question)


PageQuery = Annotated[Page, Depends(_page)]
"""`?cursor=&limit=`, checked to be of the same list, filters and person."""
