"""Talks to the bank: jobs of the worker, outside transactions. One sends, one asks, one reads statements.

One worker at a time sends, one order after the other: whatever is `submitting` when it turns to the next one
was left by a worker that died, or by an answer of the database that was lost.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

import asyncpg
import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.edge import Edge
from shared.retrying import LINE_LOST, until_it_passes
from shared.settings import Settings
from shared.tls import tls
from wallet.domain.bank_messages import Party, UnreadableError, UnwritableError, order_schema
from wallet.domain.bank_statements import Line
from wallet.domain.payouts import State
from wallet.repository.payouts import Payout, only_sender
from wallet.settings import WalletSettings, own_settings
from wallet.usecases import answers, recovery, submitting
from wallet.usecases.submitting import Leaving, OrderChangedError

IDLE_SECONDS = 0.2
RESTART_SECONDS = 0.5
PAUSE_SECONDS_MAX = 60.0
SET_ASIDE_SECONDS = 5.0
ANSWER_BYTES_MAX = 2_000_000
STATEMENT_BYTES_MAX = 50_000_000
"""Tens of thousands of payments."""
REPORTS_MAX = 100
ORDERS_AT_ONCE = 5
"""Asked about together, so that a bank that is away does not hold up a round for hours."""

log = structlog.get_logger()


class Reports(BaseModel):
    """What the bank has to say of an order it knows; possibly nothing yet."""

    model_config = ConfigDict(extra="ignore")

    reports: list[str] = Field(max_length=REPORTS_MAX)


class _NeverHeard(BaseModel):
    """How the bank says that it does not know an order: a 404 of anybody on the way says less."""

    model_config = ConfigDict(extra="ignore")

    class Detail(BaseModel):
        code: str
        msg_id: str

    detail: Detail


class NoAnswerError(Exception):
    """The bank cannot be reached, took too long, or answered what cannot be read."""


class Bank:
    """The bank behind its address."""

    def __init__(self, client: httpx.AsyncClient, url: str, seconds: float) -> None:
        self._client = client
        self._url = url
        self._seconds = seconds

    async def send(self, order: bytes) -> None:
        """Give the bank an order.

        Raises:
            NoAnswerError: nobody knows whether it has it.
        """
        status, _ = await self._call("POST", "/payments", content=order, content_type="application/xml")
        if status != httpx.codes.ACCEPTED:
            raise NoAnswerError(f"status {status}")

    async def ask(self, msg_id: str) -> list[str] | None:
        """The reports on an order; None if the bank has never heard of it.

        Raises:
            NoAnswerError: nobody knows yet.
        """
        status, content = await self._call("GET", f"/payments/{msg_id}/reports")
        try:
            if status == httpx.codes.NOT_FOUND:
                told = _NeverHeard.model_validate_json(content).detail
                if (told.code, told.msg_id) == ("msg_id_unknown", msg_id):
                    return None
            elif status == httpx.codes.OK:
                return Reports.model_validate_json(content).reports
        except ValidationError:
            raise NoAnswerError("unreadable") from None  # its text quotes the content
        raise NoAnswerError(f"status {status}")

    async def statement(self, day: date) -> bytes:
        """What it paid on a day that is over.

        Raises:
            NoAnswerError: it is not there yet.
        """
        status, content = await self._call("GET", f"/statements/{day}", bytes_max=STATEMENT_BYTES_MAX)
        if status != httpx.codes.OK:
            raise NoAnswerError(f"status {status}")
        return content

    async def _call(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        content_type: str | None = None,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> tuple[int, bytes]:
        headers = {"content-type": content_type} if content_type else {}
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(method, self._url + path, content=content, headers=headers) as response,
            ):
                answer = bytearray()
                async for part in response.aiter_bytes():
                    answer += part
                    if len(answer) > bytes_max:
                        raise NoAnswerError("too long")
                return response.status_code, bytes(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswerError(type(error).__name__) from None


@contextlib.asynccontextmanager
async def open_bank(settings: WalletSettings) -> AsyncIterator[Bank]:
    """The bank of these settings, for as long as the block runs."""
    async with httpx.AsyncClient(
        timeout=settings.bank_timeout_seconds, trust_env=False, verify=tls()
    ) as client:
        yield Bank(client, settings.bank_url.rstrip("/"), settings.bank_timeout_seconds)


async def submit_payouts(edge: Edge, settings: Settings) -> None:
    """Send approved orders as they come, until canceled. Of several workers one does."""
    own = own_settings(settings)
    async with open_bank(own) as bank:
        while True:
            try:
                await _submit_while_alone(edge, own, bank)
            except (OSError, TimeoutError, asyncpg.PostgresError, *LINE_LOST) as error:
                log.warning("submitting_restarts", error=type(error).__name__)
            await asyncio.sleep(RESTART_SECONDS)


async def _submit_while_alone(edge: Edge, settings: WalletSettings, bank: Bank) -> None:
    """Send for as long as nobody else can; at once over if somebody else does."""
    async with only_sender(settings.database_url) as still_alone:
        if still_alone is None:
            return
        await until_it_passes(notice_cluster, edge)
        await asyncio.to_thread(order_schema)  # before anything is locked, and while the loop goes on
        sender = Sender(edge, bank, Party(settings.payer_name, settings.payer_bin, settings.payer_iban))
        while True:
            await still_alone()
            await asyncio.sleep(await sender.send_next())


async def notice_cluster(edge: Edge) -> None:
    """Before anything is sent: is this the ledger that we knew, or one that was restored elsewhere?"""
    async with edge.transaction() as tx:
        await recovery.notice_cluster(tx)


class Sender:
    """Sends one order after the other."""

    def __init__(self, edge: Edge, bank: Bank, payer: Party) -> None:
        self._edge = edge
        self._bank = bank
        self.payer = payer
        self._set_aside: dict[UUID, float] = {}
        """Orders that could not leave, and until when (monotonic) their neighbors come first."""
        self._pause = IDLE_SECONDS

    async def send_next(self) -> float:
        """Send the next order, if there is one; for how long to pause then."""
        await until_it_passes(self._abandon)
        leaving = await until_it_passes(self._let_leave)
        if leaving is None:
            return IDLE_SECONDS
        trouble = await self._send(leaving)

        async def note() -> None:
            async with self._edge.transaction() as tx:
                if trouble is None:
                    await submitting.note_sent(tx, leaving.payout_id)
                else:
                    await submitting.note_unclear(tx, leaving.payout_id, trouble)

        await until_it_passes(note)
        # A bank that is away makes each order unknown that is tried: then not too many of them.
        self._pause = 0.0 if trouble is None else min(max(self._pause, IDLE_SECONDS) * 2, PAUSE_SECONDS_MAX)
        return self._pause

    async def _abandon(self) -> None:
        async with self._edge.transaction() as tx:
            await submitting.abandon_orders(tx)

    async def _let_leave(self) -> Leaving | None:
        """Commit that the next order may have left; what it is, and None if there is none or it changed."""
        now = time.monotonic()
        self._set_aside = {one: until for one, until in self._set_aside.items() if until > now}
        async with self._edge.look() as tx:
            payout_id = await submitting.next_to_leave(tx, besides=self._set_aside)
        if payout_id is None:
            return None
        try:
            async with self._edge.transaction() as tx:
                return await submitting.let_leave(tx, payout_id, self.payer)
        except OrderChangedError:
            log.warning("payout_changed_before_it_left", payout_id=str(payout_id))
        except UnwritableError as error:
            log.exception("payout_unwritable", payout_id=str(payout_id), reason=str(error))
        self._set_aside[payout_id] = now + SET_ASIDE_SECONDS
        return None

    async def _send(self, leaving: Leaving) -> str | None:
        try:
            await self._bank.send(leaving.content)
        except NoAnswerError as error:
            return str(error)
        return None


async def ask_bank(edge: Edge, settings: Settings) -> None:
    """Ask about all orders that are on their way, round after round, until canceled."""
    own = own_settings(settings)
    async with open_bank(own) as bank:
        while True:
            await until_it_passes(lambda: ask_once(edge, bank))
            await asyncio.sleep(own.bank_ask_seconds)


async def ask_once(edge: Edge, bank: Bank) -> None:
    """One round. An order without an answer waits for the next one."""
    async with edge.look() as tx:
        orders = await answers.orders_to_ask_about(tx)
    for start in range(0, len(orders), ORDERS_AT_ONCE):
        asked = (_ask(edge, bank, order) for order in orders[start : start + ORDERS_AT_ONCE])
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome


async def _ask(edge: Edge, bank: Bank, order: Payout) -> None:
    try:
        reports = await bank.ask(order.msg_id)
    except NoAnswerError as error:
        log.warning("bank_gave_no_answer", payout_id=str(order.id), reason=str(error))
        return
    with contextlib.suppress(OrderChangedError):  # somebody else was told: asked about again if need be
        if reports is None:
            async with edge.transaction() as tx:
                await answers.note_not_known(tx, order.id)
        elif order.state is State.UNKNOWN:
            async with edge.transaction() as tx:
                await answers.note_known(tx, order.id)
        for document in reports or ():
            async with edge.transaction() as tx:
                await answers.note_report(tx, order.id, document)


async def read_statements(edge: Edge, settings: Settings) -> None:
    """While the ledger recovers, find out what the bank paid meanwhile; round after round, until canceled."""
    own = own_settings(settings)
    async with open_bank(own) as bank:
        while True:
            await until_it_passes(lambda: recover_once(edge, bank))
            await asyncio.sleep(own.bank_ask_seconds)


async def recover_once(edge: Edge, bank: Bank) -> None:
    """One round: the statements that are missing, then each line that no order is known for."""
    async with edge.look() as tx:
        days = await recovery.days_to_read(tx)
    if days is None:
        return
    for day in days:
        try:
            content = await bank.statement(day)
            async with edge.transaction() as tx:
                await recovery.note_statement(tx, day, content)
        except (NoAnswerError, UnreadableError) as error:
            log.warning("statement_not_read", day=str(day), reason=str(error))
    async with edge.look() as tx:
        lines = await recovery.lines_to_match(tx)
    for line in lines:
        await _match(edge, line)
    async with edge.transaction() as tx:
        await recovery.end_if_known(tx)


async def _match(edge: Edge, line: Line) -> None:
    """Step by step, each of them committed; what changed meanwhile is for the next round."""
    with contextlib.suppress(OrderChangedError):
        going_on = True
        while going_on:
            async with edge.transaction() as tx:
                going_on = await recovery.match(tx, line)
