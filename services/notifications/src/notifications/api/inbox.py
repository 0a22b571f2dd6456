"""The inbox of who is signed in, in pages. The live one is `stream`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from notifications.domain.kinds import TOPIC_OF, Kind, Topic
from notifications.repository import messages, people
from notifications.repository.messages import Message
from notifications.texts import render
from shared.http import Listing, PageQuery, Person, Router, Tx
from shared.texts import LanguageCode, negotiate

router = Router()


class MessageView(BaseModel):
    """One message, in the reader's language. Who the child is, enrollment knows."""

    id: UUID
    kind: Annotated[Kind, Field(examples=["confirmed"])]
    topic: Annotated[Topic, Field(examples=["enrollments"])]
    title: Annotated[str, Field(examples=["Robotics: enrolled"])]
    body: Annotated[
        str,
        Field(examples=["The request was canceled, and money set aside for it is free again."]),
    ]
    child_id: Annotated[UUID | None, Field(description="null: about a provider as a whole")]
    enrollment_id: UUID | None
    provider_id: Annotated[UUID | None, Field(description="Of which I am told as its director")]
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, message: Message, language: LanguageCode) -> "MessageView":
        """The message in words."""
        text = render(message.kind, message.content, language)
        return cls(
            id=message.id,
            kind=message.kind,
            topic=TOPIC_OF[message.kind],
            title=text.title,
            body=text.body,
            child_id=message.child_id,
            enrollment_id=message.enrollment_id,
            provider_id=message.provider_id,
            created_at=message.created_at,
            read_at=message.read_at,
        )


class InboxView(Listing[MessageView]):
    """A page of the inbox, the newest first, and how many messages are unread in all of it."""

    unread: Annotated[int, Field(examples=[3])]


async def _reader_language(request: Request, tx: Tx, person_id: Person) -> LanguageCode:
    given = request.headers.get("accept-language")
    if given is not None:
        return negotiate(given)
    preferences, _ = await people.preferences_of(tx, person_id)
    return preferences.language


ReaderLanguage = Annotated[LanguageCode, Depends(_reader_language, scope="function")]
"""By Accept-Language as everywhere; a client that says nothing gets what the person prefers."""


@router.get("/v1/inbox", tags=["inbox"])
async def read_inbox(tx: Tx, person_id: Person, language: ReaderLanguage, page: PageQuery) -> InboxView:
    """What I was told."""
    before = int(page.after[0]) if page.after else None
    found = await messages.latest(tx, person_id, before=before, limit=page.limit + 1)
    listing = page.listing(
        found, key=lambda one: (one.number,), view=lambda one: MessageView.of(one, language)
    )
    return InboxView(
        items=listing.items, next=listing.next, unread=await messages.count_unread(tx, person_id)
    )


@router.post("/v1/inbox/{message_id}/read", tags=["inbox"])
async def mark_read(tx: Tx, person_id: Person, language: ReaderLanguage, message_id: UUID) -> MessageView:
    """I have read this one. Again is fine: the first time counts."""
    return MessageView.of(await messages.mark_read(tx, person_id, message_id), language)
