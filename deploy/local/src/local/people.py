"""Who can sign in to the development system: logins and the ids that tokens carry as `sub`.

Ids follow from the login, so a fresh database, the seeds and the issuer agree without asking each other. What
they may do is granted in enrollment and clubs; who the people's children are stands in `population`.
"""

from uuid import UUID, uuid5

_NAMESPACE = UUID("5d0b6a4e-8f1c-5b7a-9c57-0d2f4d8a3c11")
_COUNTS = {"guardian": 300, "director": 10, "coach": 25, "administrator": 3, "auditor": 1}

LOGINS = tuple(f"{kind}-{number}" for kind, count in _COUNTS.items() for number in range(1, count + 1))
"""People, who sign in without a password."""
DEVICES = tuple(f"device-{number}" for number in range(1, 11))
"""Devices at the doors of clubs: OAuth clients, which sign in with a secret."""

_IDS = {login: uuid5(_NAMESPACE, login) for login in (*LOGINS, *DEVICES)}


def person_id(login: str) -> UUID:
    """The id of the person or the device that signs in as `login`; raises KeyError if nobody does."""
    return _IDS[login]


def client_secret(device: str) -> str:
    """The secret of a device: anybody can tell it, as all of this is for development only."""
    return f"secret-of-{device}"


def sign_in(login: str) -> dict[str, str]:
    """What to send to the issuer for a token: people a name, devices their client's credentials."""
    if login in DEVICES:
        secret = client_secret(login)
        return {"grant_type": "client_credentials", "client_id": login, "client_secret": secret}
    return {"grant_type": "password", "username": login}
