"""Encryption of the few values that must never lie open (IIN, IBAN), and the blind index to find them by.

The first byte of a ciphertext is the id of its key, so that keys can be rotated: the highest encrypts, all of
them decrypt.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.settings import Settings

_NONCE_BYTES = 12
_KEY_BYTES = 32


class CiphertextError(Exception):
    """Not encrypted by us, or for another place. Never says what it was."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a process. Their bytes never appear in a repr."""

    keys: Mapping[int, AESGCM] = field(repr=False)
    pepper: bytes = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The keys that the settings name."""
        keys = {}
        for id_, secret in settings.encryption_keys.items():
            key = base64.b64decode(secret.get_secret_value(), validate=True)
            if len(key) != _KEY_BYTES or not 1 <= id_ <= 255:  # noqa: PLR2004 - one byte
                raise ValueError(f"encryption key {id_} must have 32 bytes and an id of 1 to 255")
            keys[id_] = AESGCM(key)
        return cls(keys, settings.pepper.get_secret_value().encode())

    def encrypt(self, value: str, *, place: str) -> bytes:
        """Encrypt for one place (`child.iin|<id>`): copied to another row it does not decrypt."""
        id_ = max(self.keys)
        nonce = os.urandom(_NONCE_BYTES)
        return bytes([id_]) + nonce + self.keys[id_].encrypt(nonce, value.encode(), _bound(id_, place))

    def decrypt(self, ciphertext: bytes, *, place: str) -> str:
        """The value that was encrypted for this place."""
        id_, nonce = ciphertext[0] if ciphertext else 0, ciphertext[1 : 1 + _NONCE_BYTES]
        try:
            content = self.keys[id_].decrypt(nonce, ciphertext[1 + _NONCE_BYTES :], _bound(id_, place))
        except (KeyError, InvalidTag, ValueError):
            raise CiphertextError from None
        return content.decode()

    def blind_index(self, value: str, *, purpose: str) -> bytes:
        """The same bytes for the same value and purpose: for UNIQUE and look-ups, useless alone."""
        message = len(purpose).to_bytes(2) + purpose.encode() + value.encode()
        return hmac.digest(self.pepper, message, hashlib.sha256)


def _bound(id_: int, place: str) -> bytes:
    return bytes([id_]) + place.encode()
