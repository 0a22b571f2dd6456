"""Each service refuses each bad token of the corpus, in the same words, and tells nothing of it."""

import httpx
import pytest

from access.worlds import World
from shared.testing_http import TokenIssuer
from shared.testing_tokens import BAD

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("access"), pytest.mark.timeout(300)]
NO_HEADER = {"empty", "not ASCII", "trailing line"}
"""What an HTTP client does not send."""
BEYOND_HEADERS = {"100 KiB"}
"""Refused before anybody reads it as a token."""
LISTS = {
    "enrollment": "/v1/children",
    "clubs": "/v1/groups",
    "wallet": "/v1/funds",
    "notifications": "/v1/inbox",
}


@pytest.fixture(scope="session")
def tokens(issuer: TokenIssuer) -> dict[str, str]:
    """The corpus, made once."""
    return {name: BAD[name](issuer) for name in BAD.keys() - NO_HEADER - BEYOND_HEADERS}


async def test_no_bad_token_is_served(world: World, tokens: dict[str, str], http: httpx.AsyncClient) -> None:
    url = world.url + LISTS[world.service.name]
    served = {}
    for name, token in tokens.items():
        answer = await http.get(url, headers={"Authorization": f"Bearer {token}"})
        told = answer.json()
        if (answer.status_code, told["code"]) != (401, "token_invalid") or token in answer.text:
            served[name] = f"{answer.status_code} {answer.text[:200]}"
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"', name
    assert served == {}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "token_missing"),
        ([("Authorization", "Basic {}")], "token_missing"),
        ([("Authorization", "Bearer")], "token_missing"),
        ([("Authorization", "Bearer {} {}")], "token_invalid"),
        ([("X-Authorization", "Bearer {}")], "token_missing"),
        ([("Cookie", "access_token={}")], "token_missing"),
    ],
)
async def test_a_good_token_elsewhere_than_it_belongs_is_none(
    world: World, http: httpx.AsyncClient, headers: list[tuple[str, str]], code: str
) -> None:
    token = world.tokens["administrator"]
    sent = [(name, value.replace("{}", token)) for name, value in headers]
    answer = await http.get(
        world.url + LISTS[world.service.name], headers=sent, params={"access_token": token}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert token not in answer.text
