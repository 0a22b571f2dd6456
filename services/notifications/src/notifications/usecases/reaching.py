"""Where a person is reached: contacts set by the person, encrypted before they touch the database."""

from dataclasses import dataclass
from uuid import UUID

from notifications.domain.reaching import Channel, email_address, phone_number
from notifications.repository import people
from shared.database import Transaction
from shared.encryption import Keyring


@dataclass(frozen=True, slots=True)
class Contacts:
    """A person's contacts in the open."""

    email: str | None
    phone: str | None
    version: int


def place_of(channel: Channel, person_id: UUID) -> str:
    """What an encrypted address is bound to: moved to another person's row it cannot be read."""
    return f"contacts.{channel}|{person_id}"


async def read_contacts(tx: Transaction, keys: Keyring, person_id: UUID) -> Contacts:
    """A person's own contacts."""
    sealed = await people.contacts_of(tx, person_id)

    def opened(value: bytes | None, channel: Channel) -> str | None:
        return None if value is None else keys.decrypt(value, place=place_of(channel, person_id))

    return Contacts(opened(sealed.email, "email"), opened(sealed.phone, "sms"), sealed.version)


async def set_contacts(
    tx: Transaction, keys: Keyring, person_id: UUID, *, email: str | None, phone: str | None
) -> Contacts:
    """Replace a person's contacts; None removes one, and what was to be sent there is not sent."""
    email = None if email is None else email_address(email)
    phone = None if phone is None else phone_number(phone)
    version = await people.save_contacts(
        tx,
        person_id,
        None if email is None else keys.encrypt(email, place=place_of("email", person_id)),
        None if phone is None else keys.encrypt(phone, place=place_of("sms", person_id)),
    )
    return Contacts(email, phone, version)
