"""Tokens that are not good are refused alike, and the issuer may rotate its keys or be away for a while."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.database import new_id
from shared.security import IdentityUnavailableError, IssuerKeys, TokenRefusedError, TokenVerifier
from shared.testing_http import ServedApi, TokenIssuer, token_issuer

PERSON = new_id()


def _claims(**changes: Any) -> Callable[[TokenIssuer], str]:  # noqa: ANN401 - whatever JSON can say
    def make(issuer: TokenIssuer) -> str:
        claims = issuer.claims(PERSON) | changes
        return issuer.sign({name: value for name, value in claims.items() if value is not ...})

    return make


def _later(**seconds: int) -> Callable[[TokenIssuer], str]:
    def make(issuer: TokenIssuer) -> str:
        now = int(time.time())
        return _claims(**{name: now + value for name, value in seconds.items()})(issuer)

    return make


def _header(**changes: Any) -> Callable[[TokenIssuer], str]:  # noqa: ANN401 - whatever JSON can say
    """A token with its header replaced, signed as that header asks for."""

    def make(issuer: TokenIssuer) -> str:
        _, claims, signature = issuer.token(PERSON).split(".")
        header = {"alg": "ES256", "typ": "at+jwt", "kid": issuer.keys[-1].kid} | changes
        header = {name: value for name, value in header.items() if value is not ...}
        return ".".join((_encode(header), claims, signature))

    return make


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signed_by_somebody(issuer: TokenIssuer) -> str:
    stranger = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "kid": issuer.keys[-1].kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), stranger)


def _signed_with_the_public_key_as_secret(issuer: TokenIssuer) -> str:
    key = issuer.keys[-1]
    secret = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    header = {"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), secret, algorithms=["HS256"])


def _signed_by_rsa(issuer: TokenIssuer) -> str:
    header = {"alg": "RS256", "kid": issuer.keys[-1].kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), RSAKey.generate_key(2048))


def _part_changed(index: int) -> Callable[[TokenIssuer], str]:
    def make(issuer: TokenIssuer) -> str:
        parts = issuer.token(PERSON).split(".")
        parts[index] = ("A" if parts[index][5] != "A" else "B").join((parts[index][:5], parts[index][6:]))
        return ".".join(parts)

    return make


BAD: dict[str, Callable[[TokenIssuer], str]] = {
    "no algorithm": _header(alg="none"),
    "NONE": _header(alg="NONE"),
    "no alg": _header(alg=...),
    "alg is a list": _header(alg=["ES256"]),
    "another curve": _header(alg="ES384"),
    "HMAC": _header(alg="HS256"),
    "public key as secret": _signed_with_the_public_key_as_secret,
    "RSA under the id of another key": _signed_by_rsa,
    "signed by somebody": _signed_by_somebody,
    "unsigned": lambda issuer: issuer.token(PERSON).rpartition(".")[0] + ".",
    "header changed": _part_changed(0),
    "claims changed": _part_changed(1),
    "signature changed": _part_changed(2),
    "no kid": _header(kid=...),
    "unknown kid": _header(kid="unknown"),
    "kid is a path": _header(kid="../../etc/passwd"),
    "kid is SQL": _header(kid="' OR 1=1 --"),
    "kid is a number": _header(kid=1),
    "jku": _header(jku="https://example.org/keys"),
    "x5u": _header(x5u="https://example.org/keys"),
    "jwk": _header(jwk={"kty": "EC"}),
    "crit": _header(crit=["b64"], b64=False),
    "zip": _header(zip="DEF"),
    "not a token type": _header(typ="dpop+jwt"),
    "no type": _header(typ=...),
    "header is a list": lambda issuer: f"W10.{issuer.token(PERSON).partition('.')[2]}",
    "header is not JSON": lambda issuer: f"e30e.{issuer.token(PERSON).partition('.')[2]}",
    "other issuer": _claims(iss="https://example.org"),
    "no issuer": _claims(iss=...),
    "other audience": _claims(aud="account"),
    "audience in a text": _claims(aud="social-wallet account"),
    "no audience": _claims(aud=...),
    "audience is nested": _claims(aud=[["social-wallet"]]),
    "ID token": _claims(typ="ID"),
    "expired": _later(iat=-3600, exp=-31),
    "no exp": _claims(exp=...),
    "exp is a text": _claims(exp="9999999999"),
    "exp is true": _claims(exp=True),
    "exp is NaN": _claims(exp=float("nan")),
    "exp is infinite": _claims(exp=float("inf")),
    "lives for a day": _later(iat=0, exp=86400),
    "issued tomorrow": _later(iat=86400, exp=86500),
    "no iat": _claims(iat=...),
    "not yet": _later(nbf=120),
    "ends before it begins": _later(iat=20, exp=10),
    "no subject": _claims(sub=...),
    "subject is a name": _claims(sub="aigul"),
    "subject is a number": _claims(sub=5),
    "subject in another form": _claims(sub=PERSON.hex),
    "100 KiB": lambda _: "a" * 50_000 + "." + "b" * 50_000 + ".c",
    "8 KiB and a little": _claims(filler="x" * 8000),
    "trailing data": lambda issuer: issuer.token(PERSON) + ".AAAA",
    "trailing line": lambda issuer: issuer.token(PERSON) + "\n",
    "no dots": lambda _: "abc",
    "empty": lambda _: "",
    "not ASCII": lambda issuer: issuer.token(PERSON) + "Қ",
}


@dataclass
class Clock:
    """A monotonic clock that stands until it is moved."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def verifier(issuer: TokenIssuer) -> TokenVerifier:
    return TokenVerifier(issuer.url, "social-wallet", IssuerKeys(f"{issuer.url}/.well-known/jwks.json"))


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_refused(verifier: TokenVerifier, issuer: TokenIssuer, name: str) -> None:
    with pytest.raises(TokenRefusedError):
        await verifier.person_id(BAD[name](issuer))


@pytest.mark.parametrize(
    "name", [name for name in BAD if name not in ("empty", "not ASCII", "trailing line")]
)
async def test_a_bad_token_is_answered_401_and_told_nothing(running: ServedApi, name: str) -> None:
    token = BAD[name](running.issuer)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{running.url}/v1/things", headers={"Authorization": f"Bearer {token}"})
    if name == "100 KiB":
        assert answer.status_code in (400, 431)  # refused before anybody reads it as a token
        return
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert token not in answer.text


@pytest.mark.parametrize(
    "make",
    [_claims(), _claims(aud=["account", "social-wallet"]), _claims(typ="Bearer"), _later(exp=-20, iat=-99)],
)
async def test_a_good_token_says_who(
    verifier: TokenVerifier, issuer: TokenIssuer, make: Callable[[TokenIssuer], str]
) -> None:
    assert await verifier.person_id(make(issuer)) == PERSON


async def test_nobody_is_let_in_without_a_token(running: ServedApi) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{running.url}/v1/things", json={"title": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


async def test_a_rotated_key_is_fetched_once_and_the_old_one_ends(clock: Clock) -> None:
    async with token_issuer() as issuer:
        keys = IssuerKeys(f"{issuer.url}/.well-known/jwks.json", clock)
        verifier = TokenVerifier(issuer.url, "social-wallet", keys)
        old = issuer.token(PERSON)
        assert await verifier.person_id(old) == PERSON
        issuer.rotate()
        clock.seconds += 11
        new = issuer.token(PERSON)
        assert await asyncio.gather(*(verifier.person_id(new) for _ in range(20))) == [PERSON] * 20
        with pytest.raises(TokenRefusedError):
            await verifier.person_id(old)
        assert issuer.fetched == 2


async def test_unknown_keys_do_not_hammer_the_issuer(clock: Clock) -> None:
    async with token_issuer() as issuer:
        keys = IssuerKeys(f"{issuer.url}/.well-known/jwks.json", clock)
        for expected in (1, 2):
            for number in range(200):
                assert await keys.find(f"unknown-{number}") is None
            assert issuer.fetched == expected
            clock.seconds += 11


async def test_while_the_issuer_is_away_its_keys_serve_for_an_hour(clock: Clock) -> None:
    async with token_issuer() as issuer:
        keys = IssuerKeys(f"{issuer.url}/.well-known/jwks.json", clock)
        kid = str(issuer.keys[-1].kid)
        assert await keys.find(kid)
        issuer.available = False
        clock.seconds += 59 * 60
        assert await keys.find(kid)
        clock.seconds += 2 * 60
        with pytest.raises(IdentityUnavailableError):
            await keys.find(kid)
        issuer.available = True
        clock.seconds += 60
        assert await keys.find(kid)


async def test_an_issuer_that_never_answered_is_no_verdict_on_a_token() -> None:
    keys = IssuerKeys("http://127.0.0.1:9/.well-known/jwks.json")
    with pytest.raises(IdentityUnavailableError):
        await keys.find("any")
