"""What is kept of an operation for ever, so that a repetition is answered as the first time."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from wallet.domain.operations import Bounced, Charged, Command, Final, Identity

DIGEST_BYTES = 16


def digest(command: Command) -> bytes:
    """A fingerprint of the content, of a fixed form: it is compared for as long as the ledger lives."""
    text = "\x1f".join(map(str, command.content))
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def repeated(result: Final) -> Final:
    """What a repetition is answered: the same, but for what is told only once."""
    return result._replace(changes=()) if isinstance(result, Charged | Bounced) else result


class Recorded(NamedTuple):
    """An operation of the past, as a repetition needs it."""

    digest: bytes
    result: Final


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation to be written, declined ones too: a decline is as final as money."""

    id: UUID
    identity: Identity
    digest: bytes
    child_id: UUID | None
    result: Final
