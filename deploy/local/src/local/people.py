"""Who can sign in to the development system: logins and the person ids that tokens carry as `sub`.

Ids follow from the login, so a fresh database, the seeds and the issuer agree without asking each other. What
these people may do is granted in enrollment and clubs; who their children are stands in `population`.
"""

from uuid import UUID, uuid5

_NAMESPACE = UUID("5d0b6a4e-8f1c-5b7a-9c57-0d2f4d8a3c11")
_COUNTS = {"guardian": 300, "director": 10, "coach": 25, "administrator": 3, "auditor": 1}

LOGINS = tuple(f"{kind}-{number}" for kind, count in _COUNTS.items() for number in range(1, count + 1))


def person_id(login: str) -> UUID:
    """The id of the person who signs in as `login`; raises KeyError if nobody does."""
    if login not in _LOGINS:
        raise KeyError(login)
    return uuid5(_NAMESPACE, login)


_LOGINS = frozenset(LOGINS)
