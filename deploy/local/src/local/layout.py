"""Which processes the local system has, on which ports, with which environment.

Everything follows from one base port, kept in `.local/`, so that two copies run side by side. Nothing is
started here.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local import people, places

SERVICES = ("enrollment", "clubs", "wallet", "notifications")
DATABASE = "socialwallet"
BASE_PORT = 8100
_SETTINGS = places.STATE / "settings.json"


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    port: int

    @property
    def ready_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readyz"

    @property
    def log(self) -> Path:
        return places.LOGS / f"{self.name}.log"


@dataclass(frozen=True, slots=True)
class Layout:
    """One copy of the system. With `database_url` or `kafka_bootstrap` it uses a server that runs already."""

    base_port: int = BASE_PORT
    database_url: str | None = None
    kafka_bootstrap: str | None = None

    @property
    def postgres_port(self) -> int:
        return self.base_port + 32

    @property
    def kafka_port(self) -> int:
        return self.base_port + 92

    @property
    def controller_port(self) -> int:
        return self.base_port + 93

    @property
    def smtp_port(self) -> int:
        return self.base_port + 25

    def api_port(self, service: str) -> int:
        return self.base_port + 1 + SERVICES.index(service)

    def worker_port(self, service: str) -> int:
        """Where a worker answers health and metrics."""
        return self.api_port(service) + 100

    def address(self, service: str) -> str:
        """Of a service's API, or of `outside`."""
        return f"http://127.0.0.1:{self.base_port if service == 'outside' else self.api_port(service)}"

    @property
    def admin_url(self) -> str:
        """The superuser in the maintenance database."""
        return self.database_url or f"postgresql://postgres@127.0.0.1:{self.postgres_port}/postgres"

    @property
    def bootstrap(self) -> str:
        return self.kafka_bootstrap or f"127.0.0.1:{self.kafka_port}"

    def role_url(self, role: str) -> str:
        """The system's database as `role`, whose development password is its name."""
        host = urlsplit(self.admin_url).netloc.rpartition("@")[2]
        return f"postgresql://{role}:{role}@{host}/{DATABASE}"

    @property
    def system_url(self) -> str:
        """The system's database as the superuser of the server."""
        return urlsplit(self.admin_url)._replace(path=f"/{DATABASE}").geturl()

    def ports(self) -> dict[int, str]:
        """All ports of our own, with who listens there."""
        own = {program.port: program.name for program in self.programs()} | {self.smtp_port: "mail catcher"}
        if not self.database_url:
            own[self.postgres_port] = "PostgreSQL"
        if not self.kafka_bootstrap:
            own |= {self.kafka_port: "Kafka", self.controller_port: "Kafka's controller"}
        return own

    def environment(self, service: str) -> dict[str, str]:
        """What every process of a service is told; of our own environment what is not about the system."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SW_")}
        tracing = os.environ.get("SW_OTLP_ENDPOINT")
        outside = self.address("outside")
        told = {
            "SW_ENVIRONMENT": "development",
            "SW_DATABASE_URL": self.role_url(service),
            "SW_KAFKA_BOOTSTRAP": self.bootstrap,
            "SW_PORT": str(self.api_port(service)),
            "SW_METRICS_PORT": str(self.worker_port(service)),
            "SW_ISSUER": outside,
            "SW_REGISTER_URL": f"{outside}/register",
            "SW_SMTP_HOST": "127.0.0.1",
            "SW_SMTP_PORT": str(self.smtp_port),
            "SW_SMS_URL": f"{outside}/sms",
            "SW_BANK_URL": f"{outside}/bank",
            "SW_BANK_ASK_SECONDS": "0.5",
            "SW_CHECKPOINTS_FOLDER": str(places.CHECKPOINTS),
            "SW_FIRST_ADMINISTRATORS": ",".join(
                str(people.person_id(login)) for login in people.LOGINS if login.startswith("administrator-")
            ),
        }
        return kept | told | ({"SW_OTLP_ENDPOINT": tracing} if tracing else {})

    def program(self, service: str, *arguments: str) -> Program:
        """Any command of a service, with the rights of its runtime role."""
        name = "-".join((service, *arguments))
        return Program(name, _python(service, *arguments), self.environment(service), self.api_port(service))

    def migration(self, service: str) -> Program:
        """Ends by itself; as the owner of the service's schema."""
        environment = self.environment(service) | {"SW_OWNER_DATABASE_URL": self.role_url(f"{service}_owner")}
        return Program(f"{service}-migrate", _python(service, "migrate"), environment, self.api_port(service))

    def programs(self) -> list[Program]:
        """The nine."""
        port = self.base_port
        told = {
            "SW_ENVIRONMENT": "development",
            "SW_PORT": str(port),
            "SW_SMTP_PORT": str(self.smtp_port),
            "SW_STORE": str(places.STATE / "outside.sqlite"),
            "SW_CLOCK_URL": self.role_url("auditor"),
        }
        found = [Program("outside", _python("local.outside"), {**os.environ, **told}, port)]
        for service in SERVICES:
            ports = {"api": self.api_port(service), "worker": self.worker_port(service)}
            found += [
                Program(f"{service}-{mode}", _python(service, mode), self.environment(service), port)
                for mode, port in ports.items()
            ]
        return found


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def load() -> Layout:
    """The layout of this clone: as last started, or the default."""
    try:
        return Layout(**json.loads(_SETTINGS.read_text()))
    except FileNotFoundError:
        return Layout()


def from_environment(base_port: int) -> Layout:
    """The layout that is wanted now: servers that run already are named by the environment."""
    return Layout(base_port, os.environ.get("SW_DATABASE_URL"), os.environ.get("SW_KAFKA_BOOTSTRAP"))


def save(layout: Layout) -> None:
    places.STATE.mkdir(exist_ok=True)
    part = _SETTINGS.with_suffix(".part")
    part.write_text(json.dumps(asdict(layout)))
    part.replace(_SETTINGS)
