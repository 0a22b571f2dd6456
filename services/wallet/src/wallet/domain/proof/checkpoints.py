"""How long the log was and what its root was, signed: c2sp.org/tlog-checkpoint.

Two of them that do not continue each other, both signed by us, prove that the log was rewritten: that is why
they are published, and why a log has one name (its origin), which is also that of its keys.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wallet.domain.proof import notes
from wallet.domain.proof.merkle import SIZE_MAX
from wallet.domain.proof.notes import VerifierKey, in_base64
from wallet.domain.proof.unproven import UnprovenError

_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n((?:[^\n]+\n)*)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its name, how many leaves it has, and the root of their tree."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines, signed with the rest, that mean something to whoever wrote them."""

    @property
    def text(self) -> str:
        """What is signed."""
        return "\n".join((self.origin, str(self.size), in_base64(self.root), *self.extensions, ""))

    @classmethod
    def read(cls, text: str) -> Self:
        """The head that this text tells.

        Raises:
            UnprovenError: it tells none, or in another form than the one.
        """
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise UnprovenError("text", "this is no checkpoint")
        found = cls(parts[1], int(parts[2]), b64decode(parts[3]), tuple(parts[4].split("\n")[:-1]))
        if found.size > SIZE_MAX or found.text != text:
            raise UnprovenError("text", "the checkpoint has no size or no root")
        return found


def sign(checkpoint: Checkpoint, *keys: Ed25519PrivateKey) -> str:
    """The checkpoint as it is published. It must continue all that these keys signed before.

    Raises:
        UnprovenError: another checkpoint, or none, would be read.
    """
    if Checkpoint.read(checkpoint.text) != checkpoint:
        raise UnprovenError("text", "another checkpoint would be read")
    return notes.sign(checkpoint.text, checkpoint.origin, *keys)


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """What the log of this key's name signed with it.

    Raises:
        UnprovenError: it is not signed so, or it is no checkpoint of that log.
    """
    found = Checkpoint.read(notes.open_note(note, key))
    if found.origin != key.name:
        raise UnprovenError("origin", f"this is the log {found.origin}, not {key.name}")
    return found
