"""The development issuer: OIDC discovery, key set, tokens for the seeded people without a password.

It says who somebody is, never what they may do. In deployment this is Keycloak.
"""

import time
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Request
from joserfc import jwt
from joserfc.jwk import ECKey

from local import people
from local.outside.store import Store

TOKEN_SECONDS = 3600
AUDIENCE = "social-wallet"
_KEYS_PUBLISHED = 3  # tokens signed with the key before a rotation stay good


class Issuer:
    """Signs with the newest key of the store, publishes the latest few."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self._store = store
        if not store.signing_keys():
            self.rotate()

    def rotate(self) -> str:
        """Sign with a new key from now on; answers its id."""
        key = ECKey.generate_key(
            "P-256", parameters={"kid": uuid4().hex, "use": "sig", "alg": "ES256"}, private=True
        )
        self._store.add_signing_key(dict(key.as_dict(private=True)), keep=_KEYS_PUBLISHED)
        return str(key.kid)

    def public_keys(self) -> list[dict[str, Any]]:
        return [dict(ECKey.import_key(jwk).as_dict(private=False)) for jwk in self._store.signing_keys()]

    def token(self, login: str) -> str:
        """An access token of an hour; KeyError if nobody signs in so."""
        key = ECKey.import_key(self._store.signing_keys()[-1])
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": str(people.person_id(login)),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": uuid4().hex,
            "preferred_username": login,
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, claims, key)


def routes(issuer: Issuer) -> APIRouter:
    router = APIRouter(tags=["issuer"])

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        return {
            "issuer": issuer.url,
            "jwks_uri": f"{issuer.url}/.well-known/jwks.json",
            "token_endpoint": f"{issuer.url}/token",
            "grant_types_supported": ["password"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    @router.get("/.well-known/jwks.json")
    async def key_set() -> dict[str, Any]:
        return {"keys": issuer.public_keys()}

    @router.post("/token")
    async def token(request: Request) -> dict[str, Any]:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if form.get("grant_type") != "password":
            raise HTTPException(400, {"error": "unsupported_grant_type"})
        try:
            access_token = issuer.token(form.get("username", ""))
        except KeyError:
            raise HTTPException(400, {"error": "invalid_grant"}) from None
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    @router.post("/keys/rotate")
    async def rotate() -> dict[str, str]:
        return {"kid": issuer.rotate()}

    return router
