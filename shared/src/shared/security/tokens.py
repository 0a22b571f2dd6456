"""Verification of OIDC access tokens: who it is (`sub`), never what they may do.

Everything about the token is attacker-controlled until the signature is checked, and the header stays so:
the algorithm is ours to choose, and the key is looked up by `kid` in the issuer's published set only.
"""

import json
import re
import time
from functools import lru_cache
from typing import Any
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from shared.security.keys import IssuerKeys, PublicKey

TOKEN_BYTES_MAX = 8 * 1024
TOKENS_KEPT = 4096
LEEWAY_SECONDS = 30
LIFE_SECONDS_MAX = 61 * 60
ALGORITHMS = ("ES256", "RS256")
_STAMP_MAX = 2**53
_ALLOWED_HEADERS = frozenset({"alg", "kid", "typ"})  # so: no crit, jku, jwk, x5u, x5c, b64, zip
_TYPES = frozenset({"at+jwt", "jwt"})
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class TokenRefusedError(Exception):
    """Not a token we accept. The caller learns no more than that; the reason is for our log."""


class TokenVerifier:
    """Checks tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys

    async def person_id(self, token: str) -> UUID:
        """Whose token it is.

        Raises:
            TokenRefusedError: it is not good.
            IdentityUnavailableError: the issuer's keys could not be had, so nobody can tell.
        """
        header = _header(token)
        key = await self._keys.find(header["kid"])
        if key is None or key.algorithm != header["alg"]:
            raise TokenRefusedError("unknown key")
        try:
            claims = _signed_claims(token, key)
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefusedError(type(error).__name__) from None
        self._check_issued_for_us(claims)
        _check_times(claims, now=time.time())
        return _subject(claims)

    def _check_issued_for_us(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self._issuer:
            raise TokenRefusedError("issuer")
        if self._audience not in audiences:
            raise TokenRefusedError("audience")
        if claims.get("typ", "Bearer") != "Bearer":  # Keycloak names what is no access token here
            raise TokenRefusedError("not an access token")


@lru_cache(maxsize=TOKENS_KEPT)
def _signed_claims(token: str, key: PublicKey) -> dict[str, Any]:
    """What the key has signed. Not checked again for each request of a visit; fetched anew, a key is another.

    Raises:
        JoseError, ValueError, TypeError: it has not, or what it signed says nothing.
    """
    return _object(jws.deserialize_compact(token, key.key, algorithms=[key.algorithm]).payload)


def _header(token: str) -> dict[str, str]:
    """The protected header, if it has only what we know, all of it strings."""
    if len(token) > TOKEN_BYTES_MAX or not _COMPACT.fullmatch(token):
        raise TokenRefusedError("form")
    try:
        header = _object(urlsafe_b64decode(token.partition(".")[0].encode()))
    except ValueError:
        raise TokenRefusedError("header") from None
    if not header.keys() <= _ALLOWED_HEADERS:
        raise TokenRefusedError("header")
    if not all(isinstance(value, str) for value in header.values()):
        raise TokenRefusedError("header")
    if header.get("alg") not in ALGORITHMS or not header.get("kid"):
        raise TokenRefusedError("header")
    if header.get("typ", "").lower() not in _TYPES:
        raise TokenRefusedError("type")
    return header


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object that says each thing once, so that every reader of it reads the same.

    Raises:
        ValueError: it is none.
    """
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of error for one kind of trouble
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name is repeated")
    return content


def _check_times(claims: dict[str, Any], *, now: float) -> None:
    expires, issued = _stamp(claims.get("exp")), _stamp(claims.get("iat"))
    not_before = _stamp(claims.get("nbf", issued))
    if expires <= now - LEEWAY_SECONDS:
        raise TokenRefusedError("expired")
    if max(issued, not_before) > now + LEEWAY_SECONDS:
        raise TokenRefusedError("not yet")
    if not 0 < expires - issued <= LIFE_SECONDS_MAX:
        raise TokenRefusedError("life")


def _stamp(value: object) -> float:
    """Seconds since 1970; NaN, infinity, texts and booleans are none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _STAMP_MAX:
        return value
    raise TokenRefusedError("times")


def _subject(claims: dict[str, Any]) -> UUID:
    subject = claims.get("sub")
    try:
        person_id = UUID(subject) if isinstance(subject, str) else None
    except ValueError:
        person_id = None
    if person_id is None or str(person_id) != subject:
        raise TokenRefusedError("subject")
    return person_id
