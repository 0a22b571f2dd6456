"""The issuer's public keys: fetched without blocking, cached, and never hammered.

Fresh for five minutes, fetched again at once for an unknown `kid` (the issuer rotates), but not more often
than every ten seconds, whatever is asked; kept for an hour while the issuer cannot be reached.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from shared.tls import tls

FRESH_SECONDS = 5 * 60
STALE_SECONDS = 60 * 60
PAUSE_SECONDS = 10
FIRST_PAUSE_SECONDS = 0.5  # until the first success: the issuer may start after us
FETCH_SECONDS = 5
DOCUMENT_BYTES_MAX = 64 * 1024
_RSA_BITS_MIN = 2048

log = structlog.get_logger()


class IdentityUnavailableError(Exception):
    """The issuer's keys cannot be had, and the cached ones are too old."""


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """One key and the only algorithm it is good for. Fetched again, it is another."""

    key: ECKey | RSAKey
    algorithm: str


class IssuerKeys:
    """The cache, one per process."""

    def __init__(self, jwks_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._jwks_url = jwks_url
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> PublicKey | None:
        """The key of this id, or None if the issuer does not publish it."""
        if self._wants_fetch(kid):
            async with self._fetching:
                if self._wants_fetch(kid):
                    await self._fetch()
        if self._since(self._fetched_at) > STALE_SECONDS:
            raise IdentityUnavailableError
        return self._keys.get(kid)

    def _wants_fetch(self, kid: str) -> bool:
        pause = PAUSE_SECONDS if self._keys else FIRST_PAUSE_SECONDS
        outdated = kid not in self._keys or self._since(self._fetched_at) > FRESH_SECONDS
        return outdated and self._since(self._tried_at) > pause

    def _since(self, moment: float) -> float:
        return self._clock() - moment

    async def _fetch(self) -> None:
        try:
            self._keys = _read(await _download(self._jwks_url))
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            log.warning("issuer_keys_unavailable", error=type(error).__name__)
        else:
            self._fetched_at = self._clock()
        finally:
            self._tried_at = self._clock()  # not before: whoever comes meanwhile waits for this fetch


async def _download(url: str) -> bytes:
    document = bytearray()
    async with (
        asyncio.timeout(FETCH_SECONDS),
        httpx.AsyncClient(follow_redirects=False, trust_env=False, verify=tls()) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise ValueError("the issuer did not answer 200")
        async for piece in response.aiter_bytes():
            document += piece
            if len(document) > DOCUMENT_BYTES_MAX:
                raise ValueError("the issuer's key set is too large")
    return bytes(document)


def _read(document: bytes) -> dict[str, PublicKey]:
    """The signing keys we can use. Others (for encryption, of other kinds) are not an error."""
    parsed = httpx.Response(200, content=document).json()
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")  # noqa: TRY004 - one kind of error for one kind of trouble
    found = {entry.get("kid"): _usable(entry) for entry in entries if isinstance(entry, dict)}
    return {kid: key for kid, key in found.items() if isinstance(kid, str) and key is not None}


def _usable(entry: dict[str, str]) -> PublicKey | None:
    if entry.get("use", "sig") != "sig":
        return None
    try:
        if entry.get("kty") == "EC" and entry.get("crv") == "P-256" and entry.get("alg", "ES256") == "ES256":
            return PublicKey(ECKey.import_key({**_public(entry, "crv", "x", "y")}), "ES256")
        if entry.get("kty") == "RSA" and entry.get("alg", "RS256") == "RS256":
            key = RSAKey.import_key({**_public(entry, "n", "e")})
            return PublicKey(key, "RS256") if key.raw_value.key_size >= _RSA_BITS_MIN else None
    except (JoseError, ValueError, TypeError):
        log.warning("issuer_key_unreadable")
    return None


def _public(entry: dict[str, str], *names: str) -> dict[str, str]:
    """The members that make the key, so that nothing else the issuer says changes how it is used."""
    return {name: entry[name] for name in ("kty", *names) if name in entry}
