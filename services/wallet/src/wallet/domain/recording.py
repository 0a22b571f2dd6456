"""What is kept of an operation for ever, so that a repetition is answered as the first time."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import NamedTuple
from uuid import UUID

from wallet.domain.operations import Bounced, Charged, Command, Final, Identity

_DIGEST_BYTES = 16
_BATCH = 1024
"""As many operations as are decided together, and some more."""


def digest(command: Command) -> int:
    """A fingerprint of the content, of a fixed form: it is compared for as long as the ledger lives.

    64 bits of it: only the repetitions of one identity are ever compared.
    """
    text = "\x1f".join(map(str, command.content))
    return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()[:8], signed=True)


@lru_cache(maxsize=_BATCH)
def identity_id(identity: Identity) -> UUID:
    """What an operation is found by when it is asked for again. No part has the separator in it.

    Of each operation it is asked twice: when its past is looked for, and when it is written.
    """
    return UUID(bytes=sha256("\x1f".join(identity).encode()).digest()[:16])


def repeated(result: Final) -> Final:
    """What a repetition is answered: the same, but for what is told only once."""
    return result._replace(changes=()) if isinstance(result, Charged | Bounced) else result


class Recorded(NamedTuple):
    """An operation of the past, as a repetition needs it."""

    digest: int
    result: Final


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation to be written, declined ones too: a decline is as final as money."""

    id: UUID
    identity: Identity
    digest: int
    child_id: UUID | None
    result: Final
