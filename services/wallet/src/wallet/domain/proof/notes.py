"""Texts with signatures below them, as c2sp.org/signed-note defines them, by Ed25519 (RFC 8032).

The format of Go's checksum database and of public transparency logs: their tools read what is signed here.
Read as from a stranger. It is this page, for in 2026 no Python library of it was one to stand on: they were
a month old or internal to another tool.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wallet.domain.proof.unproven import UnprovenError

NOTE_LENGTH_MAX = 120_000
SIGNATURES_MAX = 16
"""What the specification asks for at least, with room for those of other kinds: up to 5,000 bytes each."""
_ED25519 = b"\x01"
_ID_BYTES = 4
_NAME = r"([^\s+\x00-\x1f\ud800-\udfff]+)"
_DIGIT = "[A-Za-z0-9+/]"
_KEY = re.compile(rf"{_NAME}\+[0-9a-f]{{8}}\+({_DIGIT}{{44}})")
_SIGNATURE = re.compile(rf"— {_NAME} ((?:{_DIGIT}{{4}})+(?:{_DIGIT}{{2}}==|{_DIGIT}{{3}}=)?)")
_UNSIGNABLE = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
"""Control characters but the newline, and what is no UTF-8."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whom to believe: a name, such as `example.kz/wallet`, and the 32 bytes of a public key."""

    name: str
    public: bytes

    @classmethod
    def of(cls, name: str, key: Ed25519PrivateKey) -> Self:
        """What to tell others of a key that signs."""
        return cls(name, key.public_key().public_bytes_raw())

    @classmethod
    def read(cls, text: str) -> Self:
        """The key that is so written: name, key id in hexadecimal, and the key behind its kind in base64.

        Raises:
            UnprovenError: it is written otherwise, or its parts do not belong together.
        """
        parts = _KEY.fullmatch(text)
        key = cls(parts[1], b64decode(parts[2])[1:]) if parts else None
        if key is None or str(key) != text:
            raise UnprovenError("key", "this is no Ed25519 verifier key")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{in_base64(_ED25519 + self.public)}"

    @property
    def id(self) -> bytes:
        """Tells keys of one name apart. Too short to be believed by itself."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]


def in_base64(content: bytes) -> str:
    """As bytes stand in notes: RFC 4648, section 4."""
    return b64encode(content).decode()


class _Signature(NamedTuple):
    name: str
    key_id: bytes
    content: bytes


def sign(text: str, name: str, *keys: Ed25519PrivateKey) -> str:
    """The text with a signature of each key below it: two of them while one succeeds the other.

    Raises:
        UnprovenError: the text or the name could not be read again.
    """
    _check_characters(text + name)
    note = f"{text}\n" + "".join(_line(text, name, key) for key in keys)
    if _parts(note)[0] != text:
        raise UnprovenError("note", "another text would be read")
    return note


def open_note(note: str, key: VerifierKey) -> str:
    """The text, if it is signed by this key. What others signed is not looked at.

    Raises:
        UnprovenError: it is no note, the key did not sign it, or a signature of this key is wrong.
    """
    text, signatures = _parts(note)
    public = Ed25519PublicKey.from_public_bytes(key.public)
    own = [one.content for one in signatures if (one.name, one.key_id) == (key.name, key.id)]
    if not own:
        raise UnprovenError("signature", f"none is by {key.name} with the key {key.id.hex()}")
    for content in own:
        try:
            public.verify(content, text.encode())
        except InvalidSignature:
            raise UnprovenError("signature", f"that of {key.name} is wrong") from None
    return text


def read_text(note: str) -> str:
    """The text of a note of our own, whoever signed it.

    Raises:
        UnprovenError: it is no note.
    """
    return _parts(note)[0]


def _line(text: str, name: str, key: Ed25519PrivateKey) -> str:
    return f"— {name} {in_base64(VerifierKey.of(name, key).id + key.sign(text.encode()))}\n"


def _parts(note: str) -> tuple[str, list[_Signature]]:
    """The last empty line is the one between text and signatures."""
    if len(note) > NOTE_LENGTH_MAX:
        raise UnprovenError("note", "it is too long")
    _check_characters(note)
    text, empty_line, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not empty_line or lines.pop() or not 0 < len(lines) <= SIGNATURES_MAX:
        raise UnprovenError("note", "it is no text with signatures below")
    return f"{text}\n", [_signature(line) for line in lines]


def _check_characters(text: str) -> None:
    if _UNSIGNABLE.search(text):
        raise UnprovenError("note", "it has characters that no note has")


def _signature(line: str) -> _Signature:
    parts = _SIGNATURE.fullmatch(line)
    content = b64decode(parts[2]) if parts else b""
    if parts is None or in_base64(content) != parts[2] or len(content) <= _ID_BYTES:
        raise UnprovenError("note", "a line below the text is no signature")
    return _Signature(parts[1], content[:_ID_BYTES], content[_ID_BYTES:])
