"""The development issuer: OIDC discovery, key set, tokens for the seeded people without a password.

Devices are clients with credentials of their own (RFC 6749, section 4.4). It says who somebody is, never what
they may do. In deployment this is Keycloak.
"""

import base64
import binascii
import hmac
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote_plus
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import ECKey

from local import people
from local.outside.store import Store

TOKEN_SECONDS = 3600
AUDIENCE = "social-wallet"
PORTAL = "social-wallet-portal"
"""The client that people sign in with."""
_PARAMETERS_MAX = 20
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
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
        """An access token of an hour."""
        key = ECKey.import_key(self._store.signing_keys()[-1])
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": str(people.person_id(login)),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": uuid4().hex,
            "client_id": login if login in people.DEVICES else PORTAL,
            "preferred_username": login,
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, claims, key)


class RefusedError(Exception):
    """No token: an error code of RFC 6749, section 5.2. `challenge`: answered as HTTP asks its clients to."""

    def __init__(self, code: str, *, challenge: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.challenge = challenge


def read_form(body: bytes) -> dict[str, str]:
    """The parameters of a request: coming twice is invalid, and one without a value is not there."""
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=_PARAMETERS_MAX)
    except ValueError:  # not UTF-8, or too many
        raise RefusedError("invalid_request") from None
    if any(times > 1 for times in Counter(name for name, _ in pairs).values()):
        raise RefusedError("invalid_request")
    return dict(pairs)


def signed_in(form: dict[str, str], authorization: str) -> str:
    """The login that a token request is for."""
    match form.get("grant_type"):
        case None:
            raise RefusedError("invalid_request")
        case "password":
            login = form.get("username", "")
            if login not in people.LOGINS:
                raise RefusedError("invalid_grant")
            return login
        case "client_credentials":
            return _client(form, authorization)
        case _:
            raise RefusedError("unsupported_grant_type")


def _client(form: dict[str, str], authorization: str) -> str:
    """The device whose credentials these are: by HTTP Basic, or in the form, never both."""
    by_header = bool(authorization)
    if by_header and "client_secret" in form:
        raise RefusedError("invalid_request")
    given = _basic(authorization) if by_header else (form.get("client_id", ""), form.get("client_secret", ""))
    login, secret = given
    known = login in people.DEVICES
    wanted = people.client_secret(login if known else people.DEVICES[0])
    if not hmac.compare_digest(secret.encode(), wanted.encode()) or not known:
        raise RefusedError("invalid_client", challenge=by_header)
    if form.get("client_id", login) != login:
        raise RefusedError("invalid_request")
    return login


def _basic(authorization: str) -> tuple[str, str]:
    """Name and secret, both as a form encodes them (section 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        plain = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    name, colon, secret = plain.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise RefusedError("invalid_client", challenge=True)
    return unquote_plus(name), unquote_plus(secret)


def routes(issuer: Issuer) -> APIRouter:
    router = APIRouter(tags=["issuer"])

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        return {
            "issuer": issuer.url,
            "jwks_uri": f"{issuer.url}/.well-known/jwks.json",
            "token_endpoint": f"{issuer.url}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "grant_types_supported": ["password", "client_credentials"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    @router.get("/.well-known/jwks.json")
    async def key_set() -> dict[str, Any]:
        return {"keys": issuer.public_keys()}

    @router.post("/token")
    async def token(request: Request) -> JSONResponse:
        try:
            form = read_form(await request.body())
            login = signed_in(form, request.headers.get("authorization", ""))
        except RefusedError as refused:
            return _refusal(refused)
        granted = {"access_token": issuer.token(login), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse(granted, headers=_NOT_KEPT)

    @router.post("/keys/rotate")
    async def rotate() -> dict[str, str]:
        return {"kid": issuer.rotate()}

    return router


def _refusal(refused: RefusedError) -> JSONResponse:
    unauthorized = refused.code == "invalid_client"
    challenge = {"WWW-Authenticate": 'Basic realm="token"'} if refused.challenge else {}
    return JSONResponse({"error": refused.code}, 401 if unauthorized else 400, _NOT_KEPT | challenge)
