"""The outside world over its real protocols: sign-in, register, mail, SMS."""

import asyncio
import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from local import people
from local.population import CHILDREN
from local.testing import World, outside
from shared.security.keys import IssuerKeys
from shared.security.tokens import TokenVerifier

pytestmark = pytest.mark.servers
CHILD = CHILDREN[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with outside(tmp_path_factory.mktemp("outside") / "store.sqlite") as running:
        yield running


def token(world: World, login: str) -> str:
    answer = world.http.post("/token", data={"grant_type": "password", "username": login})
    return str(answer.raise_for_status().json()["access_token"])


def verifier(world: World) -> TokenVerifier:
    return TokenVerifier(world.url, "social-wallet", IssuerKeys(f"{world.url}/.well-known/jwks.json"))


async def test_services_accept_its_tokens_and_learn_who_it_is(world: World) -> None:
    assert await verifier(world).person_id(token(world, "coach-3")) == people.person_id("coach-3")


async def test_a_token_from_before_a_rotation_stays_good_and_new_ones_have_the_new_key(world: World) -> None:
    before = token(world, "guardian-1")
    new_key = world.http.post("/keys/rotate").json()["kid"]
    after = token(world, "guardian-2")
    check = verifier(world)
    assert await check.person_id(before) == people.person_id("guardian-1")
    assert await check.person_id(after) == people.person_id("guardian-2")
    assert new_key in [key["kid"] for key in world.http.get("/.well-known/jwks.json").json()["keys"]]


def test_it_publishes_no_private_key(world: World) -> None:
    assert all("d" not in key for key in world.http.get("/.well-known/jwks.json").json()["keys"])


def test_discovery_leads_to_the_keys(world: World) -> None:
    found = world.http.get("/.well-known/openid-configuration").json()
    assert found["issuer"] == world.url
    assert httpx.get(found["jwks_uri"], trust_env=False).json()["keys"]


@pytest.mark.parametrize("form", [{"username": "stranger"}, {"username": "device-1"}, {"username": ""}, {}])
def test_strangers_get_no_token(world: World, form: dict[str, str]) -> None:
    answer = world.http.post("/token", data={"grant_type": "password", **form})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


BY_CLIENT = {"grant_type": "client_credentials"}
SECRET = people.client_secret("device-2")
NO_CLIENT = people.sign_in("device-1") | {"client_id": "coach-1", "client_secret": "secret-of-coach-1"}


@pytest.mark.parametrize(
    "request_of_device",
    [
        {"data": people.sign_in("device-2")},
        {"data": BY_CLIENT, "auth": ("device-2", people.client_secret("device-2"))},
        {"data": BY_CLIENT, "auth": ("device%2D2", people.client_secret("device-2"))},
    ],
    ids=["form", "basic", "basic_encoded"],
)
async def test_a_device_gets_a_token_for_its_own_credentials(
    world: World, request_of_device: dict[str, Any]
) -> None:
    answer = world.http.post("/token", **request_of_device)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json().keys() == {"access_token", "token_type", "expires_in"}
    assert await verifier(world).person_id(answer.json()["access_token"]) == people.person_id("device-2")


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        (BY_CLIENT, None, 401, "invalid_client"),
        (BY_CLIENT | {"client_id": "device-2"}, None, 401, "invalid_client"),
        (BY_CLIENT | {"client_id": "device-1", "client_secret": SECRET}, None, 401, "invalid_client"),
        (NO_CLIENT, None, 401, "invalid_client"),
        (BY_CLIENT, ("device-2", "wrong"), 401, "invalid_client"),
        (BY_CLIENT, ("стук", "стук"), 401, "invalid_client"),
        (people.sign_in("device-2"), ("device-2", SECRET), 400, "invalid_request"),
        (BY_CLIENT | {"client_id": "device-1"}, ("device-2", SECRET), 400, "invalid_request"),
        ({"grant_type": ["client_credentials"] * 2}, ("device-2", SECRET), 400, "invalid_request"),
        ({"grant_type": ""}, ("device-2", SECRET), 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, ("device-2", SECRET), 400, "unsupported_grant_type"),
    ],
)  # fmt: skip
def test_credentials_that_are_not_a_devices_get_no_token(
    world: World, form: dict[str, Any], auth: tuple[str, str] | None, status: int, error: str
) -> None:
    answer = world.http.post("/token", data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert ("WWW-Authenticate" in answer.headers) is (status == 401 and auth is not None)


@pytest.mark.parametrize("authorization", ["Basic", "Basic ====", "Basic ZGV2aWNl", "Bearer x", "Basic /w=="])
def test_unreadable_credentials_get_no_token(world: World, authorization: str) -> None:
    answer = world.http.post("/token", data=BY_CLIENT, headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_a_page_that_rebinds_its_name_to_this_machine_is_refused(world: World) -> None:
    assert world.http.get("/messages", headers={"Host": "evil.example"}).status_code == 403


def test_it_does_not_run_outside_development() -> None:
    told = {**os.environ, "SW_ENVIRONMENT": "production"}
    command = [sys.executable, "-m", "local.outside"]
    done = subprocess.run(command, env=told, capture_output=True, check=False, text=True)  # noqa: S603 - our own
    assert done.returncode == 1
    assert "development only" in done.stderr


def ask(world: World, iin: str, login: str) -> httpx.Response:
    question = {"iin": iin, "person_id": str(people.person_id(login))}
    return world.http.post("/register/guardianships/verify", json=question)


def test_the_register_verifies_a_guardian_and_says_who_the_child_is(world: World) -> None:
    found = ask(world, CHILD.iin, "guardian-1").json()
    assert found["verdict"] == "verified"
    assert found["child"]["given_name"] == CHILD.given_name
    assert found["child"]["school"] == {"name": CHILD.school.name, "rural": CHILD.school.rural}


def test_the_register_does_not_tell_a_stranger_whether_the_child_exists(world: World) -> None:
    assert ask(world, CHILD.iin, "guardian-2").json() == {"verdict": "refused"}
    assert ask(world, "111111111111", "guardian-2").json() == {"verdict": "refused"}


def test_the_register_can_be_down_and_comes_back(world: World) -> None:
    world.http.post("/register/outage", json={"seconds": 60}).raise_for_status()
    assert ask(world, CHILD.iin, "guardian-1").status_code == 503
    world.http.post("/register/outage", json={"seconds": 0}).raise_for_status()
    assert ask(world, CHILD.iin, "guardian-1").status_code == 200


def caught(world: World, recipient: str) -> list[dict[str, object]]:
    return list(world.http.get("/messages", params={"to": recipient}).json()["items"])


async def test_a_mail_is_caught_with_its_letters_and_a_repeat_is_seen_as_one(world: World) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "system@example.kz", "ana@example.kz", "Орын берілді"
    mail["Message-ID"] = "<1@example.kz>"
    mail.set_content("Жауап күтілуде: Ә Ғ Қ Ң Ө Ұ Ү Һ І")
    for _ in range(2):
        await asyncio.to_thread(send, world, mail)
    (message,) = caught(world, "ana@example.kz")
    assert message["subject"] == "Орын берілді"
    assert message["body"] == "Жауап күтілуде: Ә Ғ Қ Ң Ө Ұ Ү Һ І\r\n"
    assert message["times"] == 2


def send(world: World, mail: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", world.smtp_port) as client:
        client.send_message(mail)


def test_an_sms_is_caught_once(world: World) -> None:
    sms = {"id": "a", "to": "+77010000001", "text": "Сәлем"}
    assert [world.http.post("/sms", json=sms).status_code for _ in range(2)] == [202, 202]
    (message,) = caught(world, "+77010000001")
    assert (message["body"], message["times"]) == ("Сәлем", 2)


def test_an_sms_to_what_is_no_number_is_refused(world: World) -> None:
    assert world.http.post("/sms", json={"id": "b", "to": "ana", "text": "Сәлем"}).status_code == 422
