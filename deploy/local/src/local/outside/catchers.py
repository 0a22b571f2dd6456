"""A mail server and an SMS gateway that deliver to nobody; `GET /messages` shows what they were given."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from local.outside.store import Message, Store


class MailHandler:
    """What aiosmtpd calls when a mail is complete."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        mail = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        text = mail.get_body(("plain", "html"))
        for recipient in envelope.rcpt_tos:
            self._store.add_message(
                Message(
                    channel="mail",
                    id=str(mail.get("Message-ID", "")),
                    recipient=recipient,
                    subject=str(mail.get("Subject", "")),
                    body=text.get_content() if text else "",
                )
            )
        return "250 accepted"


@asynccontextmanager
async def mail_server(store: Store, port: int) -> AsyncIterator[None]:
    """SMTP on loopback for as long as the context is open."""
    loop = asyncio.get_running_loop()
    handler = MailHandler(store)
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port
    )
    async with server:
        yield


class Sms(BaseModel):
    """One SMS; the gateway recognizes a repeat by its id."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    to: Annotated[str, Field(pattern=r"^\+[0-9]{8,15}$")]
    text: Annotated[str, Field(min_length=1, max_length=1000)]


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["catchers"])

    @router.post("/sms", status_code=202)
    async def take(sms: Sms) -> None:
        store.add_message(Message("sms", sms.id, sms.to, "", sms.text))

    @router.get("/messages")
    async def messages(
        to: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 50
    ) -> dict[str, list[dict[str, Any]]]:
        return {"items": [message._asdict() for message in store.messages(recipient=to, limit=limit)]}

    return router
