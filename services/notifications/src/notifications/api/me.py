"""How the person who is signed in is reached, and wants to be told."""

from datetime import time
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, Field

from notifications.domain.kinds import TOPICS
from notifications.domain.reaching import CHANNELS, Channel, Preferences, QuietHours
from notifications.repository import people
from notifications.usecases import reaching
from notifications.usecases.reaching import Contacts
from shared.encryption import Keyring
from shared.http import Body, Person, Router, Tx
from shared.http.wiring import wiring_of
from shared.texts import LanguageCode

router = Router()

ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Civil time")]


class NewContacts(Body):
    """Where I am reached; null: not there."""

    email: Annotated[str | None, Field(max_length=254, examples=["aigerim@example.kz"])]
    phone: Annotated[str | None, Field(max_length=40, examples=["+7 701 123 45 67"])]


class ContactsView(BaseModel):
    """Where I am reached; null: not there."""

    email: Annotated[str | None, Field(examples=["aigerim@example.kz"])]
    phone: Annotated[str | None, Field(examples=["+77011234567"])]
    version: int

    @classmethod
    def of(cls, contacts: Contacts) -> "ContactsView":
        """The contacts as the API shows them: to their owner only."""
        return cls(email=contacts.email, phone=contacts.phone, version=contacts.version)


class TopicsView(Body):
    """Through which channels each topic leaves the inbox; it is always in the inbox."""

    children: Annotated[list[Channel], Field(max_length=len(CHANNELS), examples=[["email"]])]
    seats: Annotated[list[Channel], Field(max_length=len(CHANNELS), examples=[["email", "sms"]])]
    enrollments: Annotated[list[Channel], Field(max_length=len(CHANNELS), examples=[["email"]])]
    money: Annotated[list[Channel], Field(max_length=len(CHANNELS), examples=[[]])]
    attendance: Annotated[
        list[Channel],
        Field(max_length=len(CHANNELS), examples=[["email"]], default_factory=lambda: list(CHANNELS)),
    ]


class QuietHoursView(Body):
    """Hours without e-mail and SMS, which are sent after them. May pass midnight."""

    starts_at: Annotated[ClockTime, Field(examples=["21:00"])]
    ends_at: Annotated[ClockTime, Field(examples=["08:00"])]


class NewPreferences(Body):
    """How I want to be told."""

    language: Annotated[LanguageCode, Field(examples=["kk"])]
    topics: TopicsView
    quiet_hours: Annotated[QuietHoursView | None, Field(description="null: none")]

    def preferences(self) -> Preferences:
        """The preferences as the domain knows them."""
        hours = self.quiet_hours
        quiet = (
            QuietHours(time(), time())
            if hours is None
            else QuietHours(time.fromisoformat(hours.starts_at), time.fromisoformat(hours.ends_at))
        )
        topics = {topic: frozenset[Channel](getattr(self.topics, topic)) for topic in TOPICS}
        return Preferences(self.language, topics, quiet)


class PreferencesView(NewPreferences):
    """How I want to be told; version 0 if I never said."""

    version: int

    @classmethod
    def of(cls, preferences: Preferences, version: int) -> "PreferencesView":
        """The preferences as the API shows them."""
        quiet = preferences.quiet
        return cls(
            language=preferences.language,
            topics=TopicsView.model_validate(
                {topic: sorted(channels) for topic, channels in preferences.topics.items()}
            ),
            quiet_hours=None
            if quiet.starts_at == quiet.ends_at
            else QuietHoursView(starts_at=f"{quiet.starts_at:%H:%M}", ends_at=f"{quiet.ends_at:%H:%M}"),
            version=version,
        )


def _keys(request: Request) -> Keyring:
    return Keyring.of(wiring_of(request.scope).settings)


@router.get("/v1/me/contacts", tags=["me"])
async def read_contacts(request: Request, tx: Tx, person_id: Person) -> ContactsView:
    """Where I am reached."""
    return ContactsView.of(await reaching.read_contacts(tx, _keys(request), person_id))


@router.put("/v1/me/contacts", tags=["me"])
async def set_contacts(request: Request, tx: Tx, person_id: Person, body: NewContacts) -> ContactsView:
    """Be reached there from now on, and nowhere else."""
    contacts = await reaching.set_contacts(tx, _keys(request), person_id, email=body.email, phone=body.phone)
    return ContactsView.of(contacts)


@router.get("/v1/me/preferences", tags=["me"])
async def read_preferences(tx: Tx, person_id: Person) -> PreferencesView:
    """How I want to be told."""
    return PreferencesView.of(*await people.preferences_of(tx, person_id))


@router.put("/v1/me/preferences", tags=["me"])
async def set_preferences(tx: Tx, person_id: Person, body: NewPreferences) -> PreferencesView:
    """Tell me so from now on; what is already on its way goes as it was."""
    wanted = body.preferences()
    return PreferencesView.of(wanted, await people.save_preferences(tx, person_id, wanted))
