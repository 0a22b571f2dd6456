"""Postings as a file. The database is read by a cursor, in one snapshot; the file grows on disk meanwhile.

So a slow reader holds a file and no transaction: reading goes on at the database's pace, ten minutes at
most, and ends when the reader goes away. Whoever takes nothing for a minute, or not all in half an hour, is
left.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Annotated, Final

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from shared.edge import Edge
from shared.http import Language, Router, Signed, Tx, stay_open
from shared.http.problems import RefusedError
from shared.http.wiring import wiring_of
from shared.texts import LanguageCode
from wallet.api.ledger.postings import WantedQuery
from wallet.repository.ledger.postings import Wanted, stream
from wallet.usecases.ledger import exports
from wallet.usecases.ledger.exports import Format, Lines, open_writer

ROWS_AT_ONCE = 5_000
READ_SECONDS_MAX = 10 * 60.0
SEND_SECONDS_MAX = 30 * 60.0
CHUNK_SECONDS_MAX = 60.0
CHUNK_BYTES = 256 * 1024
FILE_BYTES_MAX = 2**30
AT_ONCE = 2
"""Of a process: each takes one of its ten lines to the database, and much of its CPU."""
_MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
_GROWING: Final = frozenset({"csv", "parquet"})
"""Can be sent while they are written; of a workbook nothing is known before it is complete."""

router = Router()
_places = asyncio.Semaphore(AT_ONCE)


class _Patient(StreamingResponse):
    """An answer that is not sent for ever, and whose source is closed when it ends, however it ends."""

    async def stream_response(self, send: Send) -> None:
        deadline = asyncio.get_running_loop().time() + SEND_SECONDS_MAX

        async def in_time(message: Message) -> None:
            at_most = min(deadline, asyncio.get_running_loop().time() + CHUNK_SECONDS_MAX)
            async with asyncio.timeout_at(at_most):
                await send(message)

        async with contextlib.aclosing(self.body_iterator):  # type: ignore[type-var] # a generator: ours
            await super().stream_response(in_time)


@router.get(
    "/v1/ledger/export",
    tags=["ledger"],
    response_class=_Patient,
    responses={
        200: {
            "description": "The file",
            "content": {
                name.partition(";")[0]: {"schema": {"type": "string"}} for name in _MEDIA_TYPES.values()
            },
        }
    },
)
async def export_postings(
    *,
    request: Request,
    form: Annotated[Format, Query(alias="format")] = "csv",
    wanted: WantedQuery,
    tx: Tx,
    principal: Signed,
    language: Language,
) -> _Patient:
    """The same postings as a file, the oldest first. For a month of a fund name both."""
    seen = await exports.allow(tx, principal, wanted, form)
    if _places.locked():
        raise RefusedError(503, "exports_busy", headers={"Retry-After": "30"})
    stay_open(request)
    export = Export(wiring_of(request.scope).edge, seen, form, language)
    disposition = f'attachment; filename="postings.{form}"'
    return _Patient(
        export.content(), media_type=_MEDIA_TYPES[form], headers={"Content-Disposition": disposition}
    )


@dataclass(slots=True)
class Export:
    """A file on its way: written by one task, and read by another from its beginning."""

    edge: Edge
    wanted: Wanted
    form: Format
    language: LanguageCode
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def content(self) -> AsyncGenerator[bytes, None]:
        """What is in the file, as soon as it is there."""
        with TemporaryFile() as file:
            writing = asyncio.create_task(self._write(file))
            writing.add_done_callback(lambda _: self._grown.set())
            try:
                async for chunk in self._follow(file.fileno(), writing):
                    yield chunk
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _follow(self, descriptor: int, writing: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        if self.form not in _GROWING:
            await writing
        sent = 0
        while True:
            complete = writing.done()
            chunk = await asyncio.to_thread(os.pread, descriptor, CHUNK_BYTES, sent)
            sent += len(chunk)
            if chunk:
                yield chunk
            elif complete:
                writing.result()
                return
            else:
                await self._grown.wait()
                self._grown.clear()

    async def _write(self, file: IO[bytes]) -> None:
        lines = Lines(self.language)
        async with _places, self.edge.long_look(seconds=READ_SECONDS_MAX) as tx:
            writer = await asyncio.to_thread(open_writer, self.form, file, self.language)
            try:
                async with contextlib.aclosing(stream(tx, self.wanted, rows_at_once=ROWS_AT_ONCE)) as found:
                    async for rows in found:
                        await asyncio.to_thread(lambda some: writer.write(lines.of(some)), rows)
                        self._grown.set()
                        if os.fstat(file.fileno()).st_size > FILE_BYTES_MAX:
                            raise OverflowError("the file grows too large")
            finally:
                await asyncio.to_thread(writer.close)
