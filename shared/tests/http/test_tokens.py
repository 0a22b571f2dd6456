"""Tokens that are not good are refused alike, and the issuer may rotate its keys or be away for a while."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from shared.security import IdentityUnavailableError, IssuerKeys, TokenRefusedError, TokenVerifier
from shared.testing_http import ServedApi, TokenIssuer, token_issuer
from shared.testing_tokens import BAD, PERSON, with_claims, with_times
from shared.tls import tls


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
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as client:
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
    [
        with_claims(),
        with_claims(aud=["account", "social-wallet"]),
        with_claims(typ="Bearer"),
        with_times(exp=-20, iat=-99),
    ],
)
async def test_a_good_token_says_who(
    verifier: TokenVerifier, issuer: TokenIssuer, make: Callable[[TokenIssuer], str]
) -> None:
    assert await verifier.person_id(make(issuer)) == PERSON


async def test_a_token_that_was_good_is_refused_when_its_time_is_over(
    verifier: TokenVerifier, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = with_times(exp=60, iat=-60)(issuer)
    assert await verifier.person_id(token) == PERSON
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(TokenRefusedError, match="expired"):
        await verifier.person_id(token)


async def test_nobody_is_let_in_without_a_token(running: ServedApi) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=tls()) as client:
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
