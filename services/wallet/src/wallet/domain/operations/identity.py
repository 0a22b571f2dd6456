"""Who an operation is the same for, however often it is asked for."""

from typing import NamedTuple


class Identity(NamedTuple):
    """Who asked, for what kind of thing, under which key of theirs. Made by the server, never by a client."""

    origin: str
    kind: str
    key: str
