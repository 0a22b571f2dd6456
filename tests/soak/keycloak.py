"""Keycloak says who people are: the committed realm, its tokens at the four services, and what they refuse.

A system runs with its seeds and the development issuer. Beside each of its APIs a second one over the same
database trusts Keycloak instead. The same people must be the same there, with the same grants: tokens say
who, the services know what they may do. What else Keycloak signs is refused.
"""

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from local import people
from local.layout import Layout
from local.servers import free_ports
from rig import keycloak, system
from rig.keycloak import Keycloak
from rig.system import SERVICES, System
from shared.security.keys import PAUSE_SECONDS

LISTS = {
    "enrollment": "/v1/children",
    "clubs": "/v1/groups",
    "wallet": "/v1/programs",
    "notifications": "/v1/inbox",
}
PEOPLE = ("guardian-1", "guardian-2", "administrator-1", "auditor-1", "director-1", "device-1")
PORTAL = "social-wallet-portal"
CLAIMS = {"exp", "iat", "jti", "iss", "aud", "sub", "typ", "azp", "sid", "scope", "auth_time", "client_id"}
"""What a token may say: who, by whom, for whom, how long, and how they signed in. Nothing of the person."""
LIFE_SECONDS = 900
START_SECONDS = 120


class Verdict:
    """What was found, said at once; whether all of it was right."""

    def __init__(self) -> None:
        self.right = True

    def check(self, what: str, right: object) -> None:
        self.right &= bool(right)
        sys.stdout.write(f"{'ok   ' if right else 'WRONG'} {what}\n")
        sys.stdout.flush()


def sign_in(issuer: Keycloak, login: str, **more: str) -> dict[str, str]:
    """The tokens of somebody: people by name and password, devices by their client's credentials."""
    if login in people.DEVICES:
        return issuer.tokens(**people.sign_in(login))
    form = {"grant_type": "password", "client_id": PORTAL, "username": login, "password": login}
    return issuer.tokens(**form | more)


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    """Header and claims."""
    header, claims = (base64.urlsafe_b64decode(f"{part}===") for part in token.split(".")[:2])
    return json.loads(header), json.loads(claims)


@contextlib.contextmanager
def second_apis(running: System, issuer: Keycloak, logs: Path) -> Iterator[Mapping[str, str]]:
    """An API of each service that trusts Keycloak: their addresses."""
    layout = Layout(running.base_port)
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    trust = {"SW_ISSUER": issuer.issuer, "SW_JWKS_URL": issuer.jwks_url}
    with contextlib.ExitStack() as stack:
        for service, port in ports.items():
            log = stack.enter_context((logs / f"{service}-beside.log").open("wb"))
            process = subprocess.Popen(  # noqa: S603 - our own service
                [sys.executable, "-m", service, "api"],
                env=layout.environment(service) | trust | {"SW_PORT": str(port)},
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        addresses = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
        for address in addresses.values():
            _wait_until_ready(address)
        yield addresses


def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz", trust_env=False).is_success:
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"{address} is not ready")
        time.sleep(0.2)


def get(address: str, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(address, headers=headers, trust_env=False, timeout=30)


def check_tokens(verdict: Verdict, issuer: Keycloak) -> None:
    """A token has the form that is agreed, and says nothing of the person but the id."""
    for login in ("guardian-1", "device-1"):
        header, claims = parts(sign_in(issuer, login)["access_token"])
        verdict.check(f"{login}: signed with ES256", header["alg"] == "ES256")
        verdict.check(f"{login}: of the type of access tokens (RFC 9068)", header["typ"] == "at+jwt")
        verdict.check(
            f"{login}: the id that the register knows", claims["sub"] == str(people.person_id(login))
        )
        verdict.check(f"{login}: for the services and nobody else", claims["aud"] == "social-wallet")
        life = float(str(claims["exp"])) - float(str(claims["iat"]))
        verdict.check(f"{login}: good for {LIFE_SECONDS} seconds: {life:.0f}", life == LIFE_SECONDS)
        verdict.check(f"{login}: tells no more: {sorted(claims.keys() - CLAIMS)}", claims.keys() <= CLAIMS)


def check_people(verdict: Verdict, running: System, issuer: Keycloak, addresses: Mapping[str, str]) -> None:
    """Whoever signs in is the person that the services know, with the grants that they keep."""
    for service, address in addresses.items():
        token = sign_in(issuer, "guardian-1")["access_token"]
        verdict.check(f"{service}: guardian-1 is served", get(address + LISTS[service], token).is_success)
        missing = get(address + LISTS[service], None)
        verdict.check(f"{service}: nobody without a token", missing.status_code == httpx.codes.UNAUTHORIZED)
    for login in PEOPLE:
        token = sign_in(issuer, login)["access_token"]
        known = _development_token(running, login)
        for path in ("/v1/me", "/v1/children"):
            before = get(running.address("enrollment") + path, known)
            after = get(addresses["enrollment"] + path, token)
            same = (before.status_code, before.json()) == (after.status_code, after.json())
            told = len(after.json().get("grants", after.json().get("items", ())))
            verdict.check(
                f"{login}: {path} as with the development issuer: {after.status_code}, {told}", same
            )
    for login, status in {"auditor-1": 200, "guardian-1": 403, "device-1": 403}.items():
        answer = get(addresses["enrollment"] + "/v1/audit-entries", sign_in(issuer, login)["access_token"])
        verdict.check(
            f"{login} asks for the audit entries: {answer.status_code}", answer.status_code == status
        )


def _development_token(running: System, login: str) -> str:
    address = f"http://127.0.0.1:{running.base_port}/token"
    answer = httpx.post(address, data=people.sign_in(login), trust_env=False, timeout=30)
    return str(answer.raise_for_status().json()["access_token"])


def check_refusals(verdict: Verdict, issuer: Keycloak, addresses: Mapping[str, str]) -> None:
    """What is not an access token of this realm for these services opens nothing."""
    audience = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": "elsewhere", "access.token.claim": "true"},
    }
    stranger = {"clientId": "elsewhere", "publicClient": True, "directAccessGrantsEnabled": True}
    issuer.administer("/clients", stranger | {"protocolMappers": [audience]})
    own = sign_in(issuer, "guardian-1", scope="openid")
    admin = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
    head, content, signature = own["access_token"].split(".")
    bad = {
        "of another client, for another audience": _signed_in_by(issuer, "elsewhere"),
        "of the realm's command line client": _signed_in_by(issuer, "admin-cli"),
        "of another realm": issuer.tokens(realm="master", **admin)["access_token"],
        "that says who signed in (ID token)": own["id_token"],
        "that asks for others (refresh token)": own["refresh_token"],
        "with another signature": f"{head}.{content}.{'A' * 20}{signature[20:]}",
        "with other claims": f"{head}.{content[:-4]}AAAA.{signature}",
    }
    for service, address in addresses.items():
        for what, token in bad.items():
            answer = get(address + LISTS[service], token)
            refused = (answer.status_code, answer.json().get("code")) == (401, "token_invalid")
            verdict.check(f"{service}: refused, a token {what}: {answer.status_code}", refused)
        good = get(address + LISTS[service], own["access_token"])
        verdict.check(f"{service}: the one they were made of is good", good.is_success)


def _signed_in_by(issuer: Keycloak, client_id: str) -> str:
    return sign_in(issuer, "guardian-1", client_id=client_id)["access_token"]


def check_rotation(verdict: Verdict, issuer: Keycloak, addresses: Mapping[str, str]) -> None:
    """The realm signs with a new key: its tokens are soon good, and those of the old key stay so."""
    old = sign_in(issuer, "guardian-1")["access_token"]
    key = {
        "name": "es256-2",
        "providerId": "ecdsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {"ecdsaEllipticCurveKey": ["P-256"], "priority": ["200"]},
    }
    issuer.administer("/components", key)
    new = sign_in(issuer, "guardian-1")["access_token"]
    verdict.check("another key signs now", parts(old)[0]["kid"] != parts(new)[0]["kid"])
    for service, address in addresses.items():
        deadline = time.monotonic() + 2 * PAUSE_SECONDS
        while not (good := get(address + LISTS[service], new).is_success) and time.monotonic() < deadline:
            time.sleep(0.5)
        verdict.check(f"{service}: a token of the new key is good", good)
        verdict.check(
            f"{service}: one of the old key still is", get(address + LISTS[service], old).is_success
        )


def main() -> int:
    verdict = Verdict()
    with system.running() as running:
        started = time.monotonic()
        with (
            keycloak.running(running.state / "keycloak.log") as issuer,
            second_apis(running, issuer, running.state) as addresses,
        ):
            sys.stdout.write(
                f"      Keycloak and four APIs beside after {time.monotonic() - started:.0f} s\n"
            )
            check_tokens(verdict, issuer)
            check_people(verdict, running, issuer, addresses)
            check_refusals(verdict, issuer, addresses)
            check_rotation(verdict, issuer, addresses)
    return 0 if verdict.right else 1


if __name__ == "__main__":
    sys.exit(main())
