"""`docker-compose.yml` says what `local.layout` and the services say. It is read here, not run."""

import json
from typing import Any

import pytest
import yaml

from enrollment.settings import EnrollmentSettings
from local import people, places
from local.layout import SERVICES, Layout
from notifications.settings import NotificationSettings
from shared.settings import Settings
from wallet.settings import WalletSettings

CONTAINERS: dict[str, dict[str, Any]] = yaml.safe_load((places.CLONE / "docker-compose.yml").read_text())[
    "services"
]
KNOWN = {
    "enrollment": EnrollmentSettings,
    "clubs": Settings,
    "wallet": WalletSettings,
    "notifications": NotificationSettings,
}
SHARED_WITH_ALL = {"SW_SMTP_HOST", "SW_SMTP_PORT"}
"""Of notifications, told to everybody."""


def told(container: str) -> dict[str, str]:
    return dict(CONTAINERS[container]["environment"])


def test_every_program_of_the_local_system_is_a_container() -> None:
    programs = {program.name for program in Layout().programs()}
    assert programs | {f"{service}-migrate" for service in SERVICES} <= CONTAINERS.keys()


@pytest.mark.parametrize("mode", ["api", "worker", "migrate"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_understands_all_that_it_is_told(service: str, mode: str) -> None:
    environment = told(f"{service}-{mode}")
    known = {f"SW_{name.upper()}" for name in KNOWN[service].model_fields}
    assert environment.keys() - SHARED_WITH_ALL <= known
    values = {name.removeprefix("SW_").lower(): value for name, value in environment.items()}
    KNOWN[service].model_validate(values)


def test_who_asks_the_world_outside_is_on_its_machine_and_has_a_port_of_its_own() -> None:
    beside = [name for name, one in CONTAINERS.items() if one.get("network_mode") == "service:outside"]
    outside = f"http://127.0.0.1:{told('outside')['SW_PORT']}/"
    asked = {name: found for name in CONTAINERS if (found := _asked(name))}
    assert sorted(asked) == sorted(beside)
    assert all(url.startswith(outside) for urls in asked.values() for url in urls)
    ports = [told(name)["SW_METRICS_PORT"] for name in beside]
    assert len({*ports, told("outside")["SW_PORT"], told("outside")["SW_SMTP_PORT"]}) == len(ports) + 2
    assert not any("ports" in CONTAINERS[name] for name in beside)


def _asked(container: str) -> list[str]:
    """Addresses of the world outside that the container is told."""
    names = ("SW_REGISTER_URL", "SW_BANK_URL", "SW_SMS_URL")
    environment = CONTAINERS[container].get("environment", {})
    return [environment[name] for name in names if name in environment]


def test_keycloak_knows_people_by_the_ids_of_the_register_and_of_the_first_administrators() -> None:
    realm = json.loads((places.CLONE / "deploy/keycloak/social-wallet-realm.json").read_text())
    users = {user["username"]: user["id"] for user in realm["users"]}
    assert users == {login: str(people.person_id(login)) for login in users}
    named = told("enrollment-worker")["SW_FIRST_ADMINISTRATORS"].replace(" ", "").split(",")
    assert named == [users[login] for login in sorted(users) if login.startswith("administrator-")]
